"""A burst as received: its notices, and its packets divided into VHF messages."""

from types import SimpleNamespace

import pytest

from mxtvhf.archive.archive import Archive
from mxtvhf.intake.open_bursts import OpenBursts
from mxtvhf.notices.voevent import read_alert
from mxtvhf.simulator.notices import write_notice
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from support.arrivals import BURST, messages_of, retraction_of


@pytest.fixture(scope="session")
def burst(tmp_path_factory):
    folder = tmp_path_factory.mktemp("burst")
    write_scenario(scenario_of(BURST, seed=5, role="observation", repeat=0.0, shuffle=0.3), folder)
    wakeup, alert = ((folder / name).read_bytes() for name in ("eclairs-wakeup.xml", "alert.xml"))
    packets = (folder / "packets.bin").read_bytes()
    return SimpleNamespace(
        id=BURST,
        wakeup=wakeup,
        alert=alert,
        retraction=write_notice(retraction_of(read_alert(wakeup))),
        test=write_notice(read_alert(wakeup).model_copy(update={"role": "test"})),
        packets=packets,
        messages=messages_of(packets),
    )


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive")


@pytest.fixture
def products(tmp_path):
    return tmp_path / "products"


@pytest.fixture
def bursts(archive):
    return OpenBursts(archive.root)

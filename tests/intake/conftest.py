"""A burst as it arrives: its notices, and its packets cut into VHF messages."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from mxtvhf.archive import Archive
from mxtvhf.intake.openbursts import OpenBursts
from mxtvhf.models import Citation
from mxtvhf.packets.framing import find_frames
from mxtvhf.packets.layout import layout
from mxtvhf.simulator.notices import write_notice
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from mxtvhf.voevent import read_alert

BURST = "sb26030704"
NOON = datetime(2026, 3, 7, 12, tzinfo=UTC)


def seconds(number):
    return NOON + timedelta(seconds=number)


def messages_of(raw, packets_each=4):
    """Cut a stream into messages of some whole packets each, the pointing among them."""
    frames = find_frames(raw, layout())
    cuts = sorted(
        (offset, kind.size) for kind in layout().types for offset in frames.offsets[kind.name].tolist()
    )
    packets = [raw[offset : offset + size] for offset, size in cuts]
    return [b"".join(packets[k : k + packets_each]) for k in range(0, len(packets), packets_each)]


def retraction_of(alert, **changes):
    ivorn = f"ivo://org.svom/fsc#{alert.burst_id}_retraction"
    return alert.model_copy(
        update={
            "ivorn": ivorn,
            "notice_type": "retraction",
            "packet_type": 219,
            "notice_level": "N3e",
            "position": None,
            "citations": (Citation(ivorn=alert.ivorn, cite="retraction"),),
            **changes,
        }
    )


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
def bursts(archive):
    return OpenBursts(archive.root)

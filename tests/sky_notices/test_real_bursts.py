"""For real bursts of SVOM, the other missions that detected them are named, and no others."""

import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from mxtvhf.models.position import Origin
from mxtvhf.simulator.sky_notices import write_gcn_json, write_sky_voevent
from mxtvhf.sky_notices.coincidence import other_missions
from mxtvhf.sky_notices.store import SkyStore
from support.positions import place

FACTS = tomllib.loads(Path(__file__).with_name("real_bursts.toml").read_text())


def written(notice):
    """Return a notice from published facts, in the format of its mission."""
    position = notice.get("position")
    if "ivorn" in notice:
        where = tuple(position) if position else None
        return write_sky_voevent(notice["ivorn"], notice["time"], event_id=notice["event"], position=where)
    where = dict(zip(("ra", "dec", "ra_dec_error"), position or (), strict=False))
    return write_gcn_json(notice["schema"], notice["event"], notice["time"], **where)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = SkyStore(tmp_path_factory.mktemp("archive"))
    for notice in FACTS["notice"]:
        received = notice["time"] + timedelta(minutes=10)
        assert store.read(store.keep(written(notice), received=received, source="test"), received)
    return store


@pytest.mark.parametrize("burst", FACTS["burst"], ids=lambda burst: burst["name"])
def test_the_right_missions_are_named_and_no_wrong_one(store, burst):
    position = place(*burst["position"], Origin.MXT_VHF) if "position" in burst else None
    found = other_missions(store, burst["id"], burst["t0"], position, is_test=False)
    possible = [one.detector for one in found.coincidences if one.association == "possible"]
    assert list(found.seen_by) == burst["detected"], [one.explanation for one in found.coincidences]
    assert possible == burst.get("possible", []), [one.explanation for one in found.coincidences]
    assert all(one.association != "chance" for one in found.coincidences)


def test_there_are_at_least_ten_bursts():
    assert len(FACTS["burst"]) >= 10

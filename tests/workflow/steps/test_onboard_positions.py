from datetime import UTC, datetime, timedelta
from math import hypot, isnan
from pathlib import Path

import pytest

from mxtvhf.errors import InvalidInput
from mxtvhf.events.onboard_file import OnboardMessage, OnboardSource, write_onboard_file
from mxtvhf.instrument.pointing import Pointing
from mxtvhf.instrument.time import met_from_utc
from mxtvhf.localisation.model import Localisation
from mxtvhf.localisation.onboard import unjudged
from mxtvhf.models.position import Origin, Position
from mxtvhf.notices.alert import Alert
from mxtvhf.workflow.steps.onboard_positions import onboard_claims, packet_position
from support.alerts import alert_of
from support.positions import localisation_of, place

T0 = datetime(2026, 3, 7, 13, 46, 20, tzinfo=UTC)
BURST = "sb26030704"
POINTING = Pointing(155.5, -21.0, 30.0)


def notice(kind: str, minute: int, where: Position, packet_type: int = 209) -> Alert:
    published = T0 + timedelta(minutes=minute)
    return alert_of(BURST, kind, T0, packet_type=packet_type, published=published, position=where)


def source(ra_deg: float, known_source: bool = False) -> OnboardSource:
    return OnboardSource(ra_deg=ra_deg, dec_deg=-21.0, r90_arcsec=40.0, snr=9.0, known_source=known_source)


def product(folder: Path, *results: tuple[OnboardSource, ...]) -> Path:
    path = folder / "qpo_mxt.fits"
    met = met_from_utc(T0)
    messages = [OnboardMessage(met=met + 30.0 * k, sources=found) for k, found in enumerate(results)]
    write_onboard_file(path, messages, BURST)
    return path


WAKEUP = notice("eclairs-wakeup", 1, place(155.5, -21.0, 480.0, Origin.ECLAIRS, "eclairs-wakeup"), 202)
INITIAL = notice("mxt-initial_qf2", 5, place(155.51, -21.0, 82.0, Origin.MXT_ONBOARD, "mxt-initial_qf2"))
UPDATE = notice("mxt-update_qf3", 9, place(155.52, -21.0, 52.0, Origin.MXT_ONBOARD, "mxt-update_qf3"), 210)
RETRACTION = notice("retraction", 12, place(155.5, -21.0, 52.0, Origin.MXT_ONBOARD, "retraction"), 219)


def test_the_notices_of_mxt_in_order_then_the_last_result_of_the_packets(tmp_path: Path) -> None:
    path = product(tmp_path, (source(155.4),), (source(155.5), source(155.6, known_source=True)))
    claims = onboard_claims([UPDATE, RETRACTION, WAKEUP, INITIAL], path, POINTING)
    assert [claim.position.label for claim in claims] == [
        "mxt-initial_qf2", "mxt-update_qf3", "QPO_MXT S1", "QPO_MXT S2"
    ]  # fmt: skip
    assert [claim.known_source for claim in claims] == [False, False, False, True]
    assert [claim.time for claim in claims] == [
        INITIAL.published, UPDATE.published, T0 + timedelta(seconds=30), T0 + timedelta(seconds=30)
    ]  # fmt: skip
    first = claims[2].position
    assert (first.ra_deg, first.origin, first.reference) == (155.5, Origin.MXT_ONBOARD, "QPO_MXT")
    assert (first.r90_stat_arcsec, first.r90_arcsec) == (40.0, pytest.approx(hypot(40.0, 25.0)))
    x, y = POINTING.sky_to_pixel(155.51, -21.0)
    assert (claims[0].x, claims[0].y) == (float(x), float(y))


def test_without_a_pointing_no_claim_has_a_place_on_the_detector() -> None:
    (claim,) = onboard_claims([INITIAL], None)
    assert isnan(claim.x)
    assert isnan(claim.y)


def test_without_notices_and_packets_there_is_nothing_to_judge() -> None:
    assert onboard_claims([WAKEUP], None, POINTING) == ()


def test_a_damaged_product_is_refused(tmp_path: Path) -> None:
    path = product(tmp_path, (source(155.4),))
    path.write_bytes(path.read_bytes()[:-2880])
    with pytest.raises(InvalidInput, match=r"qpo_mxt\.fits"):
        onboard_claims([], path, POINTING)


def test_the_packets_position_is_the_first_source_that_is_not_known(tmp_path: Path) -> None:
    path = product(tmp_path, (source(155.4, known_source=True), source(155.5), source(155.6)))
    found: Localisation = localisation_of(
        None, onboard=unjudged(onboard_claims([INITIAL], path), "no photons")
    )
    chosen = packet_position(found)
    assert chosen is not None
    assert chosen.label == "QPO_MXT S2"
    assert packet_position(None) is None
    assert packet_position(localisation_of(None)) is None

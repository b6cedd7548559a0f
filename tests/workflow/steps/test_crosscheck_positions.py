from datetime import UTC, datetime, timedelta

import pytest

from mxtvhf.analysis.throughput import expected_counts
from mxtvhf.catalogues.model import CatalogueAnswer, CatalogueSource
from mxtvhf.crosscheck.model import BurstVerdict, GpOutcome, Verdict
from mxtvhf.errors import InvalidInput
from mxtvhf.localisation.model import OnboardJudgement, OnboardVerdict
from mxtvhf.models.angles import separation_arcsec
from mxtvhf.models.position import Origin, Position
from mxtvhf.notices.alert import Alert, Citation
from mxtvhf.workflow.steps.crosscheck_positions import crosscheck_positions, measured_fluxes
from support.alerts import alert_of
from support.positions import localisation_of, place
from support.sources import BRIGHT, BURST, FIELD, field

T0 = datetime(2026, 3, 7, 13, 46, 20, tzinfo=UTC)
NO_GP = GpOutcome(available=False, reason="HTTP 503")


def notice(
    kind: str, minute: int, where: Position | None, burst: str = "sb26030704", **more: object
) -> Alert:
    fields = {
        "packet_type": 219 if kind == "retraction" else 202,
        "published": T0 + timedelta(minutes=minute),
        "position": where,
    }
    return alert_of(burst, kind, T0, **{**fields, **more})


WAKEUP = notice("eclairs-wakeup", 1, place(155.5, -21.06, 480.0, Origin.ECLAIRS, "eclairs-wakeup"))
SLEWING = notice("slewing", 3, place(155.5, -21.05, 400.0, Origin.ECLAIRS, "slewing"))
INITIAL = notice("mxt-initial_qf3", 5, place(155.5, -21.0, 52.2, Origin.MXT_ONBOARD, "mxt-initial_qf3"))


def test_all_origins_in_order_of_publication() -> None:
    vhf = place(155.5, -21.0, 40.0, Origin.MXT_VHF, "VHF photons")
    gp = GpOutcome(available=True, position=place(155.5, -21.0, 35.0, Origin.GP, "GP"))
    result = crosscheck_positions([INITIAL, SLEWING, WAKEUP], localisation_of(vhf), gp)
    assert [position.label for position in result.positions] == [
        "eclairs-wakeup",
        "slewing",
        "mxt-initial_qf3",
        "VHF photons",
        "GP",
    ]
    assert len(result.pairs) == 10
    assert result.best == gp.position


@pytest.mark.parametrize("kind", ["photons", "analysis", "best"])
def test_a_notice_may_be_called_as_we_call_a_position(kind: str) -> None:
    vhf = place(155.5, -21.0, 40.0, Origin.MXT_VHF, "photons")
    gp = GpOutcome(available=True, position=place(155.5, -21.0, 35.0, Origin.GP, "analysis"))
    named = notice(kind, 5, place(155.5, -21.0, 52.2, Origin.MXT_ONBOARD, kind))
    result = crosscheck_positions([WAKEUP, named], localisation_of(vhf), gp)
    labels = [position.label for position in result.positions]
    assert len(set(labels)) == 4
    assert "photons" in labels
    assert "best" not in labels
    assert result.gp.position in result.positions


def test_nothing_found_leaves_the_notices() -> None:
    result = crosscheck_positions([WAKEUP, INITIAL], localisation_of(None), NO_GP)
    assert result.best == INITIAL.position
    assert result.gp == NO_GP


def test_alert_alone_without_localisation() -> None:
    result = crosscheck_positions([WAKEUP], None, NO_GP)
    assert result.best == WAKEUP.position
    assert "only credible position" in result.best_reason


def test_a_notice_received_twice_counts_once() -> None:
    assert len(crosscheck_positions([WAKEUP, INITIAL, WAKEUP], None, NO_GP).positions) == 2


def test_notice_without_position() -> None:
    assert crosscheck_positions([notice("grm-trigger", 0, None)], None, NO_GP).best is None


def test_position_of_a_retraction_is_not_counted_again() -> None:
    retraction = notice(
        "retraction",
        9,
        place(155.5, -21.06, 480.0, Origin.ECLAIRS, "retraction"),
        citations=(Citation(ivorn=WAKEUP.ivorn, cite="retraction"),),
    )
    result = crosscheck_positions([WAKEUP, retraction], None, NO_GP)
    assert result.positions == (WAKEUP.position,)
    assert result.best_reason.startswith("The burst was retracted.")


def test_the_flux_of_the_photons_is_compared_with_catalogues() -> None:
    vhf = place(155.5, -21.0, 40.0, Origin.MXT_VHF, "photons")
    found = {"detector_x": 128.0, "detector_y": 128.0, "n_source": 100.0, "exposure_s": 300.0}
    (measured,) = measured_fluxes(localisation_of(vhf, **found))
    assert measured.label == "photons"
    assert expected_counts(measured.flux, 300.0, 128.0, 128.0) == pytest.approx(100.0)
    assert measured.relative_error == pytest.approx(0.1, abs=0.01)
    assert measured_fluxes(localisation_of(vhf, **{**found, "exposure_s": None})) == ()
    assert measured_fluxes(localisation_of(None)) == ()
    assert measured_fluxes(None) == ()


def test_what_the_photons_say_of_a_notice_is_its_comparison_with_ours() -> None:
    vhf = place(155.5, -21.0, 40.0, Origin.MXT_VHF, "photons")
    said = OnboardJudgement(
        position=INITIAL.position, verdict=OnboardVerdict.CONTRADICTED, p_value=0.001, explanation="-"
    )
    result = crosscheck_positions([WAKEUP, INITIAL], localisation_of(vhf, onboard=(said,)), NO_GP)
    pair = next(pair for pair in result.pairs if (pair.first, pair.second) == ("mxt-initial_qf3", "photons"))
    assert (pair.verdict, pair.p_value) == (Verdict.INCONSISTENT, 0.001)


def test_notices_of_two_bursts_are_refused() -> None:
    other = notice("eclairs-wakeup", 1, WAKEUP.position, burst="sb26030408")
    with pytest.raises(InvalidInput, match="more than one burst: sb26030408, sb26030704"):
        crosscheck_positions([WAKEUP, other], None, NO_GP)


class Asked:
    """A catalogue of one source; it remembers where it was asked."""

    def __init__(self, ra: float, dec: float) -> None:
        self.source = CatalogueSource(
            catalogue="made", name="NGC 1", ra_deg=ra, dec_deg=dec, r90_arcsec=2.0, reference="none"
        )
        self.cones: list[tuple[float, float]] = []

    def cone(self, ra_deg: float, dec_deg: float, radius_arcsec: float) -> tuple[CatalogueAnswer, ...]:
        self.cones.append((ra_deg, dec_deg))
        here = separation_arcsec(ra_deg, dec_deg, self.source.ra_deg, self.source.dec_deg) <= radius_arcsec
        answer = CatalogueAnswer(
            catalogue="made", checked=True, ra_deg=ra_deg, dec_deg=dec_deg, radius_arcsec=radius_arcsec,
            density_per_deg2=0.1, sources=(self.source,) if here else (),
        )  # fmt: skip
        return (answer,)


def test_each_source_is_looked_up_and_the_verdict_stays_about_the_burst() -> None:
    catalogue = Asked(BRIGHT.position.ra_deg, BRIGHT.position.dec_deg)
    result = crosscheck_positions([], field(), NO_GP, catalogues=catalogue)
    assert set(catalogue.cones) == {(one.position.ra_deg, one.position.dec_deg) for one in FIELD}
    assert len(catalogue.cones) == len(FIELD)
    assert [(one.name, one.checked, one.known is not None) for one in result.identities] == [
        ("S1", True, True),
        ("S2", True, False),
        ("S3", True, False),
    ]
    (match,) = result.identities[0].matches
    assert (match.position, match.source) == ("S1", "NGC 1")
    assert result.verdict is BurstVerdict.UNCATALOGUED
    assert result.associations == ()
    assert [(answer.ra_deg, answer.dec_deg) for answer in result.catalogues] == [
        (BURST.position.ra_deg, BURST.position.dec_deg)
    ]


def test_one_source_is_looked_up_once_and_has_no_list() -> None:
    catalogue = Asked(0.0, 0.0)
    result = crosscheck_positions([], field((BURST,)), NO_GP, catalogues=catalogue)
    assert len(catalogue.cones) == 1
    assert result.identities == ()


def test_a_source_around_which_nothing_was_asked_is_not_checked() -> None:
    result = crosscheck_positions([], field(), NO_GP)
    assert not any(one.checked for one in result.identities)


def test_the_position_of_the_packets_counts_where_no_notice_of_mxt_has_one() -> None:
    packets = place(155.5, -21.0, 60.0, Origin.MXT_ONBOARD, "QPO_MXT S1", reference="QPO_MXT")
    judged = OnboardJudgement(position=packets, verdict=OnboardVerdict.SUPPORTED, explanation="-")
    ours = localisation_of(place(155.5, -21.0, 40.0, Origin.MXT_VHF, "photons"), onboard=(judged,))
    alone = crosscheck_positions([WAKEUP], ours, NO_GP)
    assert [position.label for position in alone.positions] == ["eclairs-wakeup", "QPO_MXT S1", "photons"]
    announced = crosscheck_positions([WAKEUP, INITIAL], ours, NO_GP)
    assert [position.label for position in announced.positions] == [
        "eclairs-wakeup",
        "mxt-initial_qf3",
        "photons",
    ]

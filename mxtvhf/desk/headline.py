"""The candidates for the position of a burst, each with its evidence, for the top of its page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from mxtvhf.analysis.model import measurement_text
from mxtvhf.crosscheck.model import PositionPair, Verdict
from mxtvhf.models.galactic import galactic_text
from mxtvhf.models.position import Origin, Position, current_positions
from mxtvhf.reporting.report.model import Report


@dataclass(frozen=True)
class Candidate:
    """A candidate for the position of the burst."""

    position: Position
    pair: PositionPair | None
    """Comparison with the position in the headline; None for that position itself."""
    evidence: tuple[str, ...]
    """Significance, counts, flux, decay of the source at this position."""

    @property
    def galactic(self) -> str:
        """Galactic coordinates as text."""
        return galactic_text(self.position.ra_deg, self.position.dec_deg)


def candidates(report: Report, best: Position) -> tuple[Candidate, ...]:
    """Return the position in the headline, followed by the current ones that contradict it.

    Parameters
    ----------
    report
        Report of a run.
    best
        The position in the headline.
    """
    current = current_positions(report.positions)
    shown = list(evidence(report, best))
    if best.origin is not Origin.MXT_VHF and (own := current.get(Origin.MXT_VHF)):
        pair = pair_of(report, own, best)
        # GP and VT publish no significance. Photons from there are evidence, even if both use the same ones.
        words = "; ".join(islice(_photon_evidence(report), 2))
        if words and pair is not None and pair.verdict in (Verdict.CONSISTENT, Verdict.NOT_INDEPENDENT):
            shown.append(f"VHF photons there: {words}")
    found = [Candidate(position=best, pair=None, evidence=tuple(shown))]
    for position in current.values():
        pair = pair_of(report, position, best)
        if pair is not None and pair.verdict is Verdict.INCONSISTENT:
            found.append(Candidate(position=position, pair=pair, evidence=tuple(evidence(report, position))))
    return tuple(found)


def pair_of(report: Report, first: Position, second: Position) -> PositionPair | None:
    """Return the comparison of two positions of a report; None if they were not compared."""
    labels = {first.label, second.label}
    return next((pair for pair in report.crosscheck if {pair.first, pair.second} == labels), None)


def evidence(report: Report, position: Position) -> Iterator[str]:
    """Yield the evidence for a position: from the photons for our own one, else from its notice."""
    if position.origin is Origin.MXT_VHF:
        yield from _photon_evidence(report)
        return
    notices = (report.alert, *report.related)
    notice = next((one for one in notices if one.notice_type == position.label), None)
    if notice is not None and notice.snr is not None:
        yield f"SNR {'>= ' if notice.snr_saturated else ''}{notice.snr:.3g}"


def _photon_evidence(report: Report) -> Iterator[str]:
    found, analysis = report.localisation, report.analysis
    if found is None or not found.detected:
        return
    yield f"{found.ts**0.5:.0f} sigma (TS {found.ts:.0f})"
    span = f" in {found.exposure_s:.0f} s" if found.exposure_s else ""
    yield f"{found.n_source:.0f} source photons on {found.n_background:.0f} background{span}"
    if analysis is None:
        return
    if fit := analysis.spectrum:
        low, high = fit.flux_band_kev
        doubt = "" if fit.trusted else ", unreliable"
        yield f"flux {measurement_text(fit.flux, 'erg/cm2/s')} ({low:g}-{high:g} keV, observed{doubt})"
    if analysis.light_curve and (decay := analysis.light_curve.decay):
        yield f"decay index {measurement_text(decay.index)}"

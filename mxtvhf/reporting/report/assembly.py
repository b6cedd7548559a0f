"""Put a report together from what a run found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mxtvhf import __version__
from mxtvhf.analysis.model import SourceAnalysis
from mxtvhf.crosscheck import BurstVerdict, CrossCheck, compare, crosscheck_settings
from mxtvhf.crosscheck.model import PositionPair, Verdict
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.constants import instrument
from mxtvhf.instrument.time import utc_from_met
from mxtvhf.models.angles import angle_text, declination_text, right_ascension_text
from mxtvhf.models.position import Origin, Position, current_positions
from mxtvhf.models.product import Product
from mxtvhf.models.times import TimelineEntry
from mxtvhf.notices.burst import burst_trigger_time
from mxtvhf.reporting.report.model import AlertSummary, PhotonSummary, Report, ReportStatus, RunRecord

REFERENCE_GP = (
    "GP is the reference service: the same method, our photons among its own, no independent confirmation."
)


def build_report(
    run: RunRecord,
    crosscheck: CrossCheck,
    *,
    status: ReportStatus,
    photons: PhotonList | None,
    plots: dict[str, Product],
    written: datetime,
) -> Report:
    """Assemble the report of a run.

    Parameters
    ----------
    run
        What the run was given and did.
    crosscheck
        The comparison of all positions.
    status
        ``preliminary`` or ``final``.
    photons
        The decoded photons; None when there are none at hand.
    plots
        The plots already written.
    written
        The moment of the report, UTC.

    Returns
    -------
    Report
        The same for the same input, always.
    """
    alerts = (run.alert, *run.related)
    trigger = burst_trigger_time(alerts)
    summary = photon_summary(photons)
    is_test = run.alert.is_test
    is_retracted = any(alert.is_retraction for alert in alerts)
    marks = ["TEST"] * is_test + ["REPLAY"] * run.is_replay + ["RETRACTED"] * is_retracted
    return Report(
        burst_id=run.alert.burst_id,
        run_id=run.run_id,
        sequence=run.sequence,
        status=status,
        is_test=is_test,
        is_retracted=is_retracted,
        is_replay=run.is_replay,
        written=written,
        headline=" · ".join(marks + _headline(run, crosscheck, summary, trigger)),
        best_position=crosscheck.best,
        best_reason=crosscheck.best_reason,
        positions=crosscheck.positions,
        crosscheck=crosscheck.pairs,
        claims=crosscheck.claims,
        verdict=crosscheck.verdict,
        verdict_reason=crosscheck.verdict_reason,
        catalogues=crosscheck.catalogues,
        associations=crosscheck.associations,
        flags=crosscheck.flags,
        gp=crosscheck.gp,
        localisation=run.localisation,
        analysis=run.analysis,
        packets=run.packets,
        photons=summary,
        products=dict(sorted({**run.products, **plots}.items())),
        timeline=_timeline(run, summary, trigger, written),
        trigger_time=trigger,
        alert=AlertSummary.of(run.alert),
        related=tuple(AlertSummary.of(alert) for alert in run.related),
        warnings=tuple(_warnings(run, crosscheck)),
        calibration=_calibration(run),
        version=__version__,
    )


def photon_summary(photons: PhotonList | None) -> PhotonSummary | None:
    """Count and first and last moment of the photons."""
    if photons is None:
        return None
    if not len(photons):
        return PhotonSummary(count=0, first=None, last=None)
    first, last = float(photons.time.min()), float(photons.time.max())
    return PhotonSummary(count=len(photons), first=utc_from_met(first), last=utc_from_met(last))


def radius_text(position: Position) -> str:
    """Write the 90 % radius with its parts: ``48.0" (stat 41.0", sys 25.0")``."""
    if position.r90_arcsec is None:
        return "unknown"
    if position.r90_stat_arcsec is None:
        return angle_text(position.r90_arcsec)
    parts = f"stat {angle_text(position.r90_stat_arcsec)}, sys {angle_text(position.r90_sys_arcsec)}"
    return f"{angle_text(position.r90_arcsec)} ({parts})"


def _headline(
    run: RunRecord, crosscheck: CrossCheck, photons: PhotonSummary | None, trigger: datetime | None
) -> list[str]:
    best = crosscheck.best
    parts = [f"{run.alert.burst_id} #{run.sequence}"]
    if best is None:
        parts.append("no position")
    else:
        parts.append(f"RA {right_ascension_text(best.ra_deg)} Dec {declination_text(best.dec_deg)}")
        parts.append(f"{best.ra_deg:.4f} {best.dec_deg:+.4f} deg")
        parts.append(f"R90 {radius_text(best)}")
        parts.append(f"{best.origin} {best.label}")
    if photons is not None:
        parts.append(_photons_text(photons, trigger))
    parts.append(_verdict_text(crosscheck))
    if crosscheck.catalogues:
        parts.append(_burst_text(crosscheck))
    return parts


def _photons_text(photons: PhotonSummary, trigger: datetime | None) -> str:
    text = "1 photon" if photons.count == 1 else f"{photons.count} photons"
    if trigger is None or photons.first is None or photons.last is None:
        return text
    since = [(moment - trigger).total_seconds() for moment in (photons.first, photons.last)]
    return f"{text} T0{since[0]:+.0f} s to T0{since[1]:+.0f} s"


def versus_eclairs(best: Position | None, positions: Sequence[Position]) -> PositionPair | None:
    """Compare the best position with the latest ECLAIRs one; None where that makes no sense."""
    eclairs = current_positions(positions).get(Origin.ECLAIRS)
    if best is None or best.origin is Origin.ECLAIRS or eclairs is None:
        return None
    return compare(best, eclairs)


def _verdict_text(crosscheck: CrossCheck) -> str:
    """Say how the best position compares with the latest ECLAIRs one."""
    best = crosscheck.best
    if best is None:
        return "nothing to compare"
    if best.origin is Origin.ECLAIRS:
        refused = any(pair.verdict is Verdict.INCONSISTENT for pair in crosscheck.pairs)
        return "another position is inconsistent with it" if refused else "no better position"
    pair = versus_eclairs(best, crosscheck.positions)
    if pair is None:
        return "no ECLAIRs position to compare with"
    return f"{pair.verdict} with ECLAIRs, {angle_text(pair.separation_arcsec)} away"


def _burst_text(crosscheck: CrossCheck) -> str:
    """Give the verdict about the burst; the source's name where it is known."""
    if crosscheck.verdict is not BurstVerdict.KNOWN_SOURCE or not crosscheck.best:
        return str(crosscheck.verdict)
    name = next(one.source for one in crosscheck.associations if one.position == crosscheck.best.label)
    return f"{crosscheck.verdict} {name}"


def _timeline(
    run: RunRecord, photons: PhotonSummary | None, trigger: datetime | None, written: datetime
) -> tuple[TimelineEntry, ...]:
    moments = [(entry.name, entry.time) for entry in run.timeline]
    moments += [
        (f"notice_published {alert.notice_type}", alert.published)
        for alert in (run.alert, *run.related)
        if alert.published is not None
    ]
    if trigger is not None:
        moments.append(("trigger", trigger))
    if photons is not None and photons.first is not None and photons.last is not None:
        moments += [("first_photon", photons.first), ("last_photon", photons.last)]
    moments.append(("report_written", written))
    moments.sort(key=lambda moment: (moment[1], moment[0]))
    return tuple(
        TimelineEntry(
            name=name,
            time=time,
            seconds_after_trigger=None if trigger is None else round((time - trigger).total_seconds(), 3),
        )
        for name, time in moments
    )


def _warnings(run: RunRecord, crosscheck: CrossCheck) -> list[str]:
    """Collect what a reader must know before trusting the result."""
    found = [f"{warning[0].upper()}{warning[1:]}." for warning in run.warnings]
    localisation = run.localisation
    if localisation is None:
        found.append("No position was derived from the VHF photons: the localisation has no result.")
    elif not localisation.detected:
        found.append(f"No source was found in the VHF photons: {localisation.reason or 'no reason given'}.")
    found += _analysis_warnings(run.analysis)
    if crosscheck.gp.is_reference:
        found.append(REFERENCE_GP)
    found += [pair.explanation for pair in crosscheck.pairs if pair.verdict is Verdict.INCONSISTENT]
    found += crosscheck.flags
    found += [
        f"{claim.ivorn}: Source_Name {claim.published} is contradicted: {claim.explanation}."
        for claim in crosscheck.claims
        if claim.claim == "Source_Name" and claim.agrees is False
    ]
    found += [
        f"{alert.notice_type}: SNR {alert.snr:g} is the largest number the notice can hold."
        for alert in (run.alert, *run.related)
        if alert.snr_saturated and alert.snr is not None
    ]
    if run.assumed_calibration:
        found.append(f"Assumed calibration, no public source: {', '.join(run.assumed_calibration)}.")
    return found


def _analysis_warnings(analysis: SourceAnalysis | None) -> list[str]:
    fit = analysis.spectrum if analysis else None
    if fit is None or fit.trusted:
        return []
    return [f"The spectral fit cannot be trusted: {'; '.join(fit.doubts)}."]


def _calibration(run: RunRecord) -> dict[str, str]:
    items = {"instrument": instrument().version, "crosscheck": crosscheck_settings().version}
    items |= run.calibration
    items |= run.localisation.calibration if run.localisation else {}
    items |= run.analysis.calibration if run.analysis else {}
    return dict(sorted(items.items()))

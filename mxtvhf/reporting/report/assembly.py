"""Assemble a report from the results of a run."""

from __future__ import annotations

from datetime import datetime

from mxtvhf import __version__
from mxtvhf.analysis.constants import analysis_constants
from mxtvhf.analysis.model import SourceAnalysis
from mxtvhf.archive.products import ReportStatus
from mxtvhf.crosscheck.model import CrossCheck, Verdict
from mxtvhf.crosscheck.settings import crosscheck_settings
from mxtvhf.events.model import PatternCounts
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.constants import instrument
from mxtvhf.instrument.pixels import blocks_text, lines_text
from mxtvhf.instrument.time import utc_from_met
from mxtvhf.localisation.model import DetectorFaults, OnboardVerdict
from mxtvhf.models.angles import radius_text
from mxtvhf.models.position import Origin, Position
from mxtvhf.models.times import TimelineEntry, duration_text
from mxtvhf.notices.burst import burst_trigger_time
from mxtvhf.reporting.report.model import AlertSummary, PhotonSummary, Report, RunRecord
from mxtvhf.reporting.report.sources import source_warnings
from mxtvhf.reporting.report.verdict import is_best, verdict_line

REFERENCE_GP = (
    "GP is the reference GP, not independent: it uses the same method on data that include our photons."
)

CLOCK_TOLERANCE_S = 1.0
"""Time after the report, in seconds, up to which a photon is not reported as one of the future."""

BACKGROUND_UNLIKE = (
    "The photons do not match the calibrated background spectrum, so the background was fitted to these "
    "photons alone. The calibration file of the background may be out of date."
)


def build_report(
    run: RunRecord,
    crosscheck: CrossCheck,
    *,
    status: ReportStatus,
    photons: PhotonList | None,
    written: datetime,
) -> Report:
    """Return the report of a run.

    Parameters
    ----------
    run
        Input and results of the run.
    crosscheck
        The comparison of all positions.
    status
        ``preliminary`` or ``final``.
    photons
        All reconstructed events, including those outside the GTI; None without an event file.
    written
        Time of the report, UTC.

    Returns
    -------
    Report
        The same input always gives the same report.
    """
    alerts = (run.alert, *run.related)
    trigger = burst_trigger_time(alerts)
    summary = photon_summary(photons, run.patterns)
    is_test = run.alert.is_test
    is_retracted = any(alert.is_retraction for alert in alerts)
    report = Report(
        burst_id=run.alert.burst_id,
        run_id=run.run_id,
        sequence=run.sequence,
        status=status,
        is_test=is_test,
        is_retracted=is_retracted,
        is_replay=run.is_replay,
        written=written,
        headline="",
        best_position=crosscheck.best,
        best_reason=crosscheck.best_reason,
        positions=crosscheck.positions,
        crosscheck=crosscheck.pairs,
        claims=crosscheck.claims,
        verdict=crosscheck.verdict,
        verdict_reason=crosscheck.verdict_reason,
        catalogues=crosscheck.catalogues,
        associations=crosscheck.associations,
        identities=crosscheck.identities,
        other_missions=run.other_missions,
        joint_position=run.joint_position,
        flags=crosscheck.flags,
        gp=crosscheck.gp,
        localisation=run.localisation,
        analysis=run.analysis,
        packets=run.packets,
        lost=run.lost,
        photons=summary,
        products=dict(sorted(run.products.items())),
        timeline=_timeline(run, summary, trigger, written),
        trigger_time=trigger,
        alert=AlertSummary.of(run.alert),
        related=tuple(AlertSummary.of(alert) for alert in run.related),
        warnings=(*_clock_warnings(summary, written), *_warnings(run, crosscheck)),
        calibration=_calibration(run),
        version=__version__,
    )
    return report.model_copy(
        update={
            "headline": headline(report, report.best_position),
            "warnings": (*source_warnings(report), *report.warnings),
        }
    )


def photon_summary(photons: PhotonList | None, patterns: PatternCounts | None = None) -> PhotonSummary | None:
    """Return the summary of the photons; None without an event file."""
    if photons is None:
        return None
    if not len(photons):
        return PhotonSummary(count=0, first=None, last=None, patterns=patterns)
    first, last = float(photons.time.min()), float(photons.time.max())
    return PhotonSummary(
        count=len(photons), first=utc_from_met(first), last=utc_from_met(last), patterns=patterns
    )


def position_radius_text(position: Position) -> str:
    """Format R90 with its parts: ``48" (stat 41", sys 25")``."""
    if position.r90_arcsec is None:
        return "unknown"
    if position.r90_stat_arcsec is None:
        return radius_text(position.r90_arcsec)
    total = position.r90_arcsec
    stat, sys = (
        radius_text(one, beside=total) for one in (position.r90_stat_arcsec, position.r90_sys_arcsec)
    )
    return f"{radius_text(total)} (stat {stat}, sys {sys})"


def headline(report: Report, position: Position | None) -> str:
    """Return the result in one line, for one of the report's positions.

    Parameters
    ----------
    report
        Report of a run.
    position
        The recommended position or another one; None if there is none.
    """
    marks = ["TEST"] * report.is_test + ["REPLAY"] * report.is_replay + ["RETRACTED"] * report.is_retracted
    parts = [*marks, f"{report.burst_id} update {report.sequence}"]
    if position is None:
        parts.append("no position")
    else:
        parts.append("RA {} Dec {}".format(*position.sexagesimal_text))
        parts.append("{} {} deg".format(*position.degrees_text))
        parts.append(f"R90 {position_radius_text(position)}")
        parts.append(position.name)
    # The number of photons belongs to the position from them, and to the recommended one.
    is_theirs = position is None or position.origin is Origin.MXT_VHF or is_best(report, position)
    if report.photons is not None and is_theirs:
        parts.append(_photons_text(report.photons, report.trigger_time))
    parts.append(verdict_line(report, position))
    return " · ".join(parts)


def _photons_text(photons: PhotonSummary, trigger: datetime | None) -> str:
    text = "1 photon" if photons.count == 1 else f"{photons.count} photons"
    if trigger is None or photons.first is None or photons.last is None:
        return text
    since = [(moment - trigger).total_seconds() for moment in (photons.first, photons.last)]
    return f"{text} T0{since[0]:+.0f} s to T0{since[1]:+.0f} s"


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
    """Return the caveats of the result."""
    found = [f"{warning[0].upper()}{warning[1:]}." for warning in run.warnings]
    found += [
        f"{alert.notice_type}: {warning}."
        for alert in (run.alert, *run.related)
        for warning in alert.warnings
    ]
    localisation = run.localisation
    if localisation is None:
        found.append("The VHF photons were not localised: the localisation has no result.")
    elif not localisation.detected:
        found.append(f"No source was detected in the VHF photons: {localisation.reason or 'reason unknown'}.")
    if localisation is not None:
        found += _fault_warnings(localisation.faults)
        found += [
            f"The {kind} distribution of the photons matches no mixture of known background and sources; it "
            "was not used for the position."
            for kind in localisation.not_used
            if kind != "background"
        ]
        if "background" in localisation.not_used:
            found.append(BACKGROUND_UNLIKE)
    found += [
        judged.explanation
        for judged in (localisation.onboard if localisation else ())
        if judged.verdict is OnboardVerdict.CONTRADICTED and not judged.known_source
    ]
    found += _analysis_warnings(run.analysis)
    if crosscheck.gp.is_reference:
        found.append(REFERENCE_GP)
    found += [pair.explanation for pair in crosscheck.pairs if pair.verdict is Verdict.INCONSISTENT]
    found += crosscheck.flags
    found += [
        f"{claim.ivorn}: the published Source_Name {claim.published} is wrong: {claim.explanation}."
        for claim in crosscheck.claims
        if claim.claim == "Source_Name" and claim.agrees is False
    ]
    found += [
        f"{alert.notice_type}: SNR {alert.snr:g} is the maximum of the notice; the true one may be larger."
        for alert in (run.alert, *run.related)
        if alert.snr_saturated and alert.snr is not None
    ]
    if run.assumed_calibration:
        found.append(f"Placeholder calibration: {', '.join(run.assumed_calibration)}.")
    return found


def _clock_warnings(photons: PhotonSummary | None, written: datetime) -> list[str]:
    """Return a warning about photons that are later than their report."""
    if photons is None or photons.last is None:
        return []
    ahead = (photons.last - written).total_seconds()
    if ahead < CLOCK_TOLERANCE_S:
        return []
    return [
        f"The last photon is {duration_text(ahead)} in the future: check the clock of this machine and the "
        "time of the satellite."
    ]


def _fault_warnings(faults: DetectorFaults) -> list[str]:
    """Return warnings about detector faults larger than a pixel; hot pixels are counted elsewhere."""
    found = []
    if faults.noisy_lines:
        lines = lines_text(faults.noisy_lines)
        found.append(
            f"The detector is noisy in {lines}, which is narrower than any source; the photons were excluded."
        )
    dead = ", ".join(filter(None, (lines_text(faults.dead_lines), blocks_text(faults.dead_blocks))))
    if dead:
        found.append(
            f"The detector counts too few photons in {dead}, which the calibration does not list; this area "
            "was excluded."
        )
    return found


def _analysis_warnings(analysis: SourceAnalysis | None) -> list[str]:
    found = []
    others = analysis.regions.others_fraction if analysis and analysis.regions else None
    if others is not None and abs(others) >= analysis_constants().others.told_from:
        found.append(
            f"Other sources change the net counts of the burst by about {100.0 * others:+.0f} %; rate, flux "
            "and spectrum are corrected for this."
        )
    fit = analysis.spectrum if analysis else None
    if fit is not None and not fit.trusted:
        found.append(f"The spectral fit is unreliable: {'; '.join(fit.doubts)}.")
    return found


def _calibration(run: RunRecord) -> dict[str, str]:
    items = {"instrument": instrument().version, "crosscheck": crosscheck_settings().version}
    items |= run.calibration
    items |= run.localisation.calibration if run.localisation else {}
    items |= run.analysis.calibration if run.analysis else {}
    return dict(sorted(items.items()))

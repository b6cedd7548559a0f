"""Step ``vhf_localisation``: determine the source position from the event file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mxtvhf.analysis.powerlaw import PowerLaw
from mxtvhf.errors import InvalidInput
from mxtvhf.events.drift_corrected import DriftCorrectedPhotons
from mxtvhf.events.event_file import EventFile, read_event_file
from mxtvhf.instrument.calibration import Calibration, CalibrationStore, Gain, packaged_store
from mxtvhf.instrument.constants import instrument, pixel_scale_arcsec
from mxtvhf.instrument.pixels import RawMask
from mxtvhf.instrument.pointing import Pointing
from mxtvhf.instrument.psf import LobsterEyePsf, detector_pixels
from mxtvhf.instrument.time import met_from_utc, utc_from_met
from mxtvhf.localisation.background import (
    BackgroundDensities,
    background_courses,
    background_groups,
    background_spectra,
    background_vignetting,
    known_background,
)
from mxtvhf.localisation.choice import choose_burst
from mxtvhf.localisation.constants import detection_constants, population
from mxtvhf.localisation.detector_faults import find_detector_faults
from mxtvhf.localisation.misfit import energies_are_expected, times_are_expected
from mxtvhf.localisation.model import CredibleRegion, DetectorFaults, FluxLimit, Localisation
from mxtvhf.localisation.onboard import judge_onboard, onboard_constants, unjudged
from mxtvhf.localisation.photon_weights import (
    energy_weights,
    expected_shares,
    expected_spectra,
    joint_weights,
    time_weights,
)
from mxtvhf.localisation.position import (
    SourceLocalisation,
    least_photons,
    localise,
    needed_ts_of,
)
from mxtvhf.localisation.prior import PositionPrior
from mxtvhf.localisation.sky_products import SIGMA_PER_R90, Observed, write_sky_files
from mxtvhf.localisation.source_products import write_source_files
from mxtvhf.localisation.stretch import best_stretch
from mxtvhf.localisation.upper_limit import flux_limits, population_flux_limit
from mxtvhf.models.product import Product
from mxtvhf.models.text import escaped
from mxtvhf.notices.alert import Alert
from mxtvhf.notices.burst import burst_trigger_time, eclairs_position
from mxtvhf.workflow.steps.located_sources import bright_sources_of, core_fwhm, located_sources
from mxtvhf.workflow.steps.onboard_positions import onboard_claims
from mxtvhf.workflow.steps.photons_extraction import Extraction

Bools = npt.NDArray[np.bool_]


def vhf_localisation(
    event_file: Path | str,
    out: Path | str | None = None,
    *,
    alerts: Sequence[Alert] = (),
    onboard: Path | str | None = None,
    store: CalibrationStore | None = None,
) -> Localisation:
    """Localise the source with the photons of an event file in the instrument's energy band.

    The likelihood uses the photons' positions, energies and arrival times. The ECLAIRs position is used as a
    prior only if the photons alone show no source in its error circle, so that a detection remains
    independent of ECLAIRs. Bad and hot pixels are excluded in raw coordinates, then the photons are
    drift-corrected to the mean pointing. The total R90 is the quadratic sum of the statistical one and the
    systematic one of the alignment. The time of the position is that of the last photon.

    Parameters
    ----------
    event_file
        FITS event list as written by ``fits_feed``.
    out
        Product folder of the sky map and the source list of a detection, see
        ``mxtvhf.localisation.sky_products`` and ``source_products``; None to write none.
    alerts
        Notices of the burst, which give T0, the ECLAIRs position, and on-board positions to verify.
    onboard
        File QPO_MXT with the positions in the position packets; None without any.
    store
        Calibration files valid at the start of the observation are used; by default those of the package.

    Returns
    -------
    Localisation
        Without a significant source it has no position, but a reason and, if there are photons, an upper
        limit.

    Raises
    ------
    InvalidInput
        The file is unreadable, contains an invalid pixel address, or no calibration is valid at that time.
    """
    event_file, out = Path(event_file), None if out is None else Path(out)
    events = read_event_file(event_file)
    calibration = (store or packaged_store()).at(utc_from_met(events.tstart))
    in_use = in_band(events.photons.pha, calibration.gain)
    photons, faults = usable_photons(events, calibration)
    facts: dict[str, Any] = {
        "n_photons": int(in_use.sum()),
        "hot_pixels": faults.hot_pixels,
        "noisy_lines": faults.noisy_lines,
        "dead_lines": faults.dead_lines,
        "dead_blocks": faults.dead_blocks,
        "n_left_out": faults.n_photons,
        "exposure_s": events.exposure_s,
        "observed": _observed(events),
        "data_stream": events.header["DSTREAM"],
        "calibration": _versions(calibration),
    }
    pointing = replace(events.pointing, alignment=calibration.alignment)
    claims = onboard_claims(alerts, onboard, pointing)
    nothing = _why_nothing(events, facts["n_photons"], photons, faults.text())
    if nothing is not None:
        facts["onboard"] = unjudged(claims, nothing)
        return not_localised(f"{escaped(event_file.name)}: {nothing}", **facts)
    evidence = _Evidence.of(events, photons, calibration, _trigger_met(alerts))
    try:
        prior = _eclairs_prior(alerts, pointing)
        found = _locate(evidence, calibration, prior, pointing)
    except InvalidInput as error:
        raise InvalidInput(f"{escaped(event_file.name)}: {error}") from None
    facts |= {
        "ts": found.ts, "places_ts": found.places_ts, "n_source": found.n_source,
        "n_background": found.n_background, "uses": _uses(evidence, found),
        "not_used": _not_used(evidence, found),
    }  # fmt: skip
    if not found.detected:
        facts["onboard"] = judge_onboard(found, claims)
        return _no_source(found, events.exposure_s, calibration, faults, facts)
    sources = located_sources(found, pointing, events, calibration, alerts)
    burst, choice = choose_burst(sources)
    by_name = {source.name: one for source, one in zip(sources, (found, *found.others), strict=True)}
    chosen = by_name.pop(burst.name)
    regions: tuple[CredibleRegion, ...] = ()
    products: dict[str, Product] = {}
    if out is not None and chosen.posterior is not None:
        observed = Observed.of(events, _versions(calibration))
        regions, products = write_sky_files(out, chosen.posterior, pointing, burst.position, observed)
        products |= write_source_files(out, sources, burst.name, observed)
    # The photons of the other sources are listed with them, not as background.
    others = sum(source.n_source for source in sources if source is not burst)
    facts |= {
        "onboard": judge_onboard(chosen, claims, by_name),
        "uses": _uses(evidence, chosen),
        "ts": chosen.ts,
        "places_ts": chosen.places_ts,
        "n_source": chosen.n_source,
        "n_background": max(chosen.n_background - others, 0.0),
    }
    return Localisation(
        detected=True,
        position=burst.position,
        r50_arcsec=chosen.r50,
        detector_x=chosen.x,
        detector_y=chosen.y,
        core_fwhm_arcmin=core_fwhm(chosen, calibration),
        sources=sources,
        chosen=burst.name,
        choice=choice,
        regions=regions,
        products=products,
        **facts,
    )


def usable_photons(
    events: EventFile, calibration: Calibration
) -> tuple[DriftCorrectedPhotons, DetectorFaults]:
    """Return the drift-corrected photons in the energy band on usable pixels, and the detector faults.

    Bad pixels of the calibration and detector faults found in the photons are excluded in raw coordinates.

    Parameters
    ----------
    events
        The event file.
    calibration
        Calibration with bad pixels, gain and alignment.
    """
    bad = calibration.bad_pixels.mask()
    seen = events.photons.selected(in_band(events.photons.pha, calibration.gain))
    faults = find_detector_faults(seen.x, seen.y, ~bad, seen.time)
    usable = RawMask(~(bad | faults.mask()))
    photons = events.drift_corrected_photons(usable, calibration.alignment)
    return photons.selected(in_band(photons.pha, calibration.gain)), faults


def not_localised(reason: str, *, n_photons: int = 0, **facts: Any) -> Localisation:
    """Return the result without a localisation, because no photon is usable.

    Parameters
    ----------
    reason
        Why no photon is usable.
    n_photons
        Number of photons in the energy band.
    **facts
        Further fields of the result.
    """
    return Localisation(
        detected=False, position=None, r50_arcsec=None, detector_x=None, detector_y=None, ts=0.0,
        n_photons=n_photons, n_source=0.0, n_background=0.0, reason=reason, **facts,
    )  # fmt: skip


def unplaced_localisation(extraction: Extraction, alerts: Sequence[Alert]) -> Localisation:
    """Return the result for an unknown pointing, with which no photon can be placed on the sky.

    Parameters
    ----------
    extraction
        Result of ``photons_extraction``, which is ``unplaced``.
    alerts
        Notices of the burst, whose on-board positions are listed without a verdict.
    """
    reason = str(extraction.unplaced)
    claims = onboard_claims(alerts, extraction.onboard_path)
    return not_localised(reason, onboard=unjudged(claims, reason))


@dataclass(frozen=True, eq=False)
class _Evidence:
    """The usable photons and the densities of their energies and times."""

    photons: DriftCorrectedPhotons
    weights: npt.NDArray[np.float64]
    """Photon weights, ``[source template, photon]``."""
    shares: npt.NDArray[np.float64]
    """Prior probability of each source template."""
    background: BackgroundDensities
    candidates: tuple[tuple[float, float], ...]
    """Pixel coordinates of a possible flare; empty where arrival times are not used."""
    uses: tuple[str, ...]
    not_used: tuple[str, ...]
    """See ``Localisation``."""

    @classmethod
    def of(
        cls,
        events: EventFile,
        photons: DriftCorrectedPhotons,
        calibration: Calibration,
        burst_time: float | None,
    ) -> _Evidence:
        energy = energy_weights(photons.pha, calibration)
        # A T0 after the start of the observation is wrong or belongs to another burst, so it is not used.
        known = burst_time is not None and burst_time < events.tstart
        if burst_time is None or not known:
            burst_time = events.tstart - population().usual_start_s
        fading = time_weights(photons.time, events.gti, burst_time)
        stretch = best_stretch(
            photons.x, photons.y, np.average(energy, axis=0, weights=expected_shares(decays=False)),
            photons.time, events.gti, photons.exposure, LobsterEyePsf.of(calibration.psf),
        )  # fmt: skip
        time, groups = np.vstack([fading, stretch.weights]), background_groups(calibration)
        spectra, known_parts = background_spectra(photons.pha, calibration), known_background(calibration)
        courses = background_courses(photons.time, events.gti, time)
        not_used = []
        # Energies or times that fit no known template carry no information: all photons get equal weights.
        if not energies_are_expected(photons.pha, calibration):
            energy, spectra, known_parts = np.ones_like(energy), np.ones_like(spectra), None
            not_used.append("energy")
        if not times_are_expected(photons.time, events.gti, burst_time, stretch):
            time, courses, known = np.ones_like(time), courses[:1], False
            not_used.append("time")
        uses = [use for use in ("energy", "time") if use not in not_used] + ["T0"] * known
        return cls(
            photons,
            joint_weights(energy, time),
            expected_shares(decays=True, stretch=stretch.share),
            BackgroundDensities(spectra, courses, groups, background_vignetting(calibration), known_parts),
            (stretch.position,) if "time" in uses else (),
            tuple(uses),
            tuple(not_used),
        )


def _observed(events: EventFile) -> tuple[datetime, datetime] | None:
    """Return the start and end of the good time, UTC; None without good time."""
    if not len(events.gti):
        return None
    return utc_from_met(float(events.gti[:, 0].min())), utc_from_met(float(events.gti[:, 1].max()))


def _why_nothing(events: EventFile, in_use: int, photons: DriftCorrectedPhotons, left_out: str) -> str | None:
    """Return why no photon is usable; None if there is one."""
    if not events.exposure_s > 0.0:
        return "there is no good time: the pointing was never stable while all photons were received"
    if not in_use:
        return f"none of its {len(events.photons)} photons is in the energy band"
    if not len(photons):
        return f"none of its {in_use} photons in the energy band is on a usable pixel{left_out}"
    return None


def _locate(
    evidence: _Evidence, calibration: Calibration, eclairs: PositionPrior | None, pointing: Pointing
) -> SourceLocalisation:
    """Find the sources; use the ECLAIRs position if the photons alone show no source in its circle."""
    photons = evidence.photons
    return localise(
        photons.x,
        photons.y,
        psf=LobsterEyePsf.of(calibration.psf),
        exposure=photons.exposure,
        weights=evidence.weights,
        shares=evidence.shares,
        background=evidence.background,
        known=[(x, y) for _, x, y in bright_sources_of(pointing)],
        circle=eclairs,
        candidates=evidence.candidates,
        find_hot_pixels=False,
    )


def _uses(evidence: _Evidence, source: SourceLocalisation) -> tuple[str, ...]:
    """Return the information used for a source position or for a non-detection."""
    background = ("background",) if source.with_known_background else ()
    return (*evidence.uses, *background, *(("ECLAIRs",) if source.with_prior else ()))


def _not_used(evidence: _Evidence, source: SourceLocalisation) -> tuple[str, ...]:
    """Return the available information that was not used."""
    dropped = evidence.background.known is not None and not source.with_known_background
    return (*evidence.not_used, "background") if dropped else evidence.not_used


def _eclairs_prior(alerts: Sequence[Alert], pointing: Pointing) -> PositionPrior | None:
    """Return the latest ECLAIRs position as a prior in pixels; None if it is off the detector."""
    position = eclairs_position(alerts)
    if position is None or position.r90_arcsec is None:
        return None
    x, y = (float(axis) for axis in pointing.sky_to_pixel(position.ra_deg, position.dec_deg))
    radius = position.r90_arcsec / pixel_scale_arcsec()
    if not (-radius <= x <= detector_pixels() + radius and -radius <= y <= detector_pixels() + radius):
        return None
    trust = detection_constants().eclairs.trust
    return PositionPrior(x, y, sigma=radius * SIGMA_PER_R90, trust=trust)


def _trigger_met(alerts: Sequence[Alert]) -> float | None:
    trigger = burst_trigger_time(alerts)
    return None if trigger is None else met_from_utc(trigger)


def in_band(pha: npt.NDArray[np.int32], gain: Gain) -> Bools:
    """Return True for pulse heights in the energy band of ``instrument/constants.toml``.

    Parameters
    ----------
    pha
        Pulse heights, channels.
    gain
        Gain of the calibration.
    """
    low, high = instrument().energy.band_kev
    energy = gain.energy(pha)
    return np.asarray((energy >= low) & (energy <= high))


def _no_source(
    found: SourceLocalisation,
    exposure_s: float,
    calibration: Calibration,
    faults: DetectorFaults,
    facts: dict[str, Any],
) -> Localisation:
    limit, evidence = found.upper_limit, found.evidence
    fluxes: tuple[FluxLimit, ...] = ()
    if evidence is not None and isfinite(limit):
        good = evidence.counts.area / detector_pixels() ** 2
        spectra = (PowerLaw(), *expected_spectra())
        fluxes = flux_limits(limit, exposure_s, spectra, calibration, good_part=good, prior=evidence.prior)
    return Localisation(
        detected=False,
        position=None,
        r50_arcsec=None,
        detector_x=None,
        detector_y=None,
        reason=_why_not(found, facts["n_photons"]) + _why_not_used(facts["not_used"]) + faults.text(),
        upper_limit_photons=limit if isfinite(limit) else None,
        upper_limit_flux=(
            population_flux_limit(fluxes[1:], expected_shares(decays=False)) if fluxes else None
        ),
        upper_limit_fluxes=fluxes,
        **facts,
    )


def _why_not(found: SourceLocalisation, photons: int) -> str:
    needed, needed_places = needed_ts_of(found)
    if found.ts >= needed and found.places_ts < needed_places:
        reason = (
            f"no significant source in {photons} photons: energies and times of {found.n_source:.0f} photons "
            f"suggest one (TS {found.ts:.1f}), but their positions do not (TS {found.places_ts:.1f} < "
            f"{needed_places:g}), so the background differs from the expected one; "
        )
    else:
        reason = (
            f"no significant source in {photons} photons: the best candidate has {found.n_source:.0f} "
            f"photons and TS {found.ts:.1f}, the threshold is {least_photons():g} photons and TS {needed:g}; "
        )
    if isfinite(found.upper_limit):
        reason += f"90 % upper limit: {found.upper_limit:.0f} photons"
    else:
        reason += "there are too few good pixels to set an upper limit"
    return reason


def _why_not_used(not_used: Sequence[str]) -> str:
    text = "; the background differs from that of past runs" if "background" in not_used else ""
    names = {"energy": "energies", "time": "times"}
    kinds = [name for use, name in names.items() if use in not_used]
    if kinds:
        text += f"; the photon {' and '.join(kinds)} fit no known background or source and were not used"
    return text


def _versions(calibration: Calibration) -> dict[str, str]:
    return {
        "instrument": instrument().version,
        "detection": detection_constants().version,
        "population": population().version,
        "onboard": onboard_constants().version,
        **calibration.versions(),
    }

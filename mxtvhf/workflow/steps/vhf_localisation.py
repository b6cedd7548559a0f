"""Step ``vhf_localisation``: from the event file to the source's place on the sky."""

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
from mxtvhf.localisation.detector_faults import DetectorFaults, find_detector_faults
from mxtvhf.localisation.misfit import energies_are_expected, times_are_expected
from mxtvhf.localisation.model import CredibleRegion, FluxLimit, Localisation
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
    """Locate the source by the photons of an event file in the instrument's energy band.

    Beside their places the photons' energies count and, where T0 is known, their arrival times. ECLAIRs'
    circle is asked only where they show no source in it by themselves: the position stays independent of it,
    so that the two can be compared. Bad and hot pixels are left out at their raw addresses; then, where the
    pointing moved, the photons are taken at the addresses that they would have had at the mean pointing. The
    total 90 % radius has the systematic one of the alignment added in quadrature; the position's time is that
    of the last photon.

    Parameters
    ----------
    event_file
        FITS event list as written by ``fits_feed``.
    out
        Product folder; gets the posterior on the sky and the list of sources, when one is found: see
        ``mxtvhf.localisation.sky_products`` and ``source_products``.
    alerts
        Notices of the burst: for T0, the ECLAIRs position, and the on-board positions to judge.
    onboard
        File QPO_MXT with the on-board positions of the position packets; None: none came.
    store
        The calibration files; those for the start of the observation are used. By default the package's.

    Returns
    -------
    Localisation
        Without a position when no source is significant: with the reason, and with an upper limit where there
        were photons to look at.

    Raises
    ------
    InvalidInput
        The file cannot be read, an address in it is not on the detector, or no calibration is valid then.
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
        "onboard": judge_onboard(found, claims, found.others),
    }  # fmt: skip
    if not found.detected:
        return _no_source(found, events.exposure_s, calibration, faults, facts)
    sources = located_sources(found, pointing, events, calibration, alerts)
    burst, choice = choose_burst(sources)
    chosen = (found, *found.others)[sources.index(burst)]
    regions: tuple[CredibleRegion, ...] = ()
    products: dict[str, Product] = {}
    if out is not None and chosen.posterior is not None:
        observed = Observed.of(events, _versions(calibration))
        regions, products = write_sky_files(out, chosen.posterior, pointing, burst.position, observed)
        products |= write_source_files(out, sources, burst.name, observed)
    # What is not of the chosen source is background or of the others.
    others = sum(source.n_source for source in sources if source is not burst)
    facts |= {
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
    """Return the photons in the energy band on usable pixels, and the faults that were found beside them.

    Bad pixels of the calibration and faults of the detector are left out at their raw addresses.
    """
    bad = calibration.bad_pixels.mask()
    seen = events.photons.selected(in_band(events.photons.pha, calibration.gain))
    faults = find_detector_faults(seen.x, seen.y, ~bad, seen.time)
    usable = RawMask(~(bad | faults.mask()))
    photons = events.drift_corrected_photons(usable, calibration.alignment)
    return photons.selected(in_band(photons.pha, calibration.gain)), faults


def not_localised(reason: str, *, n_photons: int = 0, **facts: Any) -> Localisation:
    """Return the result where there is no photon to look at.

    Parameters
    ----------
    reason
        Why.
    n_photons, facts
        Further fields of the result.
    """
    return Localisation(
        detected=False, position=None, r50_arcsec=None, detector_x=None, detector_y=None, ts=0.0,
        n_photons=n_photons, n_source=0.0, n_background=0.0, reason=reason, **facts,
    )  # fmt: skip


def unplaced_localisation(extraction: Extraction, alerts: Sequence[Alert]) -> Localisation:
    """Return the result where the pointing is not known, so that no photon can be placed on the sky."""
    reason = str(extraction.unplaced)
    claims = onboard_claims(alerts, extraction.onboard_path)
    return not_localised(reason, onboard=unjudged(claims, reason))


@dataclass(frozen=True, eq=False)
class _Evidence:
    """The photons to use, and what is known of each beside its place."""

    photons: DriftCorrectedPhotons
    weights: npt.NDArray[np.float64]
    """``[kind of source, photon]``."""
    shares: npt.NDArray[np.float64]
    """Probability of each kind beforehand."""
    background: BackgroundDensities
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
        # A T0 after the start of the observation belongs to another burst, or is wrong: it tells nothing.
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
        courses = background_courses(photons.time, events.gti, fading)
        not_used = []
        # What is like nothing known tells nothing: it is as if all photons had the same.
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
            tuple(uses),
            tuple(not_used),
        )


def _observed(events: EventFile) -> tuple[datetime, datetime] | None:
    """Return when the good time begins and ends, UTC; None without any."""
    if not len(events.gti):
        return None
    return utc_from_met(float(events.gti[:, 0].min())), utc_from_met(float(events.gti[:, 1].max()))


def _why_nothing(events: EventFile, in_use: int, photons: DriftCorrectedPhotons, left_out: str) -> str | None:
    """Tell why there is no photon to look at; None where there is one."""
    if not events.exposure_s > 0.0:
        return "there is no good time: at no moment was the pointing stable and every photon received"
    if not in_use:
        return f"none of its {len(events.photons)} photons is in the energy band"
    if not len(photons):
        return f"none of its {in_use} photons in the energy band is on a usable pixel{left_out}"
    return None


def _locate(
    evidence: _Evidence, calibration: Calibration, eclairs: PositionPrior | None, pointing: Pointing
) -> SourceLocalisation:
    """Find the sources; with ECLAIRs' circle where the photons alone show none in it."""
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
        find_hot_pixels=False,
    )


def _uses(evidence: _Evidence, source: SourceLocalisation) -> tuple[str, ...]:
    """Return what the position of a source, or that there is none, is made of."""
    background = ("background",) if source.with_known_background else ()
    return (*evidence.uses, *background, *(("ECLAIRs",) if source.with_prior else ()))


def _not_used(evidence: _Evidence, source: SourceLocalisation) -> tuple[str, ...]:
    """Return what is known, or was seen, but did not count."""
    dropped = evidence.background.known is not None and not source.with_known_background
    return (*evidence.not_used, "background") if dropped else evidence.not_used


def _eclairs_prior(alerts: Sequence[Alert], pointing: Pointing) -> PositionPrior | None:
    """Return the circle of the latest ECLAIRs notice on the detector; None where it is not near it."""
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
    """Tell which pulse heights (channels) lie in the energy band of ``instrument/constants.toml``."""
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
            f"no significant source in {photons} photons: energies and times of {found.n_source:.0f} of them "
            f"would fit one (ts {found.ts:.1f}), but their places do not (ts {found.places_ts:.1f}, needed "
            f"is {needed_places:g}), so the background is unlike what is expected of it; "
        )
    else:
        reason = (
            f"no significant source in {photons} photons: {found.n_source:.0f} of them at ts {found.ts:.1f}, "
            f"needed are {least_photons():g} at ts {needed:g}; "
        )
    if isfinite(found.upper_limit):
        reason += f"a source of more than {found.upper_limit:.0f} photons would have been found (90 % limit)"
    else:
        reason += "the good pixels are too few to tell any source from background"
    return reason


def _why_not_used(not_used: Sequence[str]) -> str:
    text = "; the photons are unlike the background of past runs" if "background" in not_used else ""
    kinds = [kind for kind in not_used if kind != "background"]
    if kinds:
        text += f"; {' and '.join(kinds)} of the photons are unlike all that is known and were not used"
    return text


def _versions(calibration: Calibration) -> dict[str, str]:
    return {
        "instrument": instrument().version,
        "detection": detection_constants().version,
        "population": population().version,
        "onboard": onboard_constants().version,
        **calibration.versions(),
    }

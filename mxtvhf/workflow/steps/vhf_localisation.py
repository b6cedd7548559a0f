"""Step ``vhf_localisation``: from the event file to the source's place on the sky."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import exp, hypot, isfinite, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mxtvhf.analysis.throughput import expected_counts
from mxtvhf.catalogues.bright import bright_sources
from mxtvhf.catalogues.model import CatalogueSource
from mxtvhf.errors import InvalidInput
from mxtvhf.events.drift_corrected import DriftCorrectedPhotons
from mxtvhf.events.event_file import EventFile, read_event_file
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.calibration import Calibration, CalibrationStore, Gain, packaged_store
from mxtvhf.instrument.constants import instrument, pixel_scale_arcsec
from mxtvhf.instrument.pixels import RawLine, RawMask, RawPixel, line_mask, lines_text, pixels_of
from mxtvhf.instrument.pointing import Pointing
from mxtvhf.instrument.psf import LobsterEyePsf, detector_pixels
from mxtvhf.instrument.time import met_from_utc, utc_from_met
from mxtvhf.localisation.background import (
    BackgroundDensities,
    background_courses,
    background_spectra,
)
from mxtvhf.localisation.choice import choose_burst
from mxtvhf.localisation.constants import detection_constants, population
from mxtvhf.localisation.hot_pixels import hot_pixels
from mxtvhf.localisation.model import CredibleRegion, Localisation, LocalisedSource
from mxtvhf.localisation.noisy_lines import noisy_lines
from mxtvhf.localisation.onboard import judge_onboard, onboard_constants, unjudged
from mxtvhf.localisation.photon_weights import (
    energy_weights,
    expected_shares,
    joint_weights,
    time_weights,
)
from mxtvhf.localisation.position import (
    SourceLocalisation,
    detector_image,
    least_photons,
    localise,
    ts_threshold,
)
from mxtvhf.localisation.prior import PositionPrior
from mxtvhf.localisation.sky_products import SIGMA_PER_R90, Observed, write_sky_files
from mxtvhf.localisation.stretch import Stretch, best_stretch
from mxtvhf.models.angles import separation_arcsec
from mxtvhf.models.position import Origin, Position
from mxtvhf.models.product import Product
from mxtvhf.models.text import escaped
from mxtvhf.notices.alert import Alert
from mxtvhf.notices.burst import burst_trigger_time, eclairs_position
from mxtvhf.workflow.steps.onboard_positions import onboard_claims
from mxtvhf.workflow.steps.photons_extraction import Extraction

Bools = npt.NDArray[np.bool_]

_MOST_BRIGHT = 20
"""Bright catalogued sources of a field."""
_R99_PER_R90_SQUARED = 2.0
"""Of a round Gaussian: ln 0.01 / ln 0.1."""


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
    circle is asked only where they show no source by themselves: the position stays independent of it, so
    that the two can be compared. Bad and hot pixels are left out at their raw addresses; then, where the
    pointing moved, the photons are taken at the addresses that they would have had at the mean pointing. The
    total 90 % radius has the systematic one of the alignment added in quadrature; the position's time is that
    of the last photon.

    Parameters
    ----------
    event_file
        FITS event list as written by ``fits_feed``.
    out
        Product folder; gets the posterior on the sky, see ``skyfiles``, when a source is found.
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
    bad = calibration.bad_pixels.mask()
    hot, lines = _faults(events.photons.selected(in_use), bad)
    usable = RawMask(~(bad | hot | line_mask(lines)))
    photons = events.drift_corrected_photons(usable, calibration.alignment)
    photons = photons.selected(in_band(photons.pha, calibration.gain))
    facts: dict[str, Any] = {
        "n_photons": int(in_use.sum()),
        "hot_pixels": pixels_of(hot),
        "noisy_lines": lines,
        "exposure_s": events.exposure_s,
        "observed": _observed(events),
        "data_stream": events.header["DSTREAM"],
        "calibration": _versions(calibration),
    }
    pointing = replace(events.pointing, alignment=calibration.alignment)
    claims = onboard_claims(alerts, onboard, pointing)
    nothing = _why_nothing(events, facts["n_photons"], photons, _left_out(facts["hot_pixels"], lines))
    if nothing is not None:
        facts["onboard"] = unjudged(claims, nothing)
        return not_localised(f"{escaped(event_file.name)}: {nothing}", **facts)
    evidence = _Evidence.of(events, photons, calibration, _trigger_met(alerts))
    try:
        prior = _eclairs_prior(alerts, pointing)
        found, uses = _locate(evidence, calibration, prior, pointing)
    except InvalidInput as error:
        raise InvalidInput(f"{escaped(event_file.name)}: {error}") from None
    facts |= {
        "ts": found.ts, "places_ts": found.places_ts, "n_source": found.n_source, "n_background":
        found.n_background, "uses": uses, "onboard": judge_onboard(found, claims, found.others),
    }  # fmt: skip
    if not found.detected:
        return _no_source(found, events.exposure_s, calibration, facts)
    sources = tuple(
        _source(f"S{number}", one, pointing, events, calibration, alerts)
        for number, one in enumerate((found, *found.others), start=1)
    )
    sources = _told_apart(sources, _core_fwhm(found, calibration))
    burst, choice = choose_burst(sources)
    chosen = (found, *found.others)[sources.index(burst)]
    regions: tuple[CredibleRegion, ...] = ()
    products: dict[str, Product] = {}
    if out is not None and chosen.posterior is not None:
        observed = Observed.of(events, _versions(calibration))
        regions, products = write_sky_files(out, chosen.posterior, pointing, burst.position, observed)
    facts |= {
        "ts": chosen.ts,
        "places_ts": chosen.places_ts,
        "n_source": chosen.n_source,
        "n_background": chosen.n_background,
    }
    return Localisation(
        detected=True,
        position=burst.position,
        r50_arcsec=chosen.r50,
        detector_x=chosen.x,
        detector_y=chosen.y,
        core_fwhm_arcmin=_core_fwhm(chosen, calibration),
        sources=sources,
        chosen=burst.name,
        choice=choice,
        regions=regions,
        products=products,
        **facts,
    )


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
    stretch: Stretch
    """Of the time, in which a source stands out most."""

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
        decays = burst_time is not None and burst_time < events.tstart
        fading = np.ones((1, len(photons)))
        if burst_time is not None and decays:
            fading = time_weights(photons.time, events.gti, burst_time)
        stretch = best_stretch(
            photons.x, photons.y, np.average(energy, axis=0, weights=expected_shares(decays=False)),
            photons.time, events.gti, photons.exposure, LobsterEyePsf.of(calibration.psf),
        )  # fmt: skip
        courses = background_courses(photons.time, events.gti, fading)
        return cls(
            photons,
            joint_weights(energy, np.vstack([fading, stretch.weights])),
            expected_shares(decays=decays, stretch=stretch.share),
            BackgroundDensities(background_spectra(photons.pha, calibration), courses),
            ("energy", "time", "T0") if decays else ("energy", "time"),
            stretch,
        )


def _observed(events: EventFile) -> tuple[datetime, datetime] | None:
    """Return when the good time begins and ends, UTC; None without any."""
    if not len(events.gti):
        return None
    return utc_from_met(float(events.gti[:, 0].min())), utc_from_met(float(events.gti[:, 1].max()))


def _faults(photons: PhotonList, bad: RawMask) -> tuple[RawMask, tuple[RawLine, ...]]:
    """Find the pixels that are hot, and the rows and columns that are noisy, in the photons in use."""
    if not len(photons):
        return RawMask(np.zeros_like(bad)), ()
    image = detector_image(photons.x, photons.y)
    hot = hot_pixels(image, ~bad)
    return RawMask(hot), noisy_lines(image, ~(bad | hot))


def _why_not(found: SourceLocalisation, photons: int) -> str:
    limits = detection_constants().source
    if found.ts >= limits.ts_threshold and found.places_ts < limits.places_ts_threshold:
        reason = (
            f"no significant source in {photons} photons: energies and times of {found.n_source:.0f} of them "
            f"would fit one (ts {found.ts:.1f}), but their places do not (ts {found.places_ts:.1f}, needed is "
            f"{limits.places_ts_threshold:g}), so the background is unlike what is expected of it; "
        )
    else:
        reason = (
            f"no significant source in {photons} photons: {found.n_source:.0f} of them at ts {found.ts:.1f}, "
            f"needed are {least_photons():g} at ts {ts_threshold():g}; "
        )
    if isfinite(found.upper_limit):
        reason += f"a source of more than {found.upper_limit:.0f} photons would have been found (90 % limit)"
    else:
        reason += "the good pixels are too few to tell any source from background"
    return reason


def _versions(calibration: Calibration) -> dict[str, str]:
    return {
        "instrument": instrument().version,
        "detection": detection_constants().version,
        "population": population().version,
        "onboard": onboard_constants().version,
        **calibration.versions(),
    }

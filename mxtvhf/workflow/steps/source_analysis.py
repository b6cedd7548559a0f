"""Step ``source_analysis``: measure light curve, hardness and spectrum of the localised source."""

from __future__ import annotations

from datetime import datetime
from math import sqrt
from pathlib import Path

from mxtvhf.analysis.constants import analysis_constants
from mxtvhf.analysis.galactic_column import GalacticColumn, galactic_column
from mxtvhf.analysis.light_curve_file import write_light_curve
from mxtvhf.analysis.measure import SourceMeasurements, measure_source, region_summary
from mxtvhf.analysis.model import SourceAnalysis
from mxtvhf.analysis.other_sources import OtherSource
from mxtvhf.analysis.powerlaw import PowerLaw
from mxtvhf.analysis.spectrum import ARF, RMF, write_spectra
from mxtvhf.errors import InvalidInput
from mxtvhf.events.event_file import EventFile, read_event_file
from mxtvhf.events.ogip import ProductHeader
from mxtvhf.events.ogip_response import write_arf, write_rmf
from mxtvhf.instrument.calibration import Calibration, CalibrationStore, packaged_store
from mxtvhf.instrument.pixels import RawMask
from mxtvhf.instrument.time import met_from_utc, utc_from_met
from mxtvhf.localisation.model import Localisation
from mxtvhf.models.product import Product
from mxtvhf.models.text import escaped

LIGHT_CURVE = "lightcurve.fits"


def source_analysis(
    event_file: Path | str,
    localisation: Localisation | None,
    out: Path | str,
    *,
    trigger_time: datetime | None,
    store: CalibrationStore | None = None,
) -> SourceAnalysis:
    """Measure the source of an event file and write its products.

    Parameters
    ----------
    event_file
        FITS event list as written by ``fits_feed``.
    localisation
        Result of ``vhf_localisation``; None if the step failed. The chosen source is measured. The others are
        excluded from the background region, and their remaining photons are subtracted.
    out
        Product folder of the new files ``lightcurve.fits``, ``spectrum.pha``, ``background.pha``,
        ``mxt.arf`` and ``mxt.rmf``.
    trigger_time
        T0 of the burst, UTC; None if unknown, which leaves out the decay index.
    store
        Calibration files valid at the start of the observation are used; by default those of the package.

    Returns
    -------
    SourceAnalysis
        ``analysed`` is False, with a reason and without products, if there is no source or no good time.

    Raises
    ------
    InvalidInput
        The file is unreadable, contains a non-finite time or an invalid pixel address, or no calibration is
        valid at that time.
    """
    if localisation is None or localisation.detector_x is None or localisation.detector_y is None:
        return SourceAnalysis(analysed=False, reason="there is no localised source")
    event_file, out = Path(event_file), Path(out)
    events = read_event_file(event_file)
    if not events.exposure_s > 0.0:
        return SourceAnalysis(analysed=False, reason=f"{escaped(event_file.name)} has no good time")
    calibration = (store or packaged_store()).at(utc_from_met(float(events.gti[0, 0])))
    usable = RawMask(~(calibration.bad_pixels.mask() | localisation.faults.mask()))
    photons = events.drift_corrected_photons(usable, calibration.alignment)
    try:
        found = measure_source(
            photons,
            events.gti,
            localisation.detector_x,
            localisation.detector_y,
            localisation.n_source,
            localisation.n_background,
            t0=None if trigger_time is None else met_from_utc(trigger_time),
            calibration=calibration,
            galactic=_galactic_column(localisation),
            others=_other_sources(localisation),
        )
    except InvalidInput as error:
        raise InvalidInput(f"{escaped(event_file.name)}: {error}") from None
    out.mkdir(parents=True, exist_ok=True)
    return _result(found, calibration, _write(out, found, events, calibration))


def _other_sources(localisation: Localisation) -> list[OtherSource]:
    """Return the sources other than the measured one; TS is about the square of the signal-to-noise ratio."""
    return [
        OtherSource(
            source.detector_x,
            source.detector_y,
            source.n_source,
            counts_sigma=source.n_source * sqrt(1.0 / source.n_source + 1.0 / source.ts),
            spectrum=PowerLaw(source.photon_index, source.nh_cm2),
        )
        for source in localisation.sources
        if source.name != localisation.chosen
    ]


def _galactic_column(localisation: Localisation) -> GalacticColumn | None:
    """Return the Galactic column towards the source."""
    position = localisation.position
    return None if position is None else galactic_column(position.ra_deg, position.dec_deg)


def _write(
    out: Path, found: SourceMeasurements, events: EventFile, calibration: Calibration
) -> dict[str, Product]:
    header = ProductHeader(events.header, calibration.versions())
    return {
        "source_light_curve": write_light_curve(out / LIGHT_CURVE, found.photons, found.light_curve, header),
        **write_spectra(out, found.photons, found.counts[0], found.counts[1], header),
        "arf": write_arf(out / ARF, found.response, found.photons.regions.effective_fraction, header),
        "rmf": write_rmf(out / RMF, found.response, header),
    }


def _result(
    found: SourceMeasurements, calibration: Calibration, products: dict[str, Product]
) -> SourceAnalysis:
    return SourceAnalysis(
        analysed=True,
        regions=region_summary(found),
        light_curve=found.light_curve,
        hardness=found.hardness,
        spectrum=found.spectrum,
        spectrum_reason=found.spectrum_reason,
        products=products,
        calibration={
            "analysis": analysis_constants().version,
            **calibration.versions(),
        },
    )

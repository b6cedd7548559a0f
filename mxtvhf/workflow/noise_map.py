"""Make a calibration file of bad pixels from the event files of past runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from mxtvhf.errors import InvalidInput, NothingToDo
from mxtvhf.events.event_file import EventFile
from mxtvhf.instrument.calibration import BadPixels, CalibrationStore, packaged_store
from mxtvhf.instrument.constants import pixel_scale_arcsec
from mxtvhf.instrument.time import utc_from_met
from mxtvhf.localisation.constants import detection_constants
from mxtvhf.localisation.model import DetectorFaults
from mxtvhf.localisation.noise_map import NoiseMap, bad_pixels_of, bad_pixels_text, empty_noise_map
from mxtvhf.workflow.past_runs import longest_runs, run_name, write_calibration_file
from mxtvhf.workflow.steps.vhf_localisation import in_band, vhf_localisation


class MadeNoiseMap(NamedTuple):
    """A new calibration file of bad pixels and the faults found in the noise map."""

    path: Path
    file: BadPixels
    faults: DetectorFaults


def make_noise_map(
    event_files: Sequence[Path],
    out: Path,
    *,
    store: CalibrationStore | None = None,
    valid_from: datetime | None = None,
) -> MadeNoiseMap:
    """Sum the photons of past runs outside their sources and write the noisy and dead pixels.

    Event files of the same burst and data stream share their photons, so only the one with the longest
    exposure is used. The bad pixels valid at the latest observation are kept in the new file.

    Parameters
    ----------
    event_files
        Event files written by ``fits_feed``.
    out
        Folder of the new file ``bad_pixels_<version>.toml``.
    store
        Calibration files; by default those of the package.
    valid_from
        Start of the new file's validity; by default the start of the earliest run.

    Raises
    ------
    InvalidInput
        No event file has good time, one is unreadable, or a file of that version exists.
    NothingToDo
        No pixel, row, column or block is significantly noisy or dead.
    """
    store = store or packaged_store()
    runs = longest_runs(event_files)
    if not runs:
        raise InvalidInput("noise map: no event file has good time; pass at least one that has")
    total = empty_noise_map()
    for path, events in runs:
        total += _map_of(path, events, store)
    faults = total.faults()
    if not faults.mask().any():
        raise NothingToDo(
            f"no pixel, row, column or block is significantly noisy or dead in {total.n_photons} photons of "
            f"{len(runs)} runs"
        )
    starts = [utc_from_met(events.tstart) for _, events in runs]
    file = bad_pixels_of(
        faults,
        store.at(max(starts)).bad_pixels,
        runs=[run_name(events) for _, events in runs],
        n_photons=total.n_photons,
        made=datetime.now(UTC),
        valid_from=valid_from or min(starts),
    )
    path = write_calibration_file(out / f"bad_pixels_{file.version}.toml", bad_pixels_text(file))
    return MadeNoiseMap(path, file, faults)


def _map_of(path: Path, events: EventFile, store: CalibrationStore) -> NoiseMap:
    calibration = store.at(utc_from_met(events.tstart))
    photons = events.photons.selected(in_band(events.photons.pha, calibration.gain))
    sources = vhf_localisation(path, store=store).sources
    radius = 60.0 * detection_constants().noise_map.source_radius_arcmin + events.spread_arcsec
    return NoiseMap.of_run(
        photons.x,
        photons.y,
        events.exposure_s,
        ~calibration.bad_pixels.mask(),
        [(source.detector_x, source.detector_y) for source in sources],
        radius / pixel_scale_arcsec(),
    )

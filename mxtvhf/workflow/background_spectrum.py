"""Make a calibration file of the background spectrum from the event files of past runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mxtvhf.errors import InvalidInput, NothingToDo
from mxtvhf.events.event_file import EventFile
from mxtvhf.instrument.calibration import Background, CalibrationStore, packaged_store
from mxtvhf.instrument.psf import LobsterEyePsf
from mxtvhf.instrument.time import utc_from_met
from mxtvhf.localisation.background import (
    background_groups,
    background_shapes,
    background_spectra,
    background_vignetting,
)
from mxtvhf.localisation.background_spectrum import (
    LEAST_PHOTONS,
    KnownSpectrum,
    RunPhotons,
    background_of,
    background_text,
)
from mxtvhf.localisation.counts import Counts
from mxtvhf.localisation.photon_weights import energy_weights
from mxtvhf.workflow.past_runs import longest_runs, run_name, write_calibration_file
from mxtvhf.workflow.steps.vhf_localisation import usable_photons, vhf_localisation


class MadeBackground(NamedTuple):
    """A new calibration file of the background and the runs left out of it."""

    path: Path
    file: Background
    left_out: tuple[str, ...]
    """Runs left out because their photon energies fit neither the background nor a source."""


def make_background(
    event_files: Sequence[Path],
    out: Path,
    *,
    store: CalibrationStore | None = None,
    valid_from: datetime | None = None,
) -> MadeBackground:
    """Fit the background spectrum of each past run and write its mean with its uncertainty.

    The model of each run includes its detected sources. Event files of the same burst and data stream share
    their photons, so only the one with the longest exposure is used. The spectral components are those of
    the background file valid at the latest observation.

    Parameters
    ----------
    event_files
        Event files written by ``fits_feed``.
    out
        Folder of the new file ``background_<version>.toml``.
    store
        Calibration files; by default those of the package.
    valid_from
        Start of the new file's validity; by default the start of the earliest run.

    Raises
    ------
    InvalidInput
        Fewer than two runs are usable, an event file is unreadable, the current background has no
        components, or a file of that version exists.
    NothingToDo
        The spectrum varies too much between the runs for its mean to predict the next one.
    """
    store = store or packaged_store()
    runs = longest_runs(event_files)
    if not runs:
        raise InvalidInput("background: no event file has good time; pass event files of at least two runs")
    starts = [utc_from_met(events.tstart) for _, events in runs]
    used = store.at(max(starts)).background
    if not used.components:
        raise InvalidInput(
            f"background {used.version}: the file has no spectral components; use one that has"
        )
    measured = [_measured(path, events, store, used) for path, events in runs]
    fitted = [one for one in measured if one.photons is not None]
    if len(fitted) < 2:
        raise InvalidInput(
            f"background: {len(fitted)} of {len(runs)} runs are usable; expected at least two, to measure "
            "how much the spectrum varies. Add event files of other runs"
        )
    known = KnownSpectrum.of_runs([one.photons for one in fitted if one.photons is not None])
    if known.photons < LEAST_PHOTONS:
        raise NothingToDo(
            f"the background spectrum varies too much between the {len(fitted)} runs: its uncertainty is "
            f"that of {known.photons:.0f} photons, expected at least {LEAST_PHOTONS:.0f}; add more runs"
        )
    file = background_of(
        known,
        used,
        runs=[one.name for one in fitted],
        n_photons=round(sum(one.n_background for one in fitted)),
        rate_per_s=sum(one.on_detector for one in fitted) / sum(one.exposure_s for one in fitted),
        made=datetime.now(UTC),
        valid_from=valid_from or min(starts),
    )
    path = write_calibration_file(out / f"background_{file.version}.toml", background_text(file))
    return MadeBackground(path, file, tuple(one.name for one in measured if one.photons is None))


@dataclass(frozen=True)
class _Run:
    """Background of one run; ``photons`` is None if their energies fit neither background nor source."""

    name: str
    exposure_s: float
    photons: RunPhotons | None = None
    good_part: float = 1.0
    """Mean of the exposure map."""

    @property
    def n_background(self) -> float:
        """Fitted background photons on usable pixels."""
        return 0.0 if self.photons is None else self.photons.n_photons

    @property
    def on_detector(self) -> float:
        """Fitted background photons on the whole detector."""
        return self.n_background / self.good_part


def _measured(path: Path, events: EventFile, store: CalibrationStore, used: Background) -> _Run:
    calibration = store.at(utc_from_met(events.tstart))
    photons, _ = usable_photons(events, calibration)
    name, exposure = run_name(events), events.exposure_s
    found = vhf_localisation(path, store=store)
    if not len(photons) or "energy" in found.not_used:
        return _Run(name, exposure)
    good = photons.exposure
    components = replace(calibration, background=used)
    shapes = background_shapes(photons.x, photons.y, good, background_vignetting(components))[:, 0]
    densities = background_spectra(photons.pha, components) * shapes[background_groups(components)]
    energy = energy_weights(photons.pha, components)
    psf = LobsterEyePsf.of(calibration.psf)
    counts = Counts(photons.x.astype(np.intp), photons.y.astype(np.intp), np.ones(len(photons)), good)
    sources = [energy * counts.profile(psf, (one.detector_x, one.detector_y)) for one in found.sources]
    return _Run(
        name, exposure, RunPhotons.beside_sources(densities, np.vstack([energy[:0], *sources])),
        float(good.mean()),
    )  # fmt: skip

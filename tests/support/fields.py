"""Photons of a field by the independent generator, and what the localisation is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from benchmarks.realsky import spectra
from benchmarks.realsky.facts import channel
from benchmarks.realsky.optics import Optics
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.localisation.background import BackgroundDensities, background_courses, background_spectra
from mxtvhf.localisation.counts import Counts
from mxtvhf.localisation.photon_weights import energy_weights, expected_shares, joint_weights
from mxtvhf.localisation.position import SourceLocalisation, default_psf, localise
from mxtvhf.localisation.stretch import Stretch, best_stretch
from mxtvhf.models.arrays import Floats

CALIBRATION = default_calibration()
GTI = np.array([[100.0, 400.0], [500.0, 800.0]])


@dataclass(frozen=True, eq=False)
class Field:
    """Photons: places of the pixels, pulse heights and times."""

    x: Floats
    y: Floats
    pha: Floats
    time: Floats

    @cached_property
    def stretch(self) -> Stretch:
        """The stretch of time in which a source stands out most."""
        energy = shares_of_spectra() @ energy_weights(self.pha, CALIBRATION)
        return best_stretch(*self.places, energy, self.time, GTI, np.ones((256, 256)), default_psf())

    @property
    def places(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Columns and rows."""
        return self.x.astype(np.intp), self.y.astype(np.intp)

    @property
    def weights(self) -> Floats:
        """Of their energies and times, were they of each kind of source; T0 is not known."""
        courses = np.stack([np.ones(self.time.size), self.stretch.weights])
        return joint_weights(energy_weights(self.pha, CALIBRATION), courses)

    @property
    def shares(self) -> Floats:
        """Probability of each kind of source."""
        return expected_shares(decays=False, stretch=self.stretch.share)

    @property
    def background(self) -> BackgroundDensities:
        """The densities of the background's components."""
        courses = background_courses(self.time, GTI, self.stretch.weights[np.newaxis])
        return BackgroundDensities(background_spectra(self.pha, CALIBRATION), courses)

    def counts(self, good: Floats | None = None) -> Counts:
        """Return what the likelihood counts."""
        background = self.background
        return Counts.from_photons(
            *self.places, self.weights,
            np.ones((256, 256)) if good is None else good,
            shares=self.shares, spectra=background.spectra, courses=background.courses,
        )  # fmt: skip

    def localised(self, **more: object) -> SourceLocalisation:
        """Localise with energies and times, as the workflow does."""
        given = {"weights": self.weights, "shares": self.shares, "background": self.background, **more}
        return localise(self.x, self.y, **given)  # type: ignore[arg-type]


def shares_of_spectra() -> Floats:
    """Return the probability of each spectrum of a source."""
    return expected_shares(decays=False)


def draw_field(
    seed: int,
    sources: Sequence[tuple[float, float, int]] = (),
    *,
    background: int = 300,
    sky: float = 0.3,
    optics: Optics | None = None,
) -> Field:
    """Draw sources (x, y, photons on the detector) and a background of which a part is sky."""
    rng = np.random.default_rng(seed)
    optics = optics or Optics()
    places = [rng.uniform(-0.5, 255.5, (2, background))]
    seen = rng.binomial(background, sky)
    energy = [
        spectra.measured_energies(spectra.seen_through_optics(spectra.sky(1.0, None)), seen, rng),
        spectra.particle_energies(background - seen, 0.0, 0.0, rng),
    ]
    afterglow = spectra.seen_through_optics(spectra.power_law(2.0, 1e21))
    for x, y, photons in sources:
        places.append(optics.places(x, y, photons, rng))
        energy.append(spectra.measured_energies(afterglow, photons, rng))
    x, y = np.rint(np.concatenate(places, axis=1))
    good_time = rng.uniform(0.0, 600.0, x.size)
    time = np.where(good_time < 300.0, 100.0 + good_time, 200.0 + good_time)
    return Field(x, y, channel(np.clip(np.concatenate(energy), 0.21, 9.9)).astype(np.float64), time)

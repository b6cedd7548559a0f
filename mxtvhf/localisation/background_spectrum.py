"""The background's spectrum over past runs: the mean part of each component, and how well that is known.

The parts of the components vary from run to run: a Dirichlet distribution with the mean m and the
concentration N describes them, which is as if N photons with the parts m had been seen before a run. N has
the highest likelihood of all runs, each predicted by the mean of the others, so that one run alone says
nothing (MacKay and Peto 1995, Nat. Lang. Eng. 1, 289, estimate it from words in texts). The integral over the
parts of a run is by Laplace's approximation in their logarithms (MacKay 1998, Mach. Learn. 33, 77).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from mxtvhf.instrument.calibration import Background, Continuum, Line, PastRunsRecord
from mxtvhf.localisation.constants import detection_constants
from mxtvhf.localisation.mixture import mixture_parts
from mxtvhf.models.arrays import Floats
from mxtvhf.models.times import utc_text

_CONCENTRATIONS = np.geomspace(10.0, 1e4, 37)
"""N that are compared; less tells a run next to nothing, and more is never claimed."""
LEAST_PHOTONS = 30.0
"""Fewer are no knowledge."""
_LIKELY = 0.82
"""Of ln L below its maximum: the least N that is that likely is a lower limit of 90 %."""


@dataclass(frozen=True, eq=False)
class RunPhotons:
    """The photons of a run.

    Attributes
    ----------
    densities
        Of the background's components at the photons, over a flat one, shape (components, photons).
    number
        Probability of each photon to be of the background, shape (photons,).
    """

    densities: Floats
    number: Floats

    @classmethod
    def beside_sources(cls, densities: Floats, sources: Floats) -> RunPhotons:
        """Tell the background's photons from those of sources.

        Parameters
        ----------
        densities
            See above, in energy and place.
        sources
            Of each source and each spectrum that it may have, in the same way, shape (kinds, photons).
        """
        both = np.vstack([densities, sources])
        parts = mixture_parts(both, np.ones(both.shape[1]), _nothing_known(densities))
        background = parts[: len(densities)] @ densities
        return cls(densities, background / (parts @ both))

    @property
    def n_photons(self) -> float:
        """Expected photons of the background."""
        return float(self.number.sum())


@dataclass(frozen=True, eq=False)
class KnownSpectrum:
    """What past runs say of the background's spectrum.

    Attributes
    ----------
    parts
        Mean part of each component, their sum 1.
    photons
        Lower 90 % limit of N, at least 0.
    """

    parts: Floats
    photons: float

    @classmethod
    def of_runs(cls, runs: Sequence[RunPhotons]) -> KnownSpectrum:
        """Measure the parts and how much they scatter; of a single run nothing is known of the scatter."""
        parts = _mean_parts(runs)
        if len(runs) < 2:
            return cls(parts, 0.0)
        likelihood = np.zeros(_CONCENTRATIONS.size)
        for index, run in enumerate(runs):
            others = [*runs[:index], *runs[index + 1 :]]
            likelihood += _log_likelihoods(run, _mean_parts(others, parts))
        likely = likelihood >= likelihood.max() - _LIKELY
        return cls(parts, float(_CONCENTRATIONS[likely][0]))


def _nothing_known(densities: Floats) -> Floats:
    return np.full(len(densities), detection_constants().background.photons_per_component)


def _mean_parts(runs: Sequence[RunPhotons], start: Floats | None = None) -> Floats:
    densities = np.concatenate([run.densities for run in runs], axis=1)
    number = np.concatenate([run.number for run in runs])
    return mixture_parts(densities, number, _nothing_known(densities), start)


def _log_likelihoods(run: RunPhotons, mean: Floats) -> Floats:
    """Return ln L of a run for each of ``_CONCENTRATIONS`` about the mean parts."""
    found, parts = [], mean
    for photons in _CONCENTRATIONS:
        expected = _nothing_known(run.densities) + photons * mean
        parts = mixture_parts(run.densities, run.number, expected, parts)
        found.append(_log_likelihood(run, expected, parts))
    return np.array(found)


def _log_likelihood(run: RunPhotons, expected: Floats, parts: Floats) -> float:
    """Return ln of the mean likelihood over parts of a Dirichlet distribution.

    Parameters
    ----------
    run
        The photons.
    expected
        Photons of each component that count as seen beforehand: the distribution's parameters.
    parts
        The most probable ones.
    """
    density = parts @ run.densities
    responsible = parts[:, np.newaxis] * run.densities / density
    before = expected / expected.sum()
    seen = (responsible * run.number) @ responsible.T
    total = run.n_photons + expected.sum()
    curvature = np.diag(expected) + seen - total * np.outer(parts, parts)
    own_curvature = np.diag(expected) - expected.sum() * np.outer(before, before)
    # All logarithms may grow together: the parts stay the same.
    shift = np.full_like(curvature, total / parts.size)
    return float(
        run.number @ np.log(density)
        + expected @ np.log(parts / before)
        - 0.5 * np.linalg.slogdet(curvature + shift).logabsdet
        + 0.5 * np.linalg.slogdet(own_curvature + shift).logabsdet
    )


def background_of(
    known: KnownSpectrum,
    used: Background,
    *,
    runs: Sequence[str],
    n_photons: int,
    rate_per_s: float,
    made: datetime,
    valid_from: datetime,
) -> Background:
    """Return the calibration file of a background that past runs tell.

    Parameters
    ----------
    known
        Its spectrum.
    used
        The background in use: its components stay, its version is followed by the new one's.
    runs
        Names of the runs.
    n_photons
        Their photons of the background.
    rate_per_s
        Mean rate of these on the whole detector, counts per second.
    made
        When it was made.
    valid_from
        First moment of the observations that it is for.
    """
    parts = [round(float(part), 4) for part in known.parts]
    number = len(used.continua)
    return used.model_copy(
        update={
            "version": f"{int(used.version[:3]) + 1:03d}-runs",
            "valid_from": valid_from,
            "valid_until": None,
            "assumed": False,
            "source": f"rate and parts: {len(runs)} runs with {n_photons} photons of the background; "
            f"components: background {used.version} ({' '.join(used.source.split())})",
            "rate_per_s": round(rate_per_s, 4),
            "continua": tuple(
                one.model_copy(update={"part": part})
                for one, part in zip(used.continua, parts[:number], strict=True)
            ),
            "lines": tuple(
                one.model_copy(update={"part": part})
                for one, part in zip(used.lines, parts[number:], strict=True)
            ),
            "known_as_photons": round(known.photons, 1),
            "past_runs": PastRunsRecord(made=made, runs=tuple(runs), n_photons=n_photons),
        }
    )


def background_text(file: Background) -> str:
    """Return the text of a calibration file of the background, TOML."""
    return "\n".join(_lines_of(file)) + "\n"


def _lines_of(file: Background) -> Iterator[str]:
    yield "# The background's rate, and the components of its spectrum with their mean parts."
    yield from (f'item = "{file.item}"', f'version = "{file.version}"')
    yield f"valid_from = {utc_text(file.valid_from)}"
    if file.valid_until is not None:
        yield f"valid_until = {utc_text(file.valid_until)}"
    yield f"assumed = {str(file.assumed).lower()}"
    yield f"source = {json.dumps(file.source)}"
    yield from ("", f"rate_per_s = {file.rate_per_s}", f"vignetting = {file.vignetting}")
    yield "# The parts are known as if so many photons had been seen before a run."
    yield f"known_as_photons = {file.known_as_photons}"
    for kind, components in (("continua", file.continua), ("lines", file.lines)):
        for component in components:
            yield from ("", f"[[{kind}]]", *_component_lines(component))
    if file.past_runs is not None:
        yield from ("", "[past_runs]", f"made = {utc_text(file.past_runs.made)}")
        yield f"n_photons = {file.past_runs.n_photons}"
        yield from ("runs = [", *(f"    {json.dumps(run)}," for run in file.past_runs.runs), "]")


def _component_lines(component: Continuum | Line) -> Iterator[str]:
    for key, value in component.model_dump(exclude_defaults=True).items():
        yield f"{key} = {json.dumps(value)}"

"""Background spectrum from past runs: mean fraction of each component, and how well it is known.

The fractions of the components vary from run to run with a Dirichlet distribution of mean m and concentration
N. A new run is then fitted as if N photons with the fractions m had been observed before. N maximises the
likelihood of all runs, each predicted from the mean of the others, so that a single run gives no information
about N (MacKay and Peto 1995, Nat. Lang. Eng. 1, 289, apply the method to word counts). The integral over the
fractions of a run uses the Laplace approximation in their logarithms (MacKay 1998, Mach. Learn. 33, 77).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from mxtvhf.instrument.calibration import Background, Continuum, Line, PastRunsRecord
from mxtvhf.localisation.constants import detection_constants
from mxtvhf.localisation.mixture import mixture_fractions
from mxtvhf.models.arrays import Floats
from mxtvhf.models.times import utc_text

_CONCENTRATIONS = np.geomspace(10.0, 1e4, 37)
"""Values of N that are compared: lower ones carry no information about a run, higher ones are never
claimed."""
LEAST_PHOTONS = 30.0
"""Smallest N that is used; below it the background counts as unknown."""
_LIKELY = 0.82
"""Drop of ln L from its maximum that defines the lower 90 % limit of N."""


@dataclass(frozen=True, eq=False)
class RunPhotons:
    """Photons of a run.

    Attributes
    ----------
    densities
        Densities of the background components at the photons relative to a flat density, shape (components,
        photons).
    number
        Probability of each photon to come from the background, shape (photons,).
    """

    densities: Floats
    number: Floats

    @classmethod
    def beside_sources(cls, densities: Floats, sources: Floats) -> RunPhotons:
        """Return the photons with their probabilities to come from the background and not from a source.

        Parameters
        ----------
        densities
            Densities of the background components in energy and position, shape (components, photons).
        sources
            Densities of each source with each of its possible spectra, shape (spectra, photons).
        """
        both = np.vstack([densities, sources])
        parts = mixture_fractions(both, np.ones(both.shape[1]), _nothing_known(densities))
        background = parts[: len(densities)] @ densities
        return cls(densities, background / (parts @ both))

    @property
    def n_photons(self) -> float:
        """Return the expected number of background photons."""
        return float(self.number.sum())


@dataclass(frozen=True, eq=False)
class KnownSpectrum:
    """Background spectrum from past runs.

    Attributes
    ----------
    parts
        Mean fraction of each component; their sum is 1.
    photons
        Lower 90 % limit of N, at least 0.
    """

    parts: Floats
    photons: float

    @classmethod
    def of_runs(cls, runs: Sequence[RunPhotons]) -> KnownSpectrum:
        """Return the mean fractions of runs, and the lower limit of the concentration N of their scatter.

        The limit is 0 for a single run, which contains no information about the scatter.

        Parameters
        ----------
        runs
            Photons of each run, at least one run.
        """
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
    return mixture_fractions(densities, number, _nothing_known(densities), start)


def _log_likelihoods(run: RunPhotons, mean: Floats) -> Floats:
    """Return ln L of a run for each of ``_CONCENTRATIONS`` about the mean fractions."""
    found, parts = [], mean
    for photons in _CONCENTRATIONS:
        expected = _nothing_known(run.densities) + photons * mean
        parts = mixture_fractions(run.densities, run.number, expected, parts)
        found.append(_log_likelihood(run, expected, parts))
    return np.array(found)


def _log_likelihood(run: RunPhotons, expected: Floats, parts: Floats) -> float:
    """Return the log of the likelihood of a run, averaged over a Dirichlet distribution of the fractions.

    Parameters
    ----------
    run
        Photons of the run.
    expected
        Prior photons of each component: the parameters of the distribution.
    parts
        Fractions of the highest posterior probability.
    """
    density = parts @ run.densities
    responsible = parts[:, np.newaxis] * run.densities / density
    before = expected / expected.sum()
    seen = (responsible * run.number) @ responsible.T
    total = run.n_photons + expected.sum()
    curvature = np.diag(expected) + seen - total * np.outer(parts, parts)
    own_curvature = np.diag(expected) - expected.sum() * np.outer(before, before)
    # A common factor of all components leaves their fractions unchanged: this direction needs a curvature.
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
    """Return the calibration file of the background that past runs give.

    Parameters
    ----------
    known
        Background spectrum of the runs.
    used
        Background file in use: its components are kept, and its version number is increased by one.
    runs
        Run ids.
    n_photons
        Number of their background photons.
    rate_per_s
        Mean rate of these on the whole detector, counts per second.
    made
        Creation time, UTC.
    valid_from
        Start of validity, UTC.
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
    """Return a calibration file of the background as TOML text.

    Parameters
    ----------
    file
        Background file.
    """
    return "\n".join(_lines_of(file)) + "\n"


def _lines_of(file: Background) -> Iterator[str]:
    yield "# Rate of the background, and components of its spectrum with their mean fractions."
    yield from (f'item = "{file.item}"', f'version = "{file.version}"')
    yield f"valid_from = {utc_text(file.valid_from)}"
    if file.valid_until is not None:
        yield f"valid_until = {utc_text(file.valid_until)}"
    yield f"assumed = {str(file.assumed).lower()}"
    yield f"source = {json.dumps(file.source)}"
    yield from ("", f"rate_per_s = {file.rate_per_s}", f"vignetting = {file.vignetting}")
    yield "# The fractions are known as if this number of photons had been observed before a run."
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

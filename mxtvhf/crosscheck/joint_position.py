"""Joint position of independent measurements of one source.

Errors are Gaussians in the tangent plane of the most precise measurement, statistical and systematic in
quadrature, as in ``pairs``. The product of the densities is a Gaussian with the inverse of the summed inverse
covariances. Positions from the same data would count the same photons twice, so only the most precise one of
each group (see ``shared_data``) is used. All positions of MXT are one group: even those from different
photons share the systematic error of its alignment.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import cos, degrees, exp, pi, radians, sin

import erfa
import numpy as np

from mxtvhf.crosscheck.model import PositionPair, Verdict
from mxtvhf.crosscheck.settings import crosscheck_settings
from mxtvhf.crosscheck.shared_data import data_group, is_of_mxt
from mxtvhf.models.angles import (
    declination_text,
    radius_text,
    right_ascension_text,
    separation_arcsec,
    tangent_offset_arcmin,
)
from mxtvhf.models.arrays import Floats
from mxtvhf.models.base import Model
from mxtvhf.models.position import Position, current_positions
from mxtvhf.models.rounding import rounded
from mxtvhf.sky_notices.coincidence import SkyCoincidence
from mxtvhf.sky_notices.model import ErrorEllipse

MXT = "MXT"
"""Group of all positions of MXT."""
LEAST_PRECISE = 10.0
"""Largest error of another mission's position in units of R90; one of this size reduces R90 by 0.5 %."""
_NODES = 64


class JointPosition(Model):
    """Product of the densities of independent positions."""

    ra_deg: float
    dec_deg: float
    r90_arcsec: float
    """Radius of the circle that holds 90 % of the product, arcsec."""
    used: tuple[str, ...]
    """Names of the positions."""
    p_value: float
    """Probability that positions of one source scatter as much as these."""

    @property
    def words(self) -> str:
        """One line for people."""
        return (
            f"RA {right_ascension_text(self.ra_deg, 1)} Dec {declination_text(self.dec_deg, 0)} "
            f"({self.ra_deg:.4f} {self.dec_deg:+.4f} deg), R90 {radius_text(self.r90_arcsec)}, from "
            f"{', '.join(self.used)} (p = {self.p_value:.2g})"
        )


class Measurement(Model):
    """One measured position with a Gaussian error."""

    name: str
    group: str
    """Name of the data behind it; of one group only the most precise measurement is used."""
    area: ErrorEllipse


def measurement_of(position: Position) -> Measurement | None:
    """Return a position of a report as measurement; None without an error radius.

    Parameters
    ----------
    position
        The position.
    """
    if not position.r90_arcsec:
        return None
    radius = position.r90_arcsec / 3600.0
    area = ErrorEllipse(
        ra_deg=position.ra_deg, dec_deg=position.dec_deg, semi_major_deg=radius, semi_minor_deg=radius
    )
    return Measurement(
        name=position.name, group=MXT if is_of_mxt(position) else data_group(position), area=area
    )


def joint_of_burst(
    best: Position | None,
    positions: Iterable[Position],
    pairs: Iterable[PositionPair],
    others: Iterable[SkyCoincidence] = (),
) -> JointPosition | None:
    """Return the joint position of a burst.

    Parameters
    ----------
    best
        The recommended position; None without one.
    positions
        All positions of the burst, in order of publication.
    pairs
        Their comparison. Positions that are consistent with the recommended one and independent of it are
        used.
    others
        Events of other missions. Those that are probably the same event are used, unless their position is
        much less precise than the recommended one and adds nothing.

    Returns
    -------
    JointPosition or None
        None without an independent position of the same source.
    """
    if best is None or (own := measurement_of(best)) is None:
        return None
    agreeing = {
        label
        for pair in pairs
        if pair.independent and pair.verdict is Verdict.CONSISTENT and best.label in (pair.first, pair.second)
        for label in (pair.first, pair.second)
    }
    current = current_positions(positions).values()
    found = [own, *(measurement_of(one) for one in current if one.label in agreeing - {best.label})]
    found += [
        Measurement(name=one.detector, group=one.detector, area=one.area)
        for one in others
        if one.association == "probable"
        and one.area is not None
        and min(one.area.sigma_deg) <= LEAST_PRECISE * max(own.area.sigma_deg)
    ]
    return joint_position(one for one in found if one is not None)


def joint_position(measurements: Iterable[Measurement]) -> JointPosition | None:
    """Return the joint position of all independent measurements.

    Parameters
    ----------
    measurements
        Measurements of one source.

    Returns
    -------
    JointPosition or None
        None with fewer than two independent measurements, if they are inconsistent, or more than 30 degrees
        apart.
    """
    best: dict[str, Measurement] = {}
    for one in sorted(measurements, key=lambda one: _size_deg2(one.area)):
        best.setdefault(one.group, one)
    chosen = list(best.values())
    if len(chosen) < 2:
        return None
    centre = chosen[0].area
    if any(_apart_deg(one.area, centre) > 30.0 for one in chosen):
        return None
    offsets = np.array(
        [
            tangent_offset_arcmin(one.area.ra_deg, one.area.dec_deg, centre.ra_deg, centre.dec_deg)
            for one in chosen
        ]
    )
    weights = np.array([np.linalg.inv(_covariance_arcmin2(one.area)) for one in chosen])
    covariance = np.linalg.inv(weights.sum(axis=0))
    mean = covariance @ np.einsum("nij,nj->i", weights, offsets)
    away = offsets - mean
    p_value = _p_value(float(np.einsum("ni,nij,nj->", away, weights, away)), 2 * (len(chosen) - 1))
    if p_value < crosscheck_settings().verdict.consistent_from:
        return None
    ra, dec = erfa.tpsts(*np.radians(mean / 60.0), radians(centre.ra_deg), radians(centre.dec_deg))
    return JointPosition(
        ra_deg=round(degrees(ra) % 360.0, 6) % 360.0,
        dec_deg=round(degrees(dec), 6),
        r90_arcsec=rounded(60.0 * _r90(np.sqrt(np.linalg.eigvalsh(covariance))), None),
        used=tuple(one.name for one in chosen),
        p_value=rounded(p_value, None),
    )


def _apart_deg(first: ErrorEllipse, second: ErrorEllipse) -> float:
    return separation_arcsec(first.ra_deg, first.dec_deg, second.ra_deg, second.dec_deg) / 3600.0


def _size_deg2(area: ErrorEllipse) -> float:
    major, minor = area.sigma_deg
    return major * minor


def _covariance_arcmin2(area: ErrorEllipse) -> Floats:
    """Return the covariance of the offsets to the East and to the North."""
    angle = radians(area.angle_deg)
    axes = np.array([[sin(angle), cos(angle)], [cos(angle), -sin(angle)]])
    variances = np.diag([(60.0 * sigma) ** 2 for sigma in area.sigma_deg])
    return np.asarray(axes.T @ variances @ axes)


def _p_value(chi2: float, degrees_of_freedom: int) -> float:
    """Return the probability of a larger chi square, for an even number of degrees of freedom."""
    half, term, total = 0.5 * chi2, 1.0, 1.0
    for order in range(1, degrees_of_freedom // 2):
        term *= half / order
        total += term
    return exp(-half) * total


def _r90(sigmas: Floats) -> float:
    """Return the radius of the circle that holds 90 % of a Gaussian with two standard deviations."""
    small, large = sorted(float(sigma) for sigma in sigmas)
    angles = (np.arange(_NODES) + 0.5) * pi / (2 * _NODES)
    inverse = np.cos(angles) ** 2 / large**2 + np.sin(angles) ** 2 / small**2
    low, high = 0.0, 4.0 * large
    for _ in range(60):
        middle = 0.5 * (low + high)
        # In polar coordinates, the integral over the radius is analytic.
        inside = float(np.mean((1.0 - np.exp(-0.5 * middle**2 * inverse)) / inverse)) / (small * large)
        low, high = (middle, high) if inside < 0.9 else (low, middle)
    return high

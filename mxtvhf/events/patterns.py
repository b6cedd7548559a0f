"""Event reconstruction: pixel entries of one detector frame that one photon made become one event.

The charge of one X-ray can spread over up to four pixels (Robinet et al. 2026, arXiv 2603.05342; Schneider et
al. 2022, arXiv 2212.09863), and the telemetry carries each of them as an entry of its own. Entries of one
frame that touch side by side are joined when they fit into 2 x 2 pixels: no other pattern comes from one
photon, for the charge cloud is much smaller than a pixel. Pixels that touch at a corner only are two photons,
since the two pixels between them would have received more charge than the farther one.

``GRADE`` is the number of the pattern, in the order of XMM-Newton's EPIC-pn (0 single, 1-4 double, 5-8
triple, 9-12 quadruple). Within each group it tells on which side of the main pixel, the one with the greatest
pulse height, the others lie:

=====  =================  =====================
grade  double: other at   grades 5-8 and 9-12
=====  =================  =====================
1      RAWY + 1           5, 9: RAWX+, RAWY+
2      RAWX + 1           6, 10: RAWX+, RAWY-
3      RAWY - 1           7, 11: RAWX-, RAWY-
4      RAWX - 1           8, 12: RAWX-, RAWY+
=====  =================  =====================

The event has the address of the main pixel. A charge-weighted position is not worth a column: it moves an
event by less than half a pixel (7 arcsec) where the core of the point spread function is 10 arcmin wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.constants import instrument
from mxtvhf.instrument.pixels import RawMask
from mxtvhf.models.base import Model
from mxtvhf.models.quantities import Fraction

INVALID_GRADE = 13
"""Grade of pixel entries whose pattern no single photon makes."""
_SAME_FRAME = 1e-3
"""Two times that differ by less are of one frame, in frames."""
_GRADES = np.full((5, 3, 3), INVALID_GRADE, np.int16)
"""Grade by number of pixels and by where the others lie from the main one: ``[n, dy + 1, dx + 1]``."""
_GRADES[1, 1, 1] = 0
_GRADES[2, [2, 1, 0, 1], [1, 2, 1, 0]] = (1, 2, 3, 4)
_GRADES[3, [2, 0, 0, 2], [2, 2, 0, 0]] = (5, 6, 7, 8)
_GRADES[4, [2, 0, 0, 2], [2, 2, 0, 0]] = (9, 10, 11, 12)

Grades = npt.NDArray[np.int16]
Indices = npt.NDArray[np.intp]


class PatternCounts(Model):
    """How many events of each kind were made of pixel entries."""

    singles: int = Field(ge=0)
    doubles: int = Field(ge=0)
    triples: int = Field(ge=0)
    quadruples: int = Field(ge=0)
    invalid_pixels: int = Field(ge=0)
    """Pixel entries in patterns that no single photon makes; they are left out."""
    pile_up: Fraction
    """Estimated fraction of the events that hold the charge of more than one photon."""

    @property
    def pixels(self) -> int:
        """Number of pixel entries that the patterns were made of."""
        return self.singles + 2 * self.doubles + 3 * self.triples + 4 * self.quadruples + self.invalid_pixels


@dataclass(frozen=True, eq=False, repr=False)
class GradedEvents:
    """Events with the grades of their patterns.

    Attributes
    ----------
    rows
        In time order: one entry for each valid event, with the address of its main pixel and the summed pulse
        height, and the pixel entries of invalid patterns as they were read out.
    grade
        Of each row: 0..12, or another number (`INVALID_GRADE`) for what is no photon.
    """

    rows: PhotonList
    grade: Grades

    def __repr__(self) -> str:
        """Say in one line what it is; a notebook would print all arrays."""
        return f"<GradedEvents: {len(self.photons)} valid of {len(self.rows)} rows>"

    @cached_property
    def is_valid(self) -> npt.NDArray[np.bool_]:
        """Of each row, whether one photon can have made it."""
        return np.asarray((self.grade >= 0) & (self.grade < INVALID_GRADE))

    @cached_property
    def photons(self) -> PhotonList:
        """The valid events: what position, spectrum and light curve are made from."""
        return self.rows if self.is_valid.all() else self.rows.selected(self.is_valid)

    @property
    def rejected(self) -> PhotonList:
        """The pixel entries of invalid patterns: tracks of particles, readout noise, dense pile-up."""
        return self.rows.selected(~self.is_valid)

    def counts(self) -> PatternCounts:
        """Count the patterns, and estimate the pile-up."""
        singles, doubles, triples, quadruples = (
            int(np.count_nonzero((self.grade >= low) & (self.grade <= high)))
            for low, high in ((0, 0), (1, 4), (5, 8), (9, 12))
        )
        return PatternCounts(
            singles=singles,
            doubles=doubles,
            triples=triples,
            quadruples=quadruples,
            invalid_pixels=len(self.rows) - singles - doubles - triples - quadruples,
            pile_up=pile_up_fraction(self.photons),
        )


def reconstruct(pixels: PhotonList, bad_pixels: RawMask | None = None) -> GradedEvents:
    """Join the pixel entries of each photon into one event.

    Parameters
    ----------
    pixels
        Pixel entries as read out, each with its own pulse height.
    bad_pixels
        True for pixels whose charge is not to be trusted: their entries join no other. By default none.

    Returns
    -------
    GradedEvents
        Pulse heights are sums, exact where the gain is linear through zero; a sum above the last channel is
        counted in that one, outside the energy band. Events are joined no further when they are given again.

    Notes ----- A photon that falls beside another in the same frame is joined with it, or makes an invalid
    pattern: pile-up, whose extent `pile_up_fraction` estimates. Several entries with one address in one
    frame, which no detector reads out, join no other.
    """
    grade = np.zeros(len(pixels), np.int16)
    first, second = _touching(pixels, bad_pixels)
    if not len(first):
        return GradedEvents(pixels, grade)
    touches = np.zeros(len(pixels), np.bool_)
    touches[first] = touches[second] = True
    member, number = np.flatnonzero(touches), np.cumsum(touches) - 1
    of_links = np.ones(len(first), np.bool_), (number[first], number[second])
    links = coo_array(of_links, shape=(len(member), len(member)))
    cluster = connected_components(links, directed=False)[1]
    # Cluster by cluster, the greatest pulse height first; of equal ones the first in the list.
    channels = instrument().energy.pha_channels
    order = np.argsort(cluster * np.int64(channels) - pixels.pha[member], kind="stable")
    member = member[order]
    start = np.flatnonzero(np.diff(cluster[order], prepend=-1))
    size = np.diff(np.append(start, len(member)))
    main = member[start]
    (dx, fits_x), (dy, fits_y) = (_extent(axis[member], start, axis[main]) for axis in (pixels.x, pixels.y))
    joined = fits_x & fits_y
    of_main = _GRADES[tuple(np.where(joined, index, 0) for index in (size, dy + 1, dx + 1))]
    grade[member] = np.repeat(of_main, size)
    pha = pixels.pha.copy()
    summed = np.add.reduceat(pixels.pha[member], start, dtype=np.int64)
    pha[main[joined]] = np.minimum(summed, channels - 1)[joined]
    kept = np.ones(len(pixels), np.bool_)
    kept[member[np.repeat(joined, size)]] = False
    kept[main] = True
    return GradedEvents(PhotonList(pixels.time, pixels.x, pixels.y, pha).selected(kept), grade[kept])


def pile_up_fraction(photons: PhotonList) -> float:
    """Estimate the fraction of events that hold the charge of more than one photon, or that were lost by it.

    Two photons of one frame pile up when they fall in one pixel or in two that touch. The number of such
    pairs is the number of pairs of events in one frame times the probability that two events fall so close,
    which all pairs of events tell whatever their frames. The pairs in one pixel are taken as an eighth of
    those in neighbouring ones, so that a hot pixel does not count. The shape of the image is taken to be the
    same all the time.

    Parameters
    ----------
    photons
        Reconstructed events.

    Returns
    -------
    float
        0..1; 0 for fewer than two events.
    """
    count = len(photons)
    if count < 2:
        return 0.0
    in_frame = np.bincount(_frames(photons.time)).astype(np.float64)
    pairs = 0.5 * np.sum(in_frame * (in_frame - 1.0))
    # A column more than there are keeps the end of one row from the start of the next.
    row = instrument().detector.columns + 1
    image = np.bincount(photons.y * np.intp(row) + photons.x, minlength=row * row + row + 2)
    seen = np.flatnonzero(image)
    neighbours = sum(int(np.dot(image[seen], image[seen + step])) for step in (1, row - 1, row, row + 1))
    close = 9.0 / 8.0 * 2.0 * neighbours / (count * (count - 1.0))
    return float(min(pairs * close / count, 1.0))


def _frames(time: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the number of each entry's frame, counted from 0 over the frames that have any."""
    later = np.diff(time, prepend=time[:1]) > _SAME_FRAME * instrument().detector.frame_time_s
    return np.cumsum(later, dtype=np.int64)


def _touching(pixels: PhotonList, bad_pixels: RawMask | None) -> tuple[Indices, Indices]:
    """Return the pairs of entries of one frame in pixels that lie side by side."""
    detector = instrument().detector
    # A column and a row more than there are: the end of one row touches not the start of the next.
    row = detector.columns + 1
    key = (_frames(pixels.time) * (detector.rows + 1) + pixels.y) * row + pixels.x
    order = np.argsort(key)
    if bad_pixels is not None and bad_pixels.any():
        order = order[~bad_pixels[pixels.y, pixels.x][order]]
    key = key[order]
    is_other = np.diff(key, prepend=-1, append=-1) != 0
    is_alone = is_other[:-1] & is_other[1:]
    order, key = order[is_alone], key[is_alone]
    right = np.flatnonzero(np.diff(key) == 1)
    above = np.searchsorted(key, key + row)
    below = np.flatnonzero(key[np.minimum(above, len(key) - 1)] == key + row)
    return (
        np.concatenate([order[right], order[below]]),
        np.concatenate([order[right + 1], order[above[below]]]),
    )


def _extent(
    address: npt.NDArray[np.int16], start: Indices, main: npt.NDArray[np.int16]
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.bool_]]:
    """Return to which side of its main pixel each cluster reaches on an axis, and whether by one at most."""
    low, high = np.minimum.reduceat(address, start), np.maximum.reduceat(address, start)
    return (low + high - 2 * main).astype(np.int16), high - low <= 1

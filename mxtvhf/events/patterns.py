"""Event reconstruction: join the pixel entries that one photon made in a detector frame to one event.

The charge of one X-ray can spread over up to four pixels (Robinet et al. 2026, arXiv 2603.05342; Schneider et
al. 2022, arXiv 2212.09863), and the telemetry carries each pixel as a separate entry. Entries of one frame
that share an edge are joined if they fit into 2 x 2 pixels; one photon makes no other pattern, because the
charge cloud is much smaller than a pixel. Pixels that touch only at a corner are two photons, since the two
pixels between them would have received more charge than the farther one.

``GRADE`` is the number of the pattern, in the order of XMM-Newton's EPIC-pn (0 single, 1-4 double, 5-8
triple, 9-12 quadruple). Within each group it gives the side of the main pixel, the one with the greatest
pulse height, on which the others lie:

=====  =================  =====================
grade  double: other at   grades 5-8 and 9-12
=====  =================  =====================
1      RAWY + 1           5, 9: RAWX+, RAWY+
2      RAWX + 1           6, 10: RAWX+, RAWY-
3      RAWY - 1           7, 11: RAWX-, RAWY-
4      RAWX - 1           8, 12: RAWX-, RAWY+
=====  =================  =====================

The event has the address of the main pixel. A charge-weighted position is not stored: it would move an event
by less than half a pixel (7 arcsec), while the core of the point spread function is 10 arcmin wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mxtvhf.events.model import PatternCounts
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.constants import instrument
from mxtvhf.instrument.pixels import RawMask

INVALID_GRADE = 13
"""Grade of pixel entries in invalid patterns, which no single photon makes."""
_SAME_FRAME = 1e-3
"""Two times that differ by less belong to one frame, in frames."""
_GRADES = np.full((5, 3, 3), INVALID_GRADE, np.int16)
"""Grade by number of pixels and by direction of the other pixels from the main one: ``[n, dy + 1, dx +
1]``."""
_GRADES[1, 1, 1] = 0
_GRADES[2, [2, 1, 0, 1], [1, 2, 1, 0]] = (1, 2, 3, 4)
_GRADES[3, [2, 0, 0, 2], [2, 2, 0, 0]] = (5, 6, 7, 8)
_GRADES[4, [2, 0, 0, 2], [2, 2, 0, 0]] = (9, 10, 11, 12)

Grades = npt.NDArray[np.int16]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False, repr=False)
class GradedEvents:
    """Events with the grades of their patterns.

    Attributes
    ----------
    rows
        Rows in time order: one for each valid event, with the address of its main pixel and the summed pulse
        height, and one for each pixel entry of an invalid pattern, as read out.
    grade
        Grade of each row: 0..12 for photons, another number (`INVALID_GRADE`) for invalid patterns.
    """

    rows: PhotonList
    grade: Grades

    def __repr__(self) -> str:
        """Return a one-line summary; the default would print all arrays in a notebook."""
        return f"<GradedEvents: {len(self.photons)} valid of {len(self.rows)} rows>"

    @cached_property
    def is_valid(self) -> npt.NDArray[np.bool_]:
        """Mask of the rows with a valid pattern."""
        return np.asarray((self.grade >= 0) & (self.grade < INVALID_GRADE))

    @cached_property
    def photons(self) -> PhotonList:
        """Valid events, from which position, spectrum and light curve are derived."""
        return self.rows if self.is_valid.all() else self.rows.selected(self.is_valid)

    @property
    def rejected(self) -> PhotonList:
        """Pixel entries of invalid patterns: particle tracks, readout noise, dense pile-up."""
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
        True for pixels with unreliable charge; their entries are not joined with others. By default none.

    Returns
    -------
    GradedEvents
        Pulse heights are sums, which are exact if the gain is linear through zero. A sum above the last
        channel is counted in that channel, outside the energy band. Reconstructing events again changes
        nothing.

    Notes
    -----
    A photon that falls next to another one in the same frame is joined with it or makes an invalid pattern.
    This is pile-up; `pile_up_fraction` estimates its extent. Several entries of one pixel in one frame, which
    no detector reads out, are not joined.
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
    # Sort by cluster, then by descending pulse height, then by position in the list.
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
    """Estimate the fraction of events affected by pile-up: merged with another photon, or lost.

    Two photons of one frame pile up if they fall in the same pixel or in adjacent pixels. The number of such
    pairs is the number of pairs of events in one frame times the probability that two events fall that close,
    which is estimated from all pairs of events regardless of frame. The number of pairs in the same pixel is
    taken as an eighth of that in adjacent pixels, so that a hot pixel has no effect. The image is assumed to
    have a constant shape.

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
    # One extra column separates the end of a row from the start of the next.
    row = instrument().detector.columns + 1
    image = np.bincount(photons.y * np.intp(row) + photons.x, minlength=row * row + row + 2)
    seen = np.flatnonzero(image)
    neighbours = sum(int(np.dot(image[seen], image[seen + step])) for step in (1, row - 1, row, row + 1))
    close = 9.0 / 8.0 * 2.0 * neighbours / (count * (count - 1.0))
    return float(min(pairs * close / count, 1.0))


def _frames(time: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the frame number of each entry, counting only frames that have entries, from 0."""
    later = np.diff(time, prepend=time[:1]) > _SAME_FRAME * instrument().detector.frame_time_s
    return np.cumsum(later, dtype=np.int64)


def _touching(pixels: PhotonList, bad_pixels: RawMask | None) -> tuple[Indices, Indices]:
    """Return the pairs of entries of one frame whose pixels share an edge."""
    detector = instrument().detector
    # One extra column and row keep the end of a row (frame) from touching the start of the next.
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
    """Return the side of its main pixel to which each cluster extends on an axis, and if by at most one."""
    low, high = np.minimum.reduceat(address, start), np.maximum.reduceat(address, start)
    return (low + high - 2 * main).astype(np.int16), high - low <= 1

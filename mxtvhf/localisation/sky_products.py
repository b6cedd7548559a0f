"""Files of the posterior on the sky: multi-order sky map, MOC of the 90 % region, DS9 region.

The sky map has the format of LIGO, Virgo and KAGRA (public alerts user guide, "Working with Multi-Order Sky
Maps"): a table of UNIQ and PROBDENSITY over the whole sky. The coverage map is an IVOA MOC 2.0 in NUNIQ
order, which readers of MOC 1.1 accept as well. The region file follows the DS9 reference manual, "Regions".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import log, sqrt
from pathlib import Path

import numpy as np
from astropy.time import Time
from astropy_healpix import level_ipix_to_uniq, uniq_to_level_ipix

from mxtvhf import __version__
from mxtvhf.events.event_file import EventFile
from mxtvhf.events.fits import Card, Column, card_images, primary_hdu, table_hdu
from mxtvhf.events.header import event_file_constants
from mxtvhf.instrument.constants import pixel_scale_arcsec
from mxtvhf.instrument.pointing import Pointing
from mxtvhf.instrument.time import utc_from_met
from mxtvhf.localisation.model import CredibleRegion
from mxtvhf.localisation.posterior import PositionPosterior
from mxtvhf.localisation.sky_map import Cells, SkyMap, credible_region, sky_map
from mxtvhf.models.angles import separation_arcsec
from mxtvhf.models.files import sha256_of, write_atomically
from mxtvhf.models.position import Position
from mxtvhf.models.product import Product
from mxtvhf.models.times import utc_text

PARTS = (0.5, 0.9)
"""Fractions of the probability in the credible regions."""
SIGMA_PER_R90 = 1.0 / sqrt(-2.0 * log(0.1))
"""Standard deviation per axis of a round Gaussian over its 90 % radius (Rayleigh distribution)."""
ROUND = 0.1
"""Largest distance of the outline of a round region from the circle, relative to its radius."""


@dataclass(frozen=True)
class Observed:
    """Data of the observation for the headers of the files."""

    burst_id: str
    start: datetime
    """Start of the first GTI, UTC."""
    date: str
    """``DATE`` of the event file, UTC in ISO 8601."""
    calibration: Mapping[str, str]
    """Calibration item -> version used."""

    @classmethod
    def of(cls, events: EventFile, calibration: Mapping[str, str]) -> Observed:
        """Return the data from the header of an event file.

        Parameters
        ----------
        events
            Event file.
        calibration
            Calibration item -> version used.
        """
        header = events.header
        return cls(header["BURST_ID"], utc_from_met(events.tstart), header["DATE"], calibration)


def write_sky_files(
    out: Path, posterior: PositionPosterior, pointing: Pointing, position: Position, observed: Observed
) -> tuple[tuple[CredibleRegion, ...], dict[str, Product]]:
    """Write ``skymap.fits``, ``region90.fits`` and ``region90.reg``.

    Parameters
    ----------
    out
        Product folder.
    posterior
        Statistical posterior; the systematic error is added here as a round Gaussian.
    pointing
        Attitude of the observation.
    position
        Position with its error radii.
    observed
        Data for the headers.

    Returns
    -------
    regions, products
        Regions with 50 and 90 % of the probability; files by product name.
    """
    whole = posterior.smoothed(position.r90_sys_arcsec * SIGMA_PER_R90 / pixel_scale_arcsec())
    sky = sky_map(whole, pointing)
    regions = tuple(credible_region(sky, whole, pointing, part) for part in PARTS)
    contents = {
        "skymap": ("skymap.fits", sky_map_file(sky, observed)),
        "region90": ("region90.fits", moc_file(sky.uniq[sky.region(0.9)], observed)),
        "region90_ds9": ("region90.reg", ds9_file(position, regions[-1], observed.burst_id)),
    }
    products = {}
    for product, (name, content) in contents.items():
        write_atomically(out / name, content)
        products[product] = Product(path=name, sha256=sha256_of(content))
    return regions, products


def sky_map_file(sky: SkyMap, observed: Observed) -> bytes:
    """Return the multi-order sky map as a FITS file.

    Parameters
    ----------
    sky
        Map of the posterior.
    observed
        Data for the header.
    """
    columns = [Column("UNIQ", sky.uniq), Column("PROBDENSITY", sky.density, "sr-1")]
    return _fits("SKYMAP", columns, int(sky.order.max()), observed, [])


def moc_file(uniq: Cells, observed: Observed) -> bytes:
    """Return the coverage of cells as a FITS file.

    Parameters
    ----------
    uniq
        Cells, none of which contains another.
    observed
        Data for the header.
    """
    joined = joined_cells(uniq)
    order = int(uniq_to_level_ipix(joined)[0].max())
    cards = [
        ("MOCVERS", "2.0", "MOC version"),
        ("MOCDIM", "SPACE", "what is covered"),
        ("MOCORD_S", order, "finest order"),
        ("MOCTOOL", f"mxtvhf {__version__}", "software"),
    ]
    return _fits("MOC", [Column("UNIQ", joined)], order, observed, cards)


def joined_cells(uniq: Cells) -> Cells:
    """Return cells with each complete set of four replaced by its parent, ascending.

    The result is the unique MOC of a region.

    Parameters
    ----------
    uniq
        Cells, none of which contains another.
    """
    order, index = uniq_to_level_ipix(uniq)
    mothers = np.empty(0, dtype=np.int64)
    kept = []
    for level in range(int(order.max()), -1, -1):
        cells = np.union1d(index[order == level], mothers).astype(np.int64)
        mothers, sisters = np.unique(cells >> 2, return_counts=True)
        mothers = mothers[(sisters == 4) & (level > 0)]
        kept.append(level_ipix_to_uniq(level, cells[~np.isin(cells >> 2, mothers)]))
    return np.sort(np.concatenate(kept))


def _fits(
    name: str, columns: Sequence[Column], order: int, observed: Observed, cards: Sequence[Card]
) -> bytes:
    images = card_images(
        [
            ("PIXTYPE", "HEALPIX", "HEALPix pixelisation"),
            ("ORDERING", "NUNIQ", "cells by 4^(order + 1) + nested index"),
            ("COORDSYS", "C", "celestial (ICRS)"),
            ("MOCORDER", order, "finest order"),
            ("INDXSCHM", "EXPLICIT", "cells are listed"),
            *cards,
            *observation_cards(observed),
        ]
    )
    return b"".join([*primary_hdu(b""), *table_hdu(name, columns, images)])


def observation_cards(observed: Observed) -> list[Card]:
    """Return the header cards for object, time and calibration of the observation.

    Parameters
    ----------
    observed
        Data of the observation.
    """
    says, start = event_file_constants().primary, utc_text(observed.start).removesuffix("Z")
    return [
        ("OBJECT", observed.burst_id, "burst"),
        ("TELESCOP", "SVOM", "mission"),
        ("INSTRUME", "MXT", "instrument"),
        ("DATE-OBS", start, "[UTC] start of the first GTI"),
        ("MJD-OBS", float(Time(observed.start).mjd), "[d] start of the first GTI"),
        ("DATE", observed.date, "[UTC] when all inputs existed"),
        ("CREATOR", says.creator, "pipeline"),
        ("PIP_VER", __version__, "pipeline version"),
        ("ORIGIN", says.origin, "where the file was made"),
        *(("COMMENT", f"calibration: {item} {text}", "") for item, text in observed.calibration.items()),
    ]


def ds9_file(position: Position, region: CredibleRegion, burst_id: str) -> bytes:
    """Return the error circle as a DS9 region file, with the outline of the region unless it is round.

    Parameters
    ----------
    position
        Position with its error radius.
    region
        Credible region.
    burst_id
        Burst id for the label.
    """
    circle = ds9_circle(position)
    lines = [
        "# Region file format: DS9 version 4.1",
        "global color=magenta width=2",
        "icrs",
        f"{circle} # text={{{burst_id} {position.origin} R90}}",
    ]
    if not is_round(position, region):
        for outline in region.outlines:
            places = ",".join(f"{ra:.6f},{dec:+.6f}" for ra, dec in outline[:-1])
            lines.append(f"polygon({places}) # dash=1 text={{{100.0 * region.part:g} % region}}")
    return "\n".join([*lines, ""]).encode()


def ds9_circle(position: Position) -> str:
    """Return the 90 % error circle of a position as a DS9 shape.

    Parameters
    ----------
    position
        Position with its error radius.
    """
    ra = round(position.ra_deg, 6) % 360.0
    return f'circle({ra:.6f},{position.dec_deg:+.6f},{position.r90_arcsec or 0.0:.3f}")'


def is_round(position: Position, region: CredibleRegion) -> bool:
    """Return whether a region is close to the 90 % error circle of a position.

    Parameters
    ----------
    position
        Position with its error radius.
    region
        Credible region.
    """
    radius = position.r90_arcsec or 0.0
    if len(region.outlines) != 1:
        return False
    distances = [separation_arcsec(position.ra_deg, position.dec_deg, *place) for place in region.outlines[0]]
    return max(abs(distance - radius) for distance in distances) <= ROUND * radius

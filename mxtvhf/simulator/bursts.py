"""Public facts of real SVOM bursts, which can be replayed with simulated photons."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, Field, Strict

from mxtvhf.errors import InvalidInput
from mxtvhf.models.ids import BurstId
from mxtvhf.models.position import Declination, Origin, Position, RightAscension
from mxtvhf.models.quantities import Positive, RadiusArcsec, Text
from mxtvhf.models.toml import Constants, read_toml
from mxtvhf.notices.voevent import notice_position


class PublishedPosition(Constants):
    """A position of ``bursts.toml``, ICRS degrees."""

    origin: Annotated[Origin, Strict(False)] | None = None
    """None if the key gives it."""
    label: Text
    ra_deg: RightAscension
    dec_deg: Declination
    r90_arcsec: RadiusArcsec | None = None
    """Total 90 % radius, arcsec."""
    reference: Text | None = None


class BurstFacts(Constants):
    """Facts about one burst from public notices and circulars; facts that are not public are omitted."""

    burst_id: BurstId
    grb_name: Text | None = None
    trigger_time: AwareDatetime
    """T0 of the circular, else ``ISOTime`` of the first ECLAIRs notice, UTC."""
    mxt_start: AwareDatetime | None = None
    """Start of the MXT observation, UTC; None if there was none or it is not public."""
    eclairs_snr: Positive | None = None
    mxt_snr: Positive | None = None
    """On-board SNR; 255 means at least 255."""
    note: str = ""
    references: tuple[Text, ...] = Field(min_length=1)
    """Ivorns and GCN circulars."""


class PublishedBurstEntry(BurstFacts):
    """A burst of ``bursts.toml``."""

    eclairs: PublishedPosition | None = None
    mxt: PublishedPosition | None = None
    refined: PublishedPosition | None = None


class BurstList(Constants):
    """Contents of ``bursts.toml``."""

    burst: tuple[PublishedBurstEntry, ...] = Field(min_length=1)


class KnownBurst(BurstFacts):
    """A burst with its positions."""

    eclairs: Position | None = None
    mxt: Position | None = None
    """On-board MXT position with the smallest radius."""
    refined: Position | None = None
    """A better position: full-data MXT, VT, Swift-XRT, or the catalogued source."""

    @property
    def best(self) -> Position:
        """Position of the simulated source: the refined position, else that of MXT, else that of ECLAIRs."""
        best = self.refined or self.mxt or self.eclairs
        if best is None:
            raise InvalidInput(f"{self.burst_id}: its position is not public; give --ra and --dec")
        return best


@cache
def known_bursts() -> dict[str, KnownBurst]:
    """Return the bursts of ``bursts.toml`` by burst id, in the order of the file."""
    entries = read_toml(Path(__file__).with_name("bursts.toml"), BurstList).burst
    return {entry.burst_id: _burst(entry) for entry in entries}


def known_burst(burst_id: str) -> KnownBurst:
    """Return one burst.

    Parameters
    ----------
    burst_id
        SVOM burst id.

    Raises
    ------
    InvalidInput
        The burst is unknown; the message lists the known ones.
    """
    bursts = known_bursts()
    if burst_id not in bursts:
        raise InvalidInput(
            f"burst {burst_id!r} is unknown: give its position (--ra, --dec), or choose one of"
            f" {', '.join(bursts)}"
        )
    return bursts[burst_id]


def _burst(entry: PublishedBurstEntry) -> KnownBurst:
    positions = {
        "eclairs": _position(entry, entry.eclairs, Origin.ECLAIRS),
        "mxt": _position(entry, entry.mxt, Origin.MXT_ONBOARD),
        "refined": _position(entry, entry.refined, Origin.OTHER),
    }
    return KnownBurst.model_validate(dict(entry) | positions)


def _position(
    entry: PublishedBurstEntry, published: PublishedPosition | None, origin: Origin
) -> Position | None:
    if published is None:
        return None
    return notice_position(
        published.origin or origin,
        published.label,
        ra_deg=published.ra_deg,
        dec_deg=published.dec_deg,
        radius_arcsec=published.r90_arcsec,
        time=entry.trigger_time,
        reference=published.reference,
    )

"""Real SVOM bursts whose facts are public, so that one can be replayed with simulated photons."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import AwareDatetime

from mxtvhf.errors import InvalidInput
from mxtvhf.models.base import Model
from mxtvhf.models.ids import BurstId
from mxtvhf.models.position import Origin, Position
from mxtvhf.notices.voevent import notice_position


class KnownBurst(Model):
    """What public notices and circulars say about one burst."""

    burst_id: BurstId
    grb_name: str | None = None
    trigger_time: AwareDatetime
    """T0 of the circular, else ``ISOTime`` of the first ECLAIRs notice, UTC."""
    mxt_start: AwareDatetime | None = None
    """Start of the MXT observation, UTC; None when there was none or it is not public."""
    eclairs: Position | None = None
    eclairs_snr: float | None = None
    mxt: Position | None = None
    """The on-board MXT position with the smallest radius."""
    mxt_snr: float | None = None
    """On-board SNR; 255 means at least that."""
    refined: Position | None = None
    """A better position: full-data MXT, VT, Swift-XRT, or the catalogued source."""
    note: str = ""
    references: tuple[str, ...]
    """Ivorns and GCN circulars."""

    @property
    def best(self) -> Position:
        """The refined position, else MXT's, else ECLAIRs': where a replay puts its source."""
        best = self.refined or self.mxt or self.eclairs
        if best is None:
            raise InvalidInput(f"{self.burst_id}: its position is not public; give one (--ra, --dec)")
        return best


@cache
def known_bursts() -> dict[str, KnownBurst]:
    """Return the bursts of ``simulator/bursts.toml`` by burst id, in the order of the file."""
    entries = tomllib.loads((files("mxtvhf.simulator") / "bursts.toml").read_text())["burst"]
    return {entry["burst_id"]: _burst(entry) for entry in entries}


def known_burst(burst_id: str) -> KnownBurst:
    """Return one burst; `InvalidInput` that names the known ones when it is not among them."""
    bursts = known_bursts()
    if burst_id not in bursts:
        raise InvalidInput(f"burst {burst_id!r} is not known; known are {', '.join(bursts)}")
    return bursts[burst_id]


def _burst(entry: dict[str, Any]) -> KnownBurst:
    defaults = {"eclairs": Origin.ECLAIRS, "mxt": Origin.MXT_ONBOARD, "refined": Origin.OTHER}
    positions = {
        key: _position(entry, entry[key], origin) for key, origin in defaults.items() if key in entry
    }
    return KnownBurst.model_validate({**entry, **positions})


def _position(entry: dict[str, Any], facts: dict[str, Any], origin: Origin) -> Position:
    return notice_position(
        Origin(facts.get("origin", origin)),
        facts["label"],
        ra_deg=facts["ra_deg"],
        dec_deg=facts["dec_deg"],
        radius_arcsec=facts.get("r90_arcsec"),
        time=entry["trigger_time"],
        reference=facts.get("reference"),
    )

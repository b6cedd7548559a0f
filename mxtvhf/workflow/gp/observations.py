"""The table of GP's observations: which one belongs to which burst.

No SVOM notice carries GP's names of an observation, so an operator writes them down::

    [sb26112901]
    apid = "00810300005"
    target = "2"
    orbit = "2"
"""

from __future__ import annotations

from pathlib import Path

from mxtvhf.errors import InvalidInput
from mxtvhf.models.run_conf import Observation
from mxtvhf.models.toml import checked_toml, toml_content


def observation_of(burst_id: str, table: Path) -> Observation | None:
    """Return the observation of a burst by the table; None where the table does not name the burst.

    Only the burst's own entry is checked, so that a fault in another one does no harm.

    Parameters
    ----------
    burst_id
        The burst.
    table
        TOML file; a missing one names no burst.

    Raises
    ------
    InvalidInput
        The file cannot be read or is not TOML, or the burst's entry is not an `Observation`.
    """
    if not table.exists():
        return None
    entry = toml_content(table).get(burst_id)
    if entry is None:
        return None
    if not isinstance(entry, dict):
        raise InvalidInput(f"{table}: {burst_id}: expected a table with apid, target and orbit")
    return checked_toml(entry, Observation, name=f"{table}: {burst_id}")

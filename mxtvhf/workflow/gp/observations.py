"""Read the table that assigns GP's observations to bursts.

SVOM notices do not contain the identifiers of GP's observations, so an operator enters them in a TOML file::

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
    """Return a burst's observation from the table; None if the table does not contain the burst.

    Only the burst's own entry is validated, so that an error in another entry has no effect.

    Parameters
    ----------
    burst_id
        Burst id, ``sbYYMMDDnn``.
    table
        TOML file; if it is missing, the table is empty.

    Raises
    ------
    InvalidInput
        The file is unreadable or not TOML, or the burst's entry is not an `Observation`.
    """
    if not table.exists():
        return None
    entry = toml_content(table).get(burst_id)
    if entry is None:
        return None
    if not isinstance(entry, dict):
        raise InvalidInput(f"{table}: {burst_id}: expected a table with apid, target and orbit")
    return checked_toml(entry, Observation, name=f"{table}: {burst_id}")

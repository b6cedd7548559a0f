"""Convert between mission elapsed time (MET) and UTC.

MET counts SI seconds from the epoch of ``constants.toml``. No leap second was inserted between the epoch
(2017-01-01) and the date of this code, but one may be announced, so the conversion uses astropy's leap-second
table: the one of the package ``astropy-iers-data``, never one from the network. An expired table is still
used; it lacks leap seconds announced since then, so update the package.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import erfa

from mxtvhf.instrument.constants import instrument

if TYPE_CHECKING:
    from astropy.time import Time


@cache
def _time() -> Any:
    """Import astropy's time at the first conversion: most processes only show times, and it takes long."""
    from astropy.time import Time
    from astropy.utils import iers

    # Set before the first conversion, in which astropy looks for an up-to-date table, by default also in the
    # network, and warns if the table has expired.
    iers.conf.auto_download = False
    iers.conf.auto_max_age = None
    return Time


@cache
def _epoch() -> Time:
    return _time()(instrument().time.epoch_utc.rstrip("Z"), scale="utc").tt


def met_from_utc(moment: datetime) -> float:
    """Return the MET in seconds of a time-zone aware datetime (precise to about 0.1 us).

    Parameters
    ----------
    moment
        Time with a time zone.
    """
    utc = _time()(moment.astimezone(UTC).replace(tzinfo=None), scale="utc")
    return float((utc.tt - _epoch()).to_value("s"))


def utc_from_met(met: float) -> datetime:
    """Return the UTC of a mission elapsed time, to the microsecond.

    Parameters
    ----------
    met
        Mission elapsed time, s.
    """
    days, seconds = divmod(met, erfa.DAYSEC)
    epoch = _epoch()
    utc = erfa.taiutc(*erfa.tttai(epoch.jd1 + days, epoch.jd2 + seconds / erfa.DAYSEC))
    year, month, day, (hour, minute, second, microsecond) = erfa.d2dtf("UTC", 6, *utc)
    return datetime(year, month, day, hour, minute, second, microsecond, tzinfo=UTC)

"""Mission elapsed time (MET) and UTC.

MET counts SI seconds from the epoch of ``constants.toml``. No leap second was inserted between the
epoch (2017-01-01) and the date of this code, but one may come, so the conversion goes through astropy's
leap-second table: the one that comes with its package ``astropy-iers-data``, never one from the network. When
that is older than it says it is good for, it is used nevertheless; a leap second announced since then is
missing, and the package is to be updated.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import erfa
from astropy.time import Time
from astropy.utils import iers

from mxtvhf.instrument.constants import instrument

# Before the first conversion: it looks for a table that is good for long, by default in the network too, and
# warns of one that is not.
iers.conf.auto_download = False
iers.conf.auto_max_age = None


@cache
def _epoch() -> Time:
    return Time(instrument().time.epoch_utc.rstrip("Z"), scale="utc").tt


def met_from_utc(moment: datetime) -> float:
    """Seconds of MET of a time-zone aware datetime (precise to about 0.1 us)."""
    return float((Time(moment.astimezone(UTC).replace(tzinfo=None), scale="utc").tt - _epoch()).to_value("s"))


def utc_from_met(met: float) -> datetime:
    """UTC of a MET in seconds, to the microsecond."""
    days, seconds = divmod(met, erfa.DAYSEC)
    epoch = _epoch()
    utc = erfa.taiutc(*erfa.tttai(epoch.jd1 + days, epoch.jd2 + seconds / erfa.DAYSEC))
    year, month, day, (hour, minute, second, microsecond) = erfa.d2dtf("UTC", 6, *utc)
    return datetime(year, month, day, hour, minute, second, microsecond, tzinfo=UTC)

"""An event file's header and attitude."""

from datetime import UTC, datetime

import numpy as np

from mxtvhf.events.header import EventHeader
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.pointing import quaternion_of
from mxtvhf.instrument.time import met_from_utc

OBSERVED = datetime(2026, 5, 11, 11, 3, 32, tzinfo=UTC)
START = met_from_utc(OBSERVED)
HEADER = EventHeader(
    burst_id="sb26051102",
    ivorn="ivo://org.svom/fsc#sb26051102_mxt-initial_qf4",
    obs_id="00810300005_2_2",
    date=datetime(2026, 5, 11, 12, 0, 0, 500_000, tzinfo=UTC),
)


def attitude_history(flags=(1,) * 31, ra=123.456, dec=-45.6):
    count = len(flags)
    quaternion = np.tile(quaternion_of(ra, dec, 200.0), (count, 1))
    return AttitudeHistory(START + 10.0 * np.arange(count), quaternion, np.array(flags, bool))

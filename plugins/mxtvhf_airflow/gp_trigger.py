"""The former address of ``MxtGpTrigger``, for waits that began before an upgrade from version 0.1.

Airflow's database names the trigger of a deferred task by its class path. A run that waited for GP during
the upgrade still names this module; without it the triggerer cannot load the trigger, and the run loses GP's
result. Remove it in version 0.3: no wait is longer than a day (``gp_timeout_s``).
"""

from mxtvhf_airflow.triggers.gp import MxtGpTrigger

__all__ = ["MxtGpTrigger"]

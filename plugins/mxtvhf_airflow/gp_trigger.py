"""The former module of ``MxtGpTrigger``, for tasks deferred before an upgrade from version 0.1.

Airflow's database stores the class path of the trigger of a deferred task. A task that waited for GP during
the upgrade refers to this module. Without it the triggerer cannot load the trigger, and the run loses GP's
result. The module can be removed in version 0.3, because no wait is longer than a day (``gp_timeout_s``).
"""

from mxtvhf_airflow.triggers.gp import MxtGpTrigger

__all__ = ["MxtGpTrigger"]

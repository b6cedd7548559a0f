"""The reference General Program service: answers by the contract, analyses with our own localisation.

The real GP is the partner's. This one stands in for it where there is none: in the demo, in tests and
on a laptop. Its answers say what it is: same method, our photons among its own, so no independent
confirmation.
"""

from mxtvhf.simulator.gp.app import create_app
from mxtvhf.simulator.gp.server import serve

__all__ = ["create_app", "serve"]

"""Reference GP service: implements the contract of GP and analyses with our own localisation.

The partner operates the real GP. The reference GP replaces it where it is not available: in the demo, in
tests and on a laptop. Its answers identify it as such: it uses our method on data that include our photons,
so it is no independent confirmation.
"""

from mxtvhf.simulator.gp.app import create_app
from mxtvhf.simulator.gp.server import serve

__all__ = ["create_app", "serve"]

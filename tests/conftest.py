"""For all tests."""

from hypothesis import settings

# No time limit per example: a busy machine is no reason to fail.
settings.register_profile("mxtvhf", deadline=None)
settings.load_profile("mxtvhf")

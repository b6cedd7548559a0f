"""A clock that tests set."""


class Clock:
    """Returns its attribute ``now``, seconds."""

    def __init__(self, now=0.0):
        self.now = now

    def __call__(self):
        return self.now

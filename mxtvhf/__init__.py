"""MXT-VHF: from the VHF photons of SVOM/MXT to a position and a report for the Burst Advocate.

The names for notebooks and scripts (``__init__.pyi`` lists them) are loaded when they are first used::

    from mxtvhf import localise, read_event_file

    photons = read_event_file("events.fits").photons
    found = localise(photons.x, photons.y)
"""

import lazy_loader

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Measure the position of an X-ray source, and its error radius, from detected photons.

`localise` is imported on first use, because many processes need only the models of this package. The method
is derived in ``docs/explanation/localisation.md``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

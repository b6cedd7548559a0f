"""The position of a source from its photons, with its error radius.

`localise` is loaded when it is first used: the models of this package are read by processes that never
localise anything.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

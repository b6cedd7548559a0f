"""The position of a source from its photons, with its error radius.

`localise` is loaded when it is first used: the models of this package are read by processes that never
localise anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mxtvhf.localisation.position import SourceLocalisation, localise

__all__ = ["SourceLocalisation", "localise"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mxtvhf.localisation import position

    return getattr(position, name)

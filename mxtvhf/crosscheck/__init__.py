"""Cross-check: compare positions with each other and with catalogues, and recommend one."""

from mxtvhf.crosscheck.crosscheck import crosscheck
from mxtvhf.crosscheck.model import BurstVerdict, CrossCheck, SourceMatch
from mxtvhf.crosscheck.pairs import compare, name
from mxtvhf.crosscheck.settings import crosscheck_settings

__all__ = [
    "BurstVerdict",
    "CrossCheck",
    "SourceMatch",
    "compare",
    "crosscheck",
    "crosscheck_settings",
    "name",
]

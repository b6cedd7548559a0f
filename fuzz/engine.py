"""``python -m fuzz.engine TARGET CORPUS FINDINGS SECONDS``: fuzz one target; it ends the process.

The engine is atheris: LLVM's libFuzzer, guided by the coverage of this package's bytecode.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import atheris

LONGEST_INPUT = 65_536
"""Bytes."""
LONGEST_S, MOST_MB = 10, 2048
"""What one input may take; more is a finding."""


def fuzz(target: Callable[[bytes], None], corpus: Path, findings: Path, seconds: int) -> None:
    """Hand a target to libFuzzer, from the seeds in ``corpus``; what it finds is laid into ``findings``."""
    limits = [f"-max_len={LONGEST_INPUT}", f"-timeout={LONGEST_S}", f"-rss_limit_mb={MOST_MB}"]
    options = [f"-max_total_time={seconds}", f"-artifact_prefix={findings}/", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], str(corpus), *limits, *options], target)
    atheris.Fuzz()


def main() -> None:
    """Fuzz the target that the command line names."""
    with atheris.instrument_imports(include=["mxtvhf"]):
        from fuzz.targets import TARGETS
    name, corpus, findings, seconds = sys.argv[1:]
    fuzz(TARGETS[name], Path(corpus), Path(findings), int(seconds))


if __name__ == "__main__":
    main()

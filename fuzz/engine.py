"""Run libFuzzer through atheris, guided by the coverage of this package's bytecode."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import atheris

LONGEST_INPUT = 65_536
"""Largest input, bytes."""
LONGEST_S, MOST_MB = 10, 2048
"""Limits of time (s) and memory (MB) for one input; exceeding them is a finding."""


def fuzz(target: Callable[[bytes], None], corpus: Path, findings: Path, seconds: int) -> None:
    """Fuzz a target with the seeds in ``corpus``, write findings to ``findings``, and end the process."""
    limits = [f"-max_len={LONGEST_INPUT}", f"-timeout={LONGEST_S}", f"-rss_limit_mb={MOST_MB}"]
    options = [f"-max_total_time={seconds}", f"-artifact_prefix={findings}/", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], str(corpus), *limits, *options], target)
    atheris.Fuzz()


def fuzz_apart(target: Callable[[bytes], None], corpus: Path, findings: Path, seconds: int, log: Path) -> int:
    """Fuzz in a forked process, which already has the imported targets; return its exit status.

    The output of the process is written to ``log``.
    """
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        try:
            with log.open("wb") as file:
                os.dup2(file.fileno(), sys.stdout.fileno())
                os.dup2(file.fileno(), sys.stderr.fileno())
            fuzz(target, corpus, findings, seconds)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

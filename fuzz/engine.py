"""The engine is atheris: LLVM's libFuzzer, guided by the coverage of this package's bytecode."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import atheris

LONGEST_INPUT = 65_536
"""Bytes."""
LONGEST_S, MOST_MB = 10, 2048
"""What one input may take; more is a finding."""


def fuzz(target: Callable[[bytes], None], corpus: Path, findings: Path, seconds: int) -> None:
    """Hand a target to libFuzzer, from the seeds in ``corpus``; what it finds is laid into ``findings``.

    It ends the process.
    """
    limits = [f"-max_len={LONGEST_INPUT}", f"-timeout={LONGEST_S}", f"-rss_limit_mb={MOST_MB}"]
    options = [f"-max_total_time={seconds}", f"-artifact_prefix={findings}/", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], str(corpus), *limits, *options], target)
    atheris.Fuzz()


def fuzz_apart(target: Callable[[bytes], None], corpus: Path, findings: Path, seconds: int, log: Path) -> int:
    """Fuzz in a process forked from this one, which has imported the targets; return its exit status.

    ``log`` gets all that it prints.
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

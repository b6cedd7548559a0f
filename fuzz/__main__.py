"""Fuzz all targets, each in its own process, and print a table: ``python -m fuzz``."""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import atheris

from fuzz.engine import fuzz_apart

# What is instrumented once serves the processes of all targets. Each module would be named.
with redirect_stderr(StringIO()), atheris.instrument_imports(include=["mxtvhf"]):
    from fuzz.targets import TARGETS

from fuzz.seeds import seeds

FIGURES = {
    "inputs tried": r"stat::number_of_executed_units:\s+(\d+)",
    "per second": r"stat::average_exec_per_sec:\s+(\d+)",
    "coverage": r"cov: (\d+)",
}
"""Table column -> pattern of its number in libFuzzer's output; coverage counts branches."""


def main() -> int:
    """Fuzz the named targets, by default all; return 1 if there is a finding, else 0."""
    parser = argparse.ArgumentParser(
        prog="python -m fuzz", description="Fuzz code that reads external input."
    )
    parser.add_argument("target", nargs="*", help=f"{', '.join(TARGETS)}; default: all")
    parser.add_argument("--seconds", type=int, default=60, help="duration for each target (default 60)")
    parser.add_argument("--findings", type=Path, default=Path("var/fuzz"), help="folder of the findings")
    arguments = parser.parse_args()
    if unknown := set(arguments.target) - TARGETS.keys():
        parser.error(f"unknown target {', '.join(sorted(unknown))}; expected {', '.join(TARGETS)}")
    print("".join(f"{column:>16}" for column in ("target", *FIGURES)))
    starts = seeds()
    results = [
        fuzzed(name, starts[name], arguments.seconds, arguments.findings)
        for name in arguments.target or TARGETS
    ]
    return int(not all(results))


def fuzzed(name: str, starts: list[bytes], seconds: int, findings: Path) -> bool:
    """Fuzz one target and print its table row; return True if there is no finding."""
    own = findings / name
    own.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        corpus, log = Path(folder) / "corpus", Path(folder) / "log"
        corpus.mkdir()
        for number, seed in enumerate(starts):
            (corpus / f"{number:03d}").write_bytes(seed)
        status = fuzz_apart(TARGETS[name], corpus, own, seconds, log)
        output = log.read_text(errors="replace")
    numbers = [re.findall(pattern, output) or ["0"] for pattern in FIGURES.values()]
    print(f"{name:>16}" + "".join(f"{int(number[-1]):>16,}" for number in numbers), flush=True)
    if status:
        print(output[-6000:])
    return status == 0


if __name__ == "__main__":
    sys.exit(main())

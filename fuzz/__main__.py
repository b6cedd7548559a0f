"""``python -m fuzz``: all targets, each in a process of its own, and a table of what was tried."""

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
"""Column -> where libFuzzer prints its number; coverage counts branches."""


def main() -> int:
    """Fuzz the targets that are named, by default all; the status is 1 when one of them found something."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Fuzz what reads bytes from outside.")
    parser.add_argument("target", nargs="*", help=f"of {', '.join(TARGETS)}; default: all")
    parser.add_argument("--seconds", type=int, default=60, help="how long each (60)")
    parser.add_argument("--findings", type=Path, default=Path("var/fuzz"), help="folder for what is found")
    arguments = parser.parse_args()
    if unknown := set(arguments.target) - TARGETS.keys():
        parser.error(f"no target {', '.join(sorted(unknown))}")
    print("".join(f"{column:>16}" for column in ("target", *FIGURES)))
    starts = seeds()
    results = [
        fuzzed(name, starts[name], arguments.seconds, arguments.findings)
        for name in arguments.target or TARGETS
    ]
    return int(not all(results))


def fuzzed(name: str, starts: list[bytes], seconds: int, findings: Path) -> bool:
    """Fuzz one target and print its line; tell whether nothing was found."""
    place = findings / name
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        corpus, log = Path(folder) / "corpus", Path(folder) / "log"
        corpus.mkdir()
        for number, seed in enumerate(starts):
            (corpus / f"{number:03d}").write_bytes(seed)
        status = fuzz_apart(TARGETS[name], corpus, place, seconds, log)
        told = log.read_text(errors="replace")
    numbers = [re.findall(pattern, told) or ["0"] for pattern in FIGURES.values()]
    print(f"{name:>16}" + "".join(f"{int(number[-1]):>16,}" for number in numbers), flush=True)
    if status:
        print(told[-6000:])
    return status == 0


if __name__ == "__main__":
    sys.exit(main())

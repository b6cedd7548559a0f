"""Starting processes, and ending every one of them."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType

import psutil

from mxtvhf.errors import Failure

# Linux, prctl(2).
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
STEADY_S = 20.0
"""What ends sooner after its start is started again after a pause, each time a longer one."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class _Service:
    """A process that was started, and what is needed to start it again.

    Attributes
    ----------
    command, process
        As started.
    started
        When, by `time.monotonic`.
    short_lives
        How often in a row it ended soon after its start.
    ended
        When its end was noticed; None while it runs.
    """

    command: Sequence[str]
    process: subprocess.Popen[bytes]
    started: float
    short_lives: int = 0
    ended: float | None = None

    def note_end(self) -> None:
        """Write down the end, once."""
        if self.ended is None:
            self.ended = time.monotonic()
            self.short_lives = self.short_lives + 1 if self.ended - self.started < STEADY_S else 0

    @property
    def pause(self) -> float:
        """Seconds from its end to its next start."""
        return (
            min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (self.short_lives - 1)) if self.short_lives else 0.0
        )


class ProcessGroup:
    """The processes of a stack; leaving the context ends all of them and their descendants.

    Parameters
    ----------
    environment
        The environment that every process gets.
    logs
        Folder for one log file per process.
    grace
        Seconds between SIGTERM and SIGKILL.
    """

    def __init__(self, environment: Mapping[str, str], logs: Path, *, grace: float = 8.0) -> None:
        self.environment = dict(environment)
        self.logs = logs
        self.grace = grace
        self._running: dict[str, _Service] = {}
        self._not_ours: set[psutil.Process] = set()

    def __enter__(self) -> ProcessGroup:
        """Make orphaned descendants our own children, so that none can escape the clean-up."""
        self._not_ours = set(psutil.Process().children())
        adopt_orphans()
        self.logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything that runs."""
        self.stop()
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)

    def start(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own, so that the terminal's Ctrl-C reaches only us."""
        with (self.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        before = self._running.get(name)
        self._running[name] = _Service(
            command, process, time.monotonic(), short_lives=before.short_lives if before else 0
        )
        return process

    def pid(self, name: str) -> int:
        """Process id of a process that was started."""
        return self._running[name].process.pid

    def revive(self) -> dict[str, int]:
        """Start again every process that has ended, and return which, each with its exit status.

        What ended soon after its start is left alone for a pause, each time a longer one. Processes that an
        ended one left behind are ended, too: a second scheduler beside the old one's workers would do their
        tasks twice.
        """
        revived = {}
        for name, service in list(self._running.items()):
            status = service.process.poll()
            if status is None:
                continue
            service.note_end()
            _kill_session(service.process.pid)
            if service.ended is not None and time.monotonic() >= service.ended + service.pause:
                self.start(name, service.command)
                revived[name] = status
        return revived

    def leave_alone(self, pid: int) -> None:
        """Do not end a process that looks like a descendant's orphan, and what is below it."""
        self._not_ours.add(psutil.Process(pid))

    def run(self, name: str, command: Sequence[str]) -> None:
        """Run a process to its end.

        Raises
        ------
        Failure
            It ended with another status than 0; the message holds the end of its log.
        """
        if status := self.start(name, command).wait():
            raise Failure(f"{name} ended with status {status}:\n{self.log_tail(name)}")
        del self._running[name]

    def check(self) -> None:
        """Raise ``Failure`` when a process that should run has ended."""
        for name, service in self._running.items():
            if (status := service.process.poll()) is not None:
                raise Failure(f"{name} ended with status {status}:\n{self.log_tail(name)}")

    def log_tail(self, name: str, lines: int = 15) -> str:
        """Return the last lines of a process's log."""
        text = (self.logs / f"{name}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def stop(self) -> None:
        """End every process and its descendants: SIGTERM, then SIGKILL after the grace."""
        # Newest first: what depends on a service ends before the service.
        everything = self._members()
        for service in reversed(self._running.values()):
            _signal_session(service.process.pid, signal.SIGTERM)
        _, alive = psutil.wait_procs(everything, timeout=self.grace)
        stubborn = {*alive, *self._members()}
        for child in stubborn:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(stubborn, timeout=self.grace)
        for service in self._running.values():
            service.process.wait(self.grace)
        self._running.clear()

    def _members(self) -> set[psutil.Process]:
        """All processes below the started ones, and the orphans among them that became our children.

        An orphan is known by its session: what is started here, and below, is in sessions of its own, while
        other children of the caller share the caller's.
        """
        members = set()
        for child in set(psutil.Process().children()) - self._not_ours:
            with suppress(psutil.NoSuchProcess, ProcessLookupError):
                if os.getsid(child.pid) != os.getsid(0):
                    members |= {child, *child.children(recursive=True)}
        return members


def stop_on_signals() -> None:
    """Let Ctrl-C, SIGTERM and SIGHUP raise ``KeyboardInterrupt``, each of them once."""
    for number in STOP_SIGNALS:
        signal.signal(number, _interrupt)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    # A second Ctrl-C must not interrupt the ending of the processes.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def adopt_orphans() -> None:
    """Make orphaned descendants of this process its children from now on."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_with_parent() -> None:
    """Let the kernel end a child whose parent was killed in a way that it could not clean up."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _signal_session(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


def _kill_session(leader: int) -> None:
    """End what is left of a session whose leader has ended; a task of Airflow's has its own group in it."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getsid(process.pid) == leader:
                process.kill()


def wait_until(
    condition: Callable[[], bool], *, what: str, timeout: float, processes: ProcessGroup | None = None
) -> None:
    """Wait for a condition, noticing at once when a process dies.

    Raises
    ------
    Failure
        The time is over, or one of the processes ended.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if processes is not None:
            processes.check()
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not ready after {timeout:.0f} s")
        time.sleep(0.1)

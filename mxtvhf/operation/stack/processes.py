"""Start, restart and clean-up of child processes."""

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
"""Run time below which a process counts as failed at its start, seconds. Its restarts are delayed."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
POLL_S, SLOWEST_POLL_S = 0.1, 0.5
"""First and longest interval between two checks of a condition, seconds. Each check may be a request that
costs the API server some 30 ms of CPU time."""
MISSED_S = 1.0
"""Time after SIGTERM at which a process that missed the end of its child is killed, seconds."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class _Service:
    """A started process and the data for its restart.

    Attributes
    ----------
    command
        Its command line.
    process
        The running process.
    started
        Time of the start by `time.monotonic`, seconds.
    misses_child
        True if the process may wait for a child that has ended, see `ProcessGroup.start`.
    short_lives
        Number of successive ends within `STEADY_S` of the start.
    ended
        Time at which the end was noticed, seconds; None while the process runs.
    """

    command: Sequence[str]
    process: subprocess.Popen[bytes]
    started: float
    misses_child: bool = False
    short_lives: int = 0
    ended: float | None = None

    def note_end(self) -> None:
        """Record the end of the process, once."""
        if self.ended is None:
            self.ended = time.monotonic()
            self.short_lives = self.short_lives + 1 if self.ended - self.started < STEADY_S else 0

    @property
    def pause(self) -> float:
        """Return the pause between the end and the next start, seconds."""
        return (
            min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (self.short_lives - 1)) if self.short_lives else 0.0
        )


class ProcessGroup:
    """A context of processes that ends all of them and their descendants when it is left.

    Parameters
    ----------
    environment
        Environment variables of every process.
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
        """Adopt orphaned descendants, so that the clean-up finds all of them."""
        self._not_ours = set(psutil.Process().children())
        adopt_orphans()
        self.logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all processes."""
        self.stop()
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)

    def start(
        self, name: str, command: Sequence[str], *, misses_child: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start a process in its own session, so that the terminal's Ctrl-C reaches only this process.

        Parameters
        ----------
        name
            Name of the process and of its log.
        command
            Command line.
        misses_child
            True if the process may go on waiting for a child that has ended, and then has nothing to save.
        """
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
            command,
            process,
            time.monotonic(),
            misses_child=misses_child,
            short_lives=before.short_lives if before else 0,
        )
        return process

    def pid(self, name: str) -> int:
        """Return the process id of a started process."""
        return self._running[name].process.pid

    def revive(self) -> dict[str, int]:
        """Restart every process that has ended, and return their names and exit statuses.

        A process that ended soon after its start is restarted after a pause, which grows each time. Processes
        that an ended process left behind are killed first. Otherwise a new scheduler would run the tasks of
        the old scheduler's workers a second time.
        """
        revived = {}
        for name, service in list(self._running.items()):
            status = service.process.poll()
            if status is None:
                continue
            service.note_end()
            _kill_session(service.process.pid)
            if service.ended is not None and time.monotonic() >= service.ended + service.pause:
                self.start(name, service.command, misses_child=service.misses_child)
                revived[name] = status
        return revived

    def leave_alone(self, pid: int) -> None:
        """Exclude a process and its descendants from the clean-up, although it looks like our orphan."""
        self._not_ours.add(psutil.Process(pid))

    def run(self, name: str, command: Sequence[str]) -> None:
        """Run a process to its end.

        Raises
        ------
        Failure
            The exit status is not 0. The message contains the end of the log.
        """
        if status := self.start(name, command).wait():
            raise Failure(f"{name} ended with status {status}:\n{self.log_tail(name)}")
        del self._running[name]

    def check(self) -> None:
        """Check that all processes run.

        Raises
        ------
        Failure
            A process has ended. The message contains the end of its log.
        """
        for name, service in self._running.items():
            if (status := service.process.poll()) is not None:
                raise Failure(f"{name} ended with status {status}:\n{self.log_tail(name)}")

    def log_tail(self, name: str, lines: int = 15) -> str:
        """Return the last lines of the log of a process."""
        text = (self.logs / f"{name}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def stop(self) -> None:
        """End every process and its descendants by SIGTERM, and by SIGKILL after the grace period.

        A process that waits for a child that has ended is killed earlier, see `start`.
        """
        # The newest process ends first, because later processes depend on earlier ones.
        everything = self._members()
        for service in reversed(self._running.values()):
            _signal_session(service.process.pid, signal.SIGTERM)
        _, alive = psutil.wait_procs(everything, timeout=min(MISSED_S, self.grace))
        for service in self._running.values():
            if service.misses_child and not _has_child(service.process.pid):
                _signal_session(service.process.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(alive, timeout=max(0.0, self.grace - MISSED_S))
        stubborn = {*alive, *self._members()}
        for child in stubborn:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(stubborn, timeout=self.grace)
        for service in self._running.values():
            service.process.wait(self.grace)
        self._running.clear()

    def _members(self) -> set[psutil.Process]:
        """Return the started processes, their descendants, and adopted orphans of these.

        Sessions identify orphans: processes started here are in sessions of their own, whereas other children
        of the caller share its session.
        """
        members = set()
        for child in set(psutil.Process().children()) - self._not_ours:
            with suppress(psutil.NoSuchProcess, ProcessLookupError):
                if os.getsid(child.pid) != os.getsid(0):
                    members |= {child, *child.children(recursive=True)}
        return members


def stop_on_signals() -> None:
    """Make the first Ctrl-C, SIGTERM or SIGHUP raise ``KeyboardInterrupt``."""
    for number in STOP_SIGNALS:
        signal.signal(number, _interrupt)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    # A second Ctrl-C must not interrupt the clean-up.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def adopt_orphans() -> None:
    """Make this process the parent of its orphaned descendants."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_with_parent() -> None:
    """Make the kernel end this child if its parent is killed without cleaning up."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _signal_session(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


def _has_child(pid: int) -> bool:
    """Return True if a process has a running child; one that ended and was not waited for does not count."""
    statuses = set()
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children():
            with suppress(psutil.NoSuchProcess):
                statuses.add(child.status())
    return bool(statuses - {psutil.STATUS_ZOMBIE})


def _kill_session(leader: int) -> None:
    """Kill the processes left in a session. Each Airflow task has its own process group in the session."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getsid(process.pid) == leader:
                process.kill()


def wait_until(
    condition: Callable[[], bool],
    *,
    what: str,
    timeout: float,
    processes: ProcessGroup | None = None,
    every: float = POLL_S,
) -> None:
    """Wait until a condition holds, and stop waiting at once if a process ends.

    The condition is checked at intervals of a tenth of the time waited so far, within ``every`` and
    `SLOWEST_POLL_S`, in seconds.

    Raises
    ------
    Failure
        The time is over, or one of the processes ended.
    """
    started = time.monotonic()
    while not condition():
        if processes is not None:
            processes.check()
        waited = time.monotonic() - started
        if waited > timeout:
            raise Failure(f"{what}: not ready after {timeout:.0f} s")
        time.sleep(min(max(every, 0.1 * waited), SLOWEST_POLL_S))

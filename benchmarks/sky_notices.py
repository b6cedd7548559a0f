"""Time the notices of other missions: filing, comparison with a month of bursts, and a storm beside an alert.

Run ``python -m benchmarks.sky_notices [--notices N] [--storm N]`` in the root of the project. A month of
notices and bursts is written to a temporary folder; its disk is part of the measurement, since every notice
is durable before it is acknowledged. The storm is stored and read in threads beside the one that files our
own alerts.

``--airflow`` starts the embedded stack instead and drops alerts into its inbox, one after the other: some
without a storm, some while notices of other missions arrive there at the rate of ``--storm`` in a minute, in
turn for ``--rounds``. The notices are written before and moved by a thread of the lowest priority, which
stands for other machines. Some alerts are dropped while it moves notices into a folder that nobody reads:
what it takes from the disk and processor is not the delay that our software adds. The event times of all
notices lie in the windows of the alerts, so that they are compared. The table gives the time from an alert
to its reports: medians, and the standard deviation of their ratio in 1000 bootstrap samples.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np
import psutil

from benchmarks.alerts import write_alerts
from benchmarks.latency import PROJECT
from benchmarks.runs import Runs
from benchmarks.storm import REPORTS, alerts_ended
from mxtvhf.archive.archive import Archive
from mxtvhf.intake.filing import file_message
from mxtvhf.intake.open_bursts import OpenBursts
from mxtvhf.intake.precedence import BREAK_S, HOLD_S
from mxtvhf.intake.sky_notices import SkyNotices
from mxtvhf.intake.spool import ReceivedMessage
from mxtvhf.models.position import Origin
from mxtvhf.notices.alert import Alert
from mxtvhf.notices.voevent import notice_position
from mxtvhf.notification.ledger import Ledger
from mxtvhf.notification.model import Occurrence
from mxtvhf.notification.sky_events import SkyWatch
from mxtvhf.operation.stack.embedded import embedded_stack
from mxtvhf.operation.stack.processes import wait_until
from mxtvhf.settings import Settings
from mxtvhf.simulator.notices import write_notice
from mxtvhf.simulator.sky_notices import write_gcn_json
from mxtvhf.sky_notices.coincidence import other_missions
from mxtvhf.sky_notices.store import SkyStore

NOW = datetime(2026, 11, 30, 20, tzinfo=UTC)
DAYS = 30
GOAL_MS = 20.0
ALERTS = 40
DELAY_GOAL = 1.05
"""Largest ratio of the times of reports in a storm and without one."""
ONE_RUN = {"quiet_seconds": 7200, "close_seconds": 14400}
"""Long pauses, so that each burst gets only one run."""
WARM_UP = 2
QUIET, SENDER, STORM = "no storm", "sender alone", "storm"
"""What runs beside the alerts: nothing, the sender of the notices, and the sender with our software."""
LOAD = "load of the listener"
ROWS = (*REPORTS, LOAD)
LONGEST_S = 60.0
"""Longest time of the alerts of a round, for which notices are written, seconds."""


def gbm(number: int, moment: datetime, random: np.random.Generator) -> bytes:
    """Return a notice of Fermi GBM in a random direction."""
    return write_gcn_json(
        "fermi/gbm/trigger", f"{number}", moment, published=moment, mission="Fermi", instrument="GBM",
        ra=random.uniform(0.0, 360.0), dec=random.uniform(-80.0, 80.0), ra_dec_error=4.0, image_snr=8.0,
    )  # fmt: skip


def alert_of(burst_id: str, moment: datetime) -> bytes:
    """Return the notice of a burst of ours."""
    ivorn = f"ivo://org.svom/fsc#{burst_id}_eclairs-wakeup"
    position = notice_position(
        Origin.ECLAIRS,
        "eclairs-wakeup",
        ra_deg=170.0,
        dec_deg=60.0,
        radius_arcsec=300.0,
        time=moment,
        reference=ivorn,
    )
    facts = {"notice_type": "eclairs-wakeup", "packet_type": 202, "notice_level": "N1", "role": "observation"}
    times = {"published": moment, "event_time": moment, "trigger_time": moment}
    about = {
        "ivorn": ivorn,
        "burst_id": burst_id,
        "instrument": "ECLAIRs",
        "position": position,
        "attitude": None,
    }
    absent = {name: None for name, field in Alert.model_fields.items() if field.is_required()}
    return write_notice(Alert.model_validate({**absent, **facts, **times, **about}))


def month(archive: Archive, ledger: Ledger, notices: int, random: np.random.Generator) -> list[str]:
    """Write a month of bursts, three a day, and of notices; return the ids of the bursts."""
    bursts, opened, store = [], OpenBursts(archive.root), SkyStore(archive.root)
    for day in range(DAYS):
        for hour in (3, 11, 18):
            moment = NOW - timedelta(days=day, hours=hour)
            burst_id = f"sb{moment:%y%m%d}{hour:02d}"
            raw = alert_of(burst_id, moment)
            file_message(ReceivedMessage(raw, "benchmark", moment), archive, opened)
            about = {"key": "first_notice", "event": "first_notice", "subject": burst_id, "raised": moment}
            ledger.raise_occurrence(Occurrence(title="t", body="b", **about))
            bursts.append(burst_id)
    for number in range(notices):
        moment = NOW - timedelta(days=DAYS * random.random())
        store.read(store.keep(gbm(number, moment, random), received=moment, source="benchmark"), moment)
    return bursts


def storm(archive: Archive, count: int, random: np.random.Generator, stop: threading.Event) -> SkyNotices:
    """Store and read a storm of notices in two threads, as sources and the listener do."""
    notices = SkyNotices(SkyStore(archive.root))

    def arrive() -> None:
        for number in range(count):
            if stop.is_set():
                return
            notices.keep(ReceivedMessage(gbm(10**6 + number, NOW, random), "storm", NOW))

    for work in (arrive, lambda: notices.run(stop)):
        threading.Thread(target=work, daemon=True).start()
    return notices


def alert_times(archive: Archive, first: int) -> list[float]:
    """Return the times of filing alerts of ours, one each 0.1 s, seconds."""
    opened, times = OpenBursts(archive.root), []
    for number in range(ALERTS):
        raw = alert_of(f"sb2701{first + number:04d}", NOW)
        start = time.perf_counter()
        file_message(ReceivedMessage(raw, "benchmark", NOW), archive, opened)
        times.append(time.perf_counter() - start)
        time.sleep(0.1)
    return times


def write_storm(folder: Path, count: int, moment: datetime, random: np.random.Generator) -> list[Path]:
    """Write notices with event times about a moment, as those that other machines send."""
    folder.mkdir()
    paths = []
    for _ in range(count):
        about = moment + timedelta(seconds=float(random.uniform(-200.0, 200.0)))
        paths.append(folder / f"{time.time_ns()}.json")
        paths[-1].write_bytes(gbm(time.time_ns(), about, random))
    return paths


@contextmanager
def arriving_in(folder: Path, rate_hz: float, notices: Iterator[Path]) -> Iterator[None]:
    """Move written notices into a folder at a rate, until the block ends."""
    stop = threading.Event()

    def arrive() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)  # stands for other machines
        began, number = time.monotonic(), 0
        while not stop.wait(0.05):
            due = int(rate_hz * (time.monotonic() - began))
            for path in islice(notices, due - number):
                path.rename(folder / path.name)
            number = due

    thread = threading.Thread(target=arrive, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def whole_reports(folder: Path, alerts: int, rounds: int, storm: int, port: int) -> None:
    """Print the times of reports with and without a storm of notices."""
    random, settings = np.random.default_rng(1), Settings(state=folder / "var", intake=ONE_RUN)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    names = [f"sb{yesterday:%y%m%d}{number:02d}" for number in range(1, 3 * alerts * rounds + WARM_UP + 1)]
    bursts = iter(write_alerts(folder / "bursts", names))
    noon = yesterday.replace(hour=12, minute=0, second=0, microsecond=0)
    times: dict[str, dict[str, list[float]]] = {
        beside: {name: [] for name in ROWS} for beside in (QUIET, SENDER, STORM)
    }
    written = iter(write_storm(folder / "storm", int(2 * storm / 60.0 * LONGEST_S * rounds), noon, random))
    unread = folder / "unread"
    unread.mkdir()
    with (
        embedded_stack(settings, project=PROJECT, port=port, gp_port=port + 1) as stack,
        closing(Runs(stack)) as ran,
    ):
        store, waited = SkyStore(settings.archive), []
        listener = psutil.Process(stack.processes.pid("listen"))

        def measure(number: int, into: dict[str, list[float]]) -> None:
            for _ in range(number):
                before, began = sum(listener.cpu_times()), time.monotonic()
                ended = alerts_ended(ran, settings, [next(bursts)], 0.0)
                for name in REPORTS:
                    into[name].extend(ended.took(name))
                into[LOAD].append((sum(listener.cpu_times()) - before) / (time.monotonic() - began))

        measure(WARM_UP, {name: [] for name in ROWS})
        for _ in range(rounds):
            measure(alerts, times[QUIET])
            with arriving_in(unread, storm / 60.0, written):
                measure(alerts, times[SENDER])
            time.sleep(HOLD_S + BREAK_S)  # else the alerts before would use up the time of precedence
            with arriving_in(settings.inbox, storm / 60.0, written):
                measure(alerts, times[STORM])
            ended = time.monotonic()
            wait_until(
                lambda: not any(settings.inbox.glob("*.json")) and not store.has_unread,
                what="reading the notices of the storm",
                timeout=3600.0,
            )
            waited.append(time.monotonic() - ended)
        read = store.counts()["read"]
    print(f"{alerts * rounds} alerts each; {storm} notices of other missions a minute; seconds:")
    for name in REPORTS:
        for beside, measured in times.items():
            print(f"  {name:20s} {beside:12s} {median(measured[name]):6.2f}   {_list(measured[name])}")
        for beside in (QUIET, SENDER):
            ratio = _ratio(times[STORM][name], times[beside][name], random)
            print(f"  {name:20s} {STORM} / {beside}: {ratio} (goal: {DELAY_GOAL})")
    loads = ", ".join(f"{beside} {median(measured[LOAD]):.3f}" for beside, measured in times.items())
    print(f"  {LOAD}, cores: {loads}")
    print(f"  {read} notices, all read after the storms: {_list(waited)} s")


def _ratio(above: list[float], below: list[float], random: np.random.Generator) -> str:
    drawn = [
        median(random.choice(above, len(above))) / median(random.choice(below, len(below)))
        for _ in range(1000)
    ]
    return f"{median(above) / median(below):.2f} +- {np.std(drawn):.2f}"


def _list(values: list[float]) -> str:
    return " ".join(f"{value:.1f}" for value in values)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notices", type=int, default=600)
    parser.add_argument("--storm", type=int, default=10_000)
    parser.add_argument("--airflow", action="store_true", help="time whole reports on an embedded Airflow")
    parser.add_argument("--alerts", type=int, default=6, help="alerts in each part of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port", type=int, default=18080)
    given = parser.parse_args()
    if given.airflow:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            whole_reports(Path(folder), given.alerts, given.rounds, given.storm, given.port)
        return
    random = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        archive, ledger = Archive(Path(folder) / "archive"), Ledger(Path(folder) / "notifications")
        archive.root.mkdir()
        bursts = month(archive, ledger, given.notices, random)
        store, watch = SkyStore(archive.root), SkyWatch(archive, ledger, None)
        watch.look(NOW)
        rows: dict[str, list[float]] = {
            "stored durably": [],
            "read and indexed": [],
            "compared with 30 days": [],
        }
        for number in range(200):
            burst = NOW - timedelta(days=int(random.integers(DAYS)), hours=int(random.choice([3, 11, 18])))
            moment = burst + timedelta(seconds=float(random.uniform(-200.0, 200.0)))
            raw = gbm(10**5 + number, moment, random)
            start = time.perf_counter()
            path = store.keep(raw, received=NOW, source="benchmark")
            kept = time.perf_counter()
            store.read(path, NOW)
            read = time.perf_counter()
            watch.look(NOW)
            for row, seconds in zip(
                rows.values(), (kept - start, read - kept, time.perf_counter() - read), strict=True
            ):
                row.append(seconds)
        total = [sum(one) for one in zip(*rows.values(), strict=True)]
        print(f"{len(bursts)} bursts, {given.notices} notices in {DAYS} days; median of 200 notices:")
        for name, row in (*rows.items(), ("all", total)):
            print(f"  {name:44s} {median(row) * 1e3:9.2f} ms")
        print(f"  goal: {GOAL_MS:.0f} ms, {'reached' if median(total) * 1e3 <= GOAL_MS else 'missed'}")
        start = time.perf_counter()
        other_missions(store, bursts[0], NOW - timedelta(hours=3), None, is_test=False)
        print(f"  {'coincidences of a burst':44s} {(time.perf_counter() - start) * 1e3:9.2f} ms")
        quiet = alert_times(archive, 0)
        stop = threading.Event()
        storm(archive, given.storm, random, stop)
        busy = alert_times(archive, 5000)
        stop.set()
        print(f"  filing an alert: {median(quiet) * 1e3:.1f} ms; in a storm: {median(busy) * 1e3:.1f} ms")


if __name__ == "__main__":
    main()

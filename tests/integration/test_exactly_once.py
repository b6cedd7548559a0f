"""The intake with a real Airflow and NATS: each input gets exactly one run despite killed processes."""

import json
import os
import random
import signal
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from mxtvhf.archive.archive import Archive
from mxtvhf.archive.stream_gaps import read_gaps
from mxtvhf.intake.alive import alive_file
from mxtvhf.intake.planned import planned_runs
from mxtvhf.intake.spool import Spool
from mxtvhf.models.files import sha256_of
from mxtvhf.notices.voevent import read_alert
from mxtvhf.operation.health import health
from mxtvhf.operation.stack.embedded import embedded_stack
from mxtvhf.operation.stack.processes import wait_until
from mxtvhf.settings import Settings
from mxtvhf.simulator.notices import eclairs_wakeup_notice, onboard_mxt_notice, write_notice
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from support.airflow_runs import Runner, all_run_ids, end_queued, state_folder
from support.nats_server import NatsServer, free_port
from support.project import PROJECT
from support.vhf_network import ODD_HEADERS, ODD_SUBJECTS, Publisher, publish_raw

pytestmark = [pytest.mark.integration, pytest.mark.timeout(3000)]

MESSAGES, REPEATED, CORRUPT = 1000, 300, 50
WITH_PACKETS = 40
RUN_ALL = os.environ.get("MXTVHF_STORM") == "all"
SAMPLE = 6


@pytest.fixture(scope="module")
def nats_server(tmp_path_factory):
    with NatsServer(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture(scope="module")
def settings(nats_server):
    with state_folder() as state:
        yield Settings(
            state=state,
            nats_url=nats_server.url,
            # The DAG is paused at first. No report then admits the next runs, which start after 10 s.
            intake={"quiet_seconds": 3600, "close_seconds": 7200, "analyses_at_once": 20},
        )


@pytest.fixture(scope="module")
def stack(settings):
    with embedded_stack(settings, project=PROJECT, port=free_port(), gp_port=free_port()) as running:
        yield running


@pytest.fixture(scope="module")
def run(stack, settings):
    return Runner(stack, settings)


def simulated_packets(burst_id, folder):
    write_scenario(
        scenario_of(burst_id, ra_deg=120.0, dec_deg=-20.0, counts=80, background=30, seed=3), folder
    )
    return (folder / "packets.bin").read_bytes()


def the_messages(folder):
    """Return distinct valid inputs and corrupt ones as (subject, bytes)."""
    rng, draw = np.random.default_rng(11), random.Random(11)
    distinct = MESSAGES - REPEATED - CORRUPT
    notices, packets, day = [], [], datetime(2027, 1, 1, 12, tzinfo=UTC)
    while len(notices) + len(packets) < distinct:
        burst_id = f"sb{day + timedelta(days=len(notices) // 4):%y%m%d}{1 + len(notices) % 40:02d}"
        wakeup = eclairs_wakeup_notice(
            burst_id, ra_deg=120.0, dec_deg=-20.0, trigger_time=day, snr=12.0, rng=rng, role="observation"
        )
        notices.append(write_notice(wakeup))
        if len(packets) < WITH_PACKETS:
            packets.append(simulated_packets(burst_id, folder / burst_id))
        elif len(notices) + len(packets) < distinct and draw.random() < 0.4:
            onboard = onboard_mxt_notice(
                wakeup, ra_deg=120.0, dec_deg=-20.0, start=day + timedelta(minutes=3), snr=60.0, rng=rng
            )
            notices.append(write_notice(onboard))
    corrupt = [damaged(draw, draw.choice(notices + packets), number) for number in range(CORRUPT)]
    return notices, packets, corrupt


def damaged(draw, raw, number):
    """Damage a message so that no part of it is usable."""
    kind = number % 3
    if kind == 0:
        # Too short for a whole packet as well as for a notice.
        return raw[: 20 + number // 3]
    if kind == 1:
        return bytes(byte ^ 0x55 for byte in raw[:400]) + number.to_bytes(2)
    return b"<VOEvent>" + draw.randbytes(30).hex().encode() + b"</VOEvent>"


def test_each_valid_input_gets_exactly_one_run_despite_killed_processes(
    stack, settings, run, nats_server, tmp_path
):
    """1000 messages, 30 % repeated, 5 % corrupt; listener killed 5 times, NATS twice, the API once."""
    notices, packets, corrupt = the_messages(tmp_path)
    valid = [
        *(("mxtvhf.in.alerts", raw) for raw in notices),
        *(("mxtvhf.in.packets.x", raw) for raw in packets),
    ]
    draw = random.Random(12)
    messages = valid + draw.choices(valid, k=REPEATED) + [("mxtvhf.in.alerts", raw) for raw in corrupt]
    draw.shuffle(messages)
    assert len(messages) == MESSAGES
    assert len(set(corrupt)) == CORRUPT
    run.api._send("PATCH", "/api/v2/dags/mxt_vhf", json={"is_paused": True})
    publisher = threading.Thread(
        target=Publisher(nats_server.url).send, args=(messages, 0.02), daemon=True, name="VHF network"
    )
    publisher.start()
    archive = Archive(settings.archive)
    for number in range(5):
        before = len(plan_files(archive))
        wait_until(lambda: len(plan_files(archive)) >= before + 15, what="some work", timeout=300)  # noqa: B023
        os.kill(stack.processes.pid("listen"), signal.SIGKILL)
        revive(stack, "listen")
        if number in (1, 3):
            nats_server.kill()
            nats_server.start()
        if number == 2:
            os.kill(stack.processes.pid("api-server"), signal.SIGKILL)
            revive(stack, "api-server")
    # The same by another way: no further run.
    for number, raw in enumerate(notices[:10]):
        (settings.inbox / f"{number}.xml").write_bytes(raw)
    publisher.join()
    wait_until(stack.api.is_healthy, what="Airflow", timeout=300)
    wait_until(lambda: is_done(archive, settings, notices, corrupt, packets), what="the intake", timeout=600)

    planned = plans(archive)
    created = all_run_ids(run.api)
    assert sorted(created) == sorted(plan.run_id for plan, _ in planned)
    assert all(submission.outcome == "accepted" for _, submission in planned)
    by_notice = [plan.conf.alert.rpartition("/")[2] for plan, _ in planned if plan.cause == "notice"]
    assert sorted(by_notice) == sorted(f"{sha256_of(raw)}.xml" for raw in notices)
    with_packets = [plan.conf.packets.rpartition("/")[2] for plan, _ in planned if plan.packets]
    assert sorted(set(with_packets)) == sorted({f"{sha256_of(raw)}.bin" for raw in packets})
    assert len(with_packets) == len(packets)
    quarantined = {path.stem for path in archive.root.glob("quarantine/*.bin")}
    assert quarantined == {sha256_of(raw) for raw in corrupt}
    assert list(read_gaps(archive.root)) == []
    finish_some(run, planned)


def revive(stack, name):
    def back():
        time.sleep(0.2)
        return name in stack.processes.revive()

    wait_until(back, what=name, timeout=30)


def plan_files(archive):
    return list(archive.root.glob("sb*/planned/[0-9][0-9][0-9][0-9].json"))


def plans(archive):
    """Return all planned runs with their submissions."""
    return [entry for folder in archive.root.glob("sb*") for entry in planned_runs(archive, folder.name)]


def is_done(archive, settings, notices, corrupt, packets):
    """Return True if all messages are filed and all runs are in Airflow."""
    if any(settings.inbox.iterdir()) or Spool(archive.root).waiting():
        return False
    posted = len(list(archive.root.glob("sb*/planned/*.posted.json")))
    found = len(list(archive.root.glob("quarantine/*.bin")))
    if len(notices) > posted or posted != len(plan_files(archive)) or found != len(corrupt):
        return False
    entries = plans(archive)
    have = sum(plan.cause == "notice" for plan, _ in entries)
    return (have, sum(bool(plan.packets) for plan, _ in entries)) == (len(notices), len(packets))


def finish_some(run, planned):
    """Run a sample to the end (all of them when MXTVHF_STORM=all), and check their reports."""
    with_packets = [plan for plan, _ in planned if plan.packets]
    sample = [plan for plan, _ in planned] if RUN_ALL else with_packets[:SAMPLE]
    end_queued({plan.run_id for plan, _ in planned} - {plan.run_id for plan in sample}, run.settings)
    run.api.unpause("mxt_vhf")
    for plan in sample:
        run.wait(plan.run_id, timeout=1800)
        if plan.packets:
            report = json.loads((run.folder(plan.run_id) / "report.json").read_text())
            assert report["burst_id"] == plan.conf.burst_id
            assert report["run_id"] == plan.run_id


HOSTILE, SOUND = 1000, 20
NAMES = (
    b"caf\xe9",
    b"\xff\xfe",
    b"-rf",
    b"a\nb\x1b[31m",
    b"\xe2\x80\xae txt",
    b"x" * 250,
    b"$(reboot)",
    b"'\";--",
)
"""Starts of names of files."""
SUFFIXES = (b".xml", b".BIN", b".VoEvent", b".vhf")


def test_valid_alerts_among_hostile_ones_get_one_run_each(stack, settings, run, nats_server):
    """1000 hostile files, messages and kept files; 20 runs for 20 sound alerts, and no part starts again.

    A sample of the runs is processed to the end.
    """
    wait_until(alive_file(settings.archive).exists, what="the listener", timeout=60)
    draw, archive, listener = random.Random(13), Archive(settings.archive), stack.processes.pid("listen")
    log = stack.processes.logs / "listen.log"
    told, before, known = log.stat().st_size, set(all_run_ids(run.api)), plan_files(archive)
    alerts = sound_alerts()
    acts = [lambda n=n: (lay_hostile, publish_hostile, damage_kept)[n % 3](draw, n, settings, nats_server)
            for n in range(HOSTILE)]  # fmt: skip
    for number, raw in enumerate(alerts):
        acts.insert(draw.randrange(len(acts)), lambda n=number, raw=raw: send(n, raw, settings, nats_server))
    for act in acts:
        act()
    wait_until(lambda: len(plan_files(archive)) >= len(known) + SOUND, what="the runs", timeout=300)
    wait_until(lambda: all(map(is_newer, Spool(archive.root).waiting())), what="the rest", timeout=300)
    wait_until(lambda: is_empty(settings.inbox), what="the inbox", timeout=60)

    planned = [entry for alert in alerts for entry in planned_runs(archive, read_alert(alert).burst_id)]
    run_ids = {plan.run_id for plan, _ in planned}
    assert len(planned) == len(run_ids) == SOUND
    finished = sorted(run_ids)[:SAMPLE]
    end_queued(run_ids - set(finished), settings)
    for run_id in finished:
        assert run.wait(run_id, timeout=600) == "success"
    assert set(all_run_ids(run.api)) - before == run_ids
    assert stack.processes.pid("listen") == listener
    with log.open(errors="replace") as lines:
        lines.seek(told)
        restarts = [line for line in lines if "; restart in " in line or "Traceback" in line]
    assert not restarts
    parts = [check for check in health(settings, {}, None).checks if check.name.startswith("listener")]
    assert all(check.is_healthy for check in parts), parts


def sound_alerts():
    rng, day = np.random.default_rng(14), datetime(2026, 1, 1, 12, tzinfo=UTC)
    wakeups = (
        eclairs_wakeup_notice(
            f"sb260101{number:02d}",
            ra_deg=120.0,
            dec_deg=-20.0,
            trigger_time=day,
            snr=12.0,
            rng=rng,
            role="observation",
        )
        for number in range(1, SOUND + 1)
    )
    return [write_notice(wakeup) for wakeup in wakeups]


def send(number, raw, settings, nats_server):
    """Send a valid alert by one of the transports, sometimes under a hostile name."""
    if number % 2:
        lay(settings.inbox / odd_name(f"sound-{number}", NAMES[number % len(NAMES)], SUFFIXES[0]), raw)
    else:
        publish_raw(nats_server, ODD_SUBJECTS[number % len(ODD_SUBJECTS)], raw)


def odd_name(number, middle, suffix):
    """Return a name of at most 255 bytes, the limit of file systems."""
    return os.fsdecode(number.encode() + middle[:200] + suffix)


def lay(path, raw):
    """Put a file into the inbox by renaming the complete file."""
    part = path.with_name(f".{path.name[:100]}.part")
    part.write_bytes(raw)
    part.rename(path)


def junk(draw):
    """Return bytes that are neither a notice nor packets."""
    return draw.choice(
        (
            b"",
            b"<" + draw.randbytes(20),
            draw.randbytes(draw.randrange(2000)),
            b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
            b"<VOEvent role='observation' ivorn='ivo://org.svom/fsc#../../x'/>",
            b"[" * 50_000,
            draw.randbytes(8).hex().encode() * 4000,
        )
    )


def lay_hostile(draw, number, settings, nats_server):
    """Put a file, a link, a pipe or a folder with an unusual name into the inbox."""
    name = odd_name(str(number), draw.choice(NAMES), draw.choice(SUFFIXES))
    path = settings.inbox / name
    kind = draw.randrange(10)
    if kind == 0:
        path.symlink_to("/etc/passwd")
    elif kind == 1:
        os.mkfifo(path)
    elif kind == 2:
        path.mkdir()
        lay(path / name, junk(draw))
    else:
        lay(path, junk(draw))


def publish_hostile(draw, number, settings, nats_server):
    """Publish invalid content, or use a subject or headers that no client writes."""
    body = junk(draw) + b"%d" % number
    if number % 2:
        publish_raw(nats_server, draw.choice(ODD_SUBJECTS), body)
    else:
        publish_raw(nats_server, b"mxtvhf.in.alerts", body, draw.choice(ODD_HEADERS))


def damage_kept(draw, number, settings, nats_server):
    """Change the archive like a power cut, a full disk or another version."""
    archive, kind = settings.archive, number // 3 % 6
    raw = draw.choice((b"\0" * 40, b"{", b'{"schema_version": 99}', draw.randbytes(30)))
    for name in ("incoming", "streams", "failing", "open", "quarantine"):
        (archive / name).mkdir(exist_ok=True)
    if kind == 0:
        (archive / "incoming" / f"{number}.msg").write_bytes(raw + b"\n" + junk(draw))
    elif kind == 1:
        # A torn line at the end. Writing the whole file anew would hide complete lines from the listener.
        for path in sorted(archive.glob("sb*/*/received.jsonl"))[:1]:
            with path.open("ab") as file:
                file.write(b"\n" + raw)
    elif kind == 2:
        with (archive / "streams" / "gaps.jsonl").open("ab") as file:
            file.write(raw + b"\n")
    elif kind == 3:
        (archive / "failing" / f"{number}.json").write_bytes(raw)
    elif kind == 4:
        spoiled = f"sb2701{1 + number % 28:02d}99"
        if not (archive / spoiled).exists():
            (archive / spoiled).write_bytes(raw)
        (archive / "open" / spoiled).touch()
    else:
        (archive / "quarantine" / f"{number}.json").write_bytes(raw)


def is_newer(path):
    """Write a message of a later version, which stays queued."""
    with suppress(FileNotFoundError):
        return path.read_bytes().startswith(b'{"schema_version": 99}')
    return True


def is_empty(inbox):
    """Check that the inbox took in or moved aside all files; folders stay."""
    return not any(
        path.is_file() or path.is_fifo() for path in inbox.rglob("*") if ".set-aside" not in path.parts
    )

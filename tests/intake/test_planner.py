"""The runs of a burst, which do not depend on the order or the repetition of messages."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mxtvhf.archive.archive import Archive
from mxtvhf.errors import InvalidInput
from mxtvhf.events.attitude_file import attitude_product_bytes
from mxtvhf.events.patterns import reconstruct
from mxtvhf.intake.filing import file_message
from mxtvhf.intake.open_bursts import OpenBursts
from mxtvhf.intake.planned import planned_runs
from mxtvhf.intake.planner import plan_runs
from mxtvhf.intake.spool import ReceivedMessage
from mxtvhf.notices.voevent import read_alert
from mxtvhf.settings import IntakePolicy
from mxtvhf.simulator.notices import write_notice
from mxtvhf.telemetry.decode import decode_stream
from mxtvhf.telemetry.framing import find_frames
from mxtvhf.telemetry.layout import layout
from support.arrivals import NOON, retraction_of, seconds

POLICY = IntakePolicy(
    first_photons=40, first_seconds=20.0, quiet_seconds=30.0, updates=3, close_seconds=900.0
)


def count(raw, burst_id):
    """Return the number of photons in packets, where the pixel entries of one photon count once."""
    return len(reconstruct(decode_stream(raw, burst_id, name="packets").photons).photons)


class Desk:
    """An archive that receives messages at given seconds, with a planning after each."""

    def __init__(self, root, burst_id, policy=POLICY):
        self.archive, self.bursts = Archive(root), OpenBursts(root)
        self.burst_id, self.policy = burst_id, policy

    def comes(self, raw, second):
        file_message(ReceivedMessage(raw, "test", seconds(second)), self.archive, self.bursts)
        return self.looks(second)

    def looks(self, second):
        return plan_runs(self.burst_id, self.archive, self.bursts, self.policy, seconds(second))

    @property
    def runs(self):
        return [run for run, _ in planned_runs(self.archive, self.burst_id)]

    def photons(self, run):
        with open(run.conf.packets.removeprefix("file://"), "rb") as file:
            return count(file.read(), self.burst_id)


def test_a_repeated_notice_gets_one_run(burst, tmp_path):
    desk = Desk(tmp_path, burst.id)
    for second in range(3):
        desk.comes(burst.wakeup, second)
    (run,) = desk.runs
    assert (run.run_id, run.cause, run.conf.packets, run.conf.sequence) == (
        f"{burst.id}__1",
        "notice",
        None,
        1,
    )


def test_a_notice_in_another_spelling_is_not_a_second_input(burst, tmp_path):
    desk = Desk(tmp_path, burst.id)
    desk.comes(burst.wakeup, 0)
    desk.comes(burst.wakeup.replace(b"\n", b"\n  "), 1)
    assert len(desk.archive.first_notices(burst.id)) == 2
    assert len(desk.runs) == 1


def test_arriving_photons_update_the_report(burst, tmp_path):
    desk = Desk(tmp_path, burst.id)
    desk.comes(burst.wakeup, 0)
    for second, message in enumerate(burst.messages, start=1):
        desk.comes(message, second)
    last = len(burst.messages)
    first, *updates = desk.runs[1:]
    assert first.cause == "photons"
    assert 40 <= desk.photons(first) < 40 + 12 * 4
    # One update is kept for the end.
    assert len(updates) == POLICY.updates - 1
    assert all(
        after.photons >= 2 * before.photons for before, after in zip(desk.runs[1:], updates, strict=False)
    )
    _, again = desk.looks(last + 25)
    assert again == seconds(last + 30)
    desk.looks(last + 30)
    final = desk.runs[-1]
    assert final.photons == count(burst.packets, burst.id)
    assert final.photons < 0.8 * len(decode_stream(burst.packets, burst.id, name="all").photons)
    desk.looks(last + 60)
    assert desk.runs[-1] == final
    assert [run.conf.sequence for run in desk.runs] == list(range(1, len(desk.runs) + 1))


def test_few_photons_get_their_run_after_some_seconds(burst, tmp_path):
    desk = Desk(tmp_path, burst.id, POLICY.model_copy(update={"first_photons": 10_000}))
    desk.comes(burst.alert, 0)
    for message in burst.messages[:20]:
        desk.comes(message, 1)
    assert [run.cause for run in desk.runs] == ["notice"]
    assert desk.looks(20)[1] == seconds(21)
    desk.looks(21)
    assert [run.cause for run in desk.runs] == ["notice", "photons"]


def test_packets_may_arrive_before_their_notice(burst, tmp_path):
    desk = Desk(tmp_path, burst.id)
    for message in burst.messages:
        desk.comes(message, 0)
    assert desk.runs == []
    desk.comes(burst.wakeup, 3)
    (run,) = desk.runs
    assert run.cause == "notice"
    assert desk.photons(run) == run.photons > 40


def test_a_later_notice_gets_a_run_with_the_packets_received_so_far(burst, tmp_path):
    desk = Desk(tmp_path, burst.id)
    for message in (burst.wakeup, *burst.messages, burst.alert):
        desk.comes(message, 1)
    *_, run = desk.runs
    assert (run.cause, run.photons > 0) == ("notice", True)
    assert run.notice_file != desk.runs[0].notice_file


def test_a_retraction_gets_its_run_and_ends_the_updates(burst, tmp_path):
    desk = Desk(tmp_path, burst.id)
    desk.comes(burst.wakeup, 0)
    for message in burst.messages[:15]:
        desk.comes(message, 1)
    before = len(desk.runs)
    desk.comes(burst.retraction, 2)
    for message in burst.messages[15:]:
        desk.comes(message, 3)
    desk.looks(100)
    (run,) = desk.runs[before:]
    assert run.is_retraction
    assert run.conf.packets is None


def test_a_test_of_the_same_id_neither_retracts_nor_joins_the_real_burst(burst, tmp_path):
    desk = Desk(tmp_path, burst.id)
    test_retraction = write_notice(retraction_of(read_alert(burst.wakeup), role="test"))
    desk.comes(test_retraction, 0)
    for message in (burst.wakeup, *burst.messages):
        desk.comes(message, 1)
    assert [run.run_id for run in desk.runs if run.is_test] == [f"{burst.id}__1__test"]
    assert [run.cause for run in desk.runs if not run.is_test][:2] == ["notice", "photons"]


def test_a_burst_without_new_messages_is_closed(burst, tmp_path):
    desk = Desk(tmp_path, burst.id)
    desk.comes(burst.wakeup, 0)
    waiting, again = desk.looks(10)
    assert len(waiting) == 1
    assert again == seconds(900)
    desk.looks(901)
    assert burst.id in desk.bursts.all(), "its run is not started yet"
    folder = desk.archive.root / burst.id / "planned"
    (folder / "0001.posted.json").write_text(f'{{"outcome": "accepted", "posted": "{NOON.isoformat()}"}}')
    desk.looks(902)
    assert desk.bursts.all() == {}


@pytest.mark.slow
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_in_any_order_each_notice_gets_one_run_and_the_last_run_has_all_photons(
    burst, tmp_path_factory, data
):
    """For any order, repetitions and number of plannings by a second intake."""
    desk = Desk(tmp_path_factory.mktemp("desk"), burst.id)
    everything = [burst.wakeup, burst.alert, *burst.messages[:12]]
    order = data.draw(
        st.permutations(everything + data.draw(st.lists(st.sampled_from(everything), max_size=5)))
    )
    for second, raw in enumerate(order):
        desk.comes(raw, second)
        if data.draw(st.booleans()):
            desk.looks(second)
    desk.looks(1000)
    notices = [run for run in desk.runs if run.cause == "notice"]
    assert len({run.notice_file for run in notices}) == len(notices) == 2
    placed = [run for run in desk.runs if run.packets]
    assert max(run.photons for run in placed) == count(b"".join(burst.messages[:12]), burst.id)
    assert len({(run.conf.alert, run.conf.packets) for run in desk.runs}) == len(desk.runs)
    assert sum(run.cause == "photons" for run in desk.runs) <= 1 + POLICY.updates


def without_pointing(burst):
    """Return the messages of the burst without pointing packets."""
    kind, frames = layout().photon, find_frames(burst.packets, layout())
    offsets = frames.offsets[kind.name].tolist()
    return [burst.packets[offset : offset + kind.size] for offset in offsets]


def attitude_of(burst):
    attitude = decode_stream(burst.packets, burst.id, name="all").attitude
    return attitude_product_bytes(attitude, burst.id, NOON)


def test_an_attitude_product_locates_photons_without_pointing_packets(burst, tmp_path):
    desk = Desk(tmp_path, burst.id)
    for message in (burst.wakeup, *without_pointing(burst)):
        desk.comes(message, 1)
    assert [run.conf.packets for run in desk.runs] == [None]
    product = attitude_of(burst)
    desk.comes(product, 2)
    _, run = desk.runs
    assert run.cause == "photons"
    assert desk.photons(run) == run.photons > 40
    assert Path(run.conf.attitude.removeprefix("file://")).read_bytes() == product


def test_a_run_gets_the_newest_attitude_product(burst, tmp_path):
    desk = Desk(tmp_path, burst.id)
    for message in burst.messages:
        desk.comes(message, 0)
    attitude = decode_stream(burst.packets, burst.id, name="all").attitude
    newer = attitude_product_bytes(attitude, burst.id, seconds(60))
    desk.comes(attitude_of(burst), 1)
    desk.comes(newer, 2)
    desk.comes(burst.wakeup, 3)
    (run,) = desk.runs
    assert Path(run.conf.attitude.removeprefix("file://")).read_bytes() == newer


def test_an_attitude_product_alone_gets_no_run(burst, tmp_path):
    desk = Desk(tmp_path, burst.id)
    desk.comes(attitude_of(burst), 0)
    assert desk.runs == []
    desk.comes(burst.wakeup, 1)
    (run,) = desk.runs
    assert (run.conf.packets, run.conf.attitude) == (None, None)


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 40, b'{"schema_version": 99}\n'], ids=["empty", "zeros", "later"]
)
def test_a_burst_without_readable_records_stays_open_until_they_are_restored(burst, tmp_path, content):
    """Records that a power cut or another program spoiled must not end a burst whose notice waits."""
    desk = Desk(tmp_path, burst.id)
    notice = ReceivedMessage(burst.wakeup, "test", seconds(0))
    file_message(notice, desk.archive, desk.bursts)
    (records,) = tmp_path.glob("sb*/alerts/received.jsonl")
    sound = records.read_bytes()
    records.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"messages without a readable record of their reception"):
        desk.looks(1)
    assert burst.id in desk.bursts.all()
    records.write_bytes(sound)
    waiting, _ = desk.looks(2)
    assert [run.cause for run in waiting] == ["notice"]

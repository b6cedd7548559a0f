import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from mxtvhf.archive.archive import Archive
from mxtvhf.archive.inputs import MAX_ALERT_BYTES
from mxtvhf.errors import InvalidInput, NothingToDo, NotOurs
from mxtvhf.models.input_folders import InputFolders
from mxtvhf.models.run_conf import RunConf
from mxtvhf.simulator.notices import eclairs_wakeup_notice, onboard_mxt_notice, write_notice
from mxtvhf.workflow.steps.reception_message import MAX_NOTICES_BESIDE, check_analysable, reception_message

BURST = "sb26030704"
T0 = datetime(2026, 3, 7, 13, 45, tzinfo=UTC)


def notices(burst=BURST):
    place = {"ra_deg": 155.5, "dec_deg": -21.0}
    rng = np.random.default_rng(1)
    wakeup = eclairs_wakeup_notice(burst, **place, trigger_time=T0, snr=10.0, rng=rng)
    return wakeup, onboard_mxt_notice(wakeup, **place, start=T0.replace(minute=48), snr=100.0, rng=rng)


@pytest.fixture
def inbox(tmp_path):
    folder = tmp_path.resolve() / "inbox"
    folder.mkdir()
    wakeup, alert = notices()
    (folder / "alert.xml").write_bytes(write_notice(alert))
    (folder / "wakeup.xml").write_bytes(write_notice(wakeup))
    (folder / "other.xml").write_bytes(write_notice(notices("sb26030705")[0]))
    (folder / "junk.xml").write_bytes(b"<junk")
    (folder / "packets.bin").write_bytes(b"packets")
    return folder


def receive(inbox, archive, *, run_id="run", **changes):
    conf = {"burst_id": BURST, "alert": str(inbox / "alert.xml"), "packets": str(inbox / "packets.bin")}
    conf |= changes
    return reception_message(RunConf(**conf), run_id=run_id, archive=archive, folders=InputFolders((inbox,)))


def test_inputs_are_kept_and_the_bursts_other_notices_found(inbox, tmp_path):
    archive = Archive(tmp_path / "archive")
    reception = receive(inbox, archive)
    assert reception.alert.notice_type.startswith("mxt-initial")
    assert [alert.notice_type for alert in reception.related] == ["eclairs-wakeup"]
    (kept,) = archive.inputs()
    assert kept.conf.alert == reception.alert_path
    assert Path(reception.packets_path).read_bytes() == b"packets"
    check_analysable(reception)


def test_the_observation_comes_from_the_table_unless_the_run_was_given_one(inbox, tmp_path):
    archive, table = Archive(tmp_path / "archive"), tmp_path / "observations.toml"
    table.write_text(f'[{BURST}]\napid = "1"\ntarget = "7"\norbit = "12"\n')
    conf = {"burst_id": BURST, "alert": str(inbox / "alert.xml"), "packets": str(inbox / "packets.bin")}

    def received(run_id, **given):
        options = {"archive": archive, "folders": InputFolders((inbox,)), "observations": table}
        return reception_message(RunConf(**conf, **given), run_id=run_id, **options)

    assert received("named", apid="2", target="2", orbit="2").observation.obs_id == "2_2_2"
    assert received("table").observation.obs_id == "1_7_12"
    # A replay repeats the observation of its original.
    kept = {entry.run_id: entry.conf.observation.obs_id for entry in archive.inputs()}
    assert kept == {"named": "2_2_2", "table": "1_7_12"}


def test_half_an_observation_is_left_out_with_a_warning(inbox, tmp_path, caplog):
    reception = receive(inbox, Archive(tmp_path / "archive"), orbit="7")
    assert reception.observation is None
    assert f"{BURST}: GP observation ignored: apid, target missing" in caplog.text


@pytest.mark.parametrize("text", [None, "", "[sb26030704", "[sb26030704]\napid = 7"])
def test_an_observation_that_is_not_known_costs_no_run(inbox, tmp_path, text, caplog):
    archive, table = Archive(tmp_path / "archive"), tmp_path / "observations.toml"
    if text is not None:
        table.write_text(text)
    conf = RunConf(burst_id=BURST, alert=str(inbox / "alert.xml"))
    reception = reception_message(
        conf, run_id="r", archive=archive, folders=InputFolders((inbox,)), observations=table
    )
    assert reception.observation is None
    assert ("GP observation unknown" in caplog.text) == bool(text)


def replay(archive, conf):
    return reception_message(
        conf, run_id="replay", archive=archive, folders=InputFolders((archive.root,)), is_replay=True
    )


def test_a_replay_from_the_archive_sees_the_same(inbox, tmp_path):
    archive = Archive(tmp_path.resolve() / "archive")
    first = receive(inbox, archive)
    (kept,) = archive.inputs()
    (inbox / "wakeup.xml").write_bytes(write_notice(notices()[0].model_copy(update={"snr": 11.0})))
    later = receive(inbox, archive, run_id="later", packets=None)
    assert later.related[0].snr == 11.0
    again = replay(archive, kept.conf)
    assert again.alert == first.alert
    assert again.related == first.related
    assert again.received > later.received


def test_inline_xml_is_an_alert_too(inbox, tmp_path):
    alert = (inbox / "alert.xml").read_text()
    assert receive(inbox, Archive(tmp_path / "archive"), alert=alert).alert.burst_id == BURST


@pytest.mark.parametrize(
    ("changes", "error", "cause"),
    [
        ({"alert": "<voe:VOEvent"}, InvalidInput, "inline alert"),
        ({"burst_id": "sb26030799"}, NotOurs, "the alert belongs to burst sb26030704"),
        ({"alert": "/etc/passwd"}, InvalidInput, "outside the folders"),
        ({"packets": "http://127.0.0.1/packets.bin"}, InvalidInput, "only local files"),
    ],
)
def test_what_cannot_be_received_is_refused(inbox, tmp_path, changes, error, cause):
    with pytest.raises(error, match=cause):
        receive(inbox, Archive(tmp_path / "archive"), **changes)


def quarantined(archive):
    return [(path, json.loads(path.read_text())) for path in (archive.root / "quarantine").glob("*.json")]


def kept_packets(archive):
    return [path.read_bytes() for path in (archive.root / BURST / "packets").glob("*")]


def test_of_an_unreadable_alert_everything_is_kept(inbox, tmp_path):
    archive = Archive(tmp_path / "archive")
    with pytest.raises(InvalidInput):
        receive(inbox, archive, alert=str(inbox / "junk.xml"))
    ((path, note),) = quarantined(archive)
    assert note["input"] == str(inbox / "junk.xml")
    assert path.with_suffix(".bin").read_bytes() == b"<junk"
    (kept,) = archive.inputs()
    assert Path(kept.conf.alert).read_bytes() == b"<junk"
    assert Path(kept.conf.packets).read_bytes() == b"packets"
    assert archive.notices(BURST, until=datetime.now(UTC)) == {}


def test_of_too_large_an_alert_the_start_is_kept(inbox, tmp_path):
    archive = Archive(tmp_path / "archive")
    (inbox / "alert.xml").write_bytes(b"<" + b"a" * MAX_ALERT_BYTES)
    with pytest.raises(InvalidInput, match=f"too large; .* only the first {MAX_ALERT_BYTES} bytes are kept"):
        receive(inbox, archive)
    ((path, note),) = quarantined(archive)
    assert note["size"] == path.with_suffix(".bin").stat().st_size == MAX_ALERT_BYTES
    assert "only the first" in note["reason"]
    assert kept_packets(archive) == [b"packets"]
    assert [kept.conf.alert for kept in archive.inputs()] == [str(inbox / "alert.xml")]


def test_packets_that_are_missing_leave_a_record_and_may_come_later(inbox, tmp_path):
    archive = Archive(tmp_path / "archive")
    (inbox / "packets.bin").rename(inbox / "late.bin")
    with pytest.raises(InvalidInput, match=r"packets\.bin.*no such file"):
        receive(inbox, archive)
    (first,) = archive.inputs()
    assert first.conf.packets == str(inbox / "packets.bin")
    (inbox / "late.bin").rename(inbox / "packets.bin")
    assert receive(inbox, archive).received == first.received
    assert len(list(archive.inputs())) == 2


def test_an_alert_that_is_missing_does_not_lose_the_packets(inbox, tmp_path):
    archive = Archive(tmp_path / "archive")
    with pytest.raises(InvalidInput, match=r"none\.xml.*no such file"):
        receive(inbox, archive, alert=str(inbox / "none.xml"))
    assert kept_packets(archive) == [b"packets"]
    assert len(list(archive.inputs())) == 1


def test_the_time_of_reception_is_that_of_entry_and_stays(inbox, tmp_path):
    archive = Archive(tmp_path / "archive")
    before = datetime.now(UTC)
    first = receive(inbox, archive)
    kept = Path(first.packets_path).stat().st_mtime
    assert before <= first.received
    assert first.received.timestamp() <= kept
    assert receive(inbox, archive) == first


def test_real_and_simulated_notices_do_not_mix(inbox, tmp_path):
    archive = Archive(tmp_path / "archive")
    wakeup, alert = notices()
    assert {wakeup.role, alert.role} == {"test"}
    real = wakeup.model_copy(update={"role": "observation", "ivorn": wakeup.ivorn + "-real"})
    (inbox / "real.xml").write_bytes(write_notice(real))
    assert [other.ivorn for other in receive(inbox, archive).related] == [wakeup.ivorn]
    (inbox / "alert.xml").write_bytes(write_notice(alert.model_copy(update={"role": "observation"})))
    assert [other.ivorn for other in receive(inbox, archive, run_id="real").related] == [real.ivorn]


def test_a_notice_beside_the_alert_wins_over_an_archived_one(inbox, tmp_path):
    archive = Archive(tmp_path / "archive")
    wakeup, _ = notices()
    # The first comes again at the end: what counts is the last receipt, not the first, nor the hash.
    for run, snr in enumerate((9.0, 10.0, 11.0, 12.0, 9.0)):
        (inbox / "wakeup.xml").write_bytes(write_notice(wakeup.model_copy(update={"snr": snr})))
        assert [other.snr for other in receive(inbox, archive, run_id=f"run-{run}").related] == [snr]
    (inbox / "wakeup.xml").unlink()
    assert [other.snr for other in receive(inbox, archive, run_id="last").related] == [9.0]


def test_only_regular_files_within_the_roots_are_taken_beside(inbox, tmp_path, caplog):
    os.mkfifo(inbox / "a.xml")
    (tmp_path / "outside.xml").write_bytes((inbox / "wakeup.xml").read_bytes())
    (inbox / "wakeup.xml").unlink()
    (inbox / "link.xml").symlink_to(tmp_path / "outside.xml")
    assert receive(inbox, Archive(tmp_path / "archive")).related == ()
    assert "link.xml': outside the folders" in caplog.text
    assert "a.xml': no such file" in caplog.text


def test_a_collection_of_notices_is_not_one_bursts_folder(inbox, tmp_path, caplog):
    for number in range(MAX_NOTICES_BESIDE):
        (inbox / f"more-{number}.xml").write_bytes(b"<")
    assert receive(inbox, Archive(tmp_path / "archive")).related == ()
    assert "other notices in the alert's folder ignored" in caplog.text


def test_without_packets_there_is_nothing_to_analyse(inbox, tmp_path):
    reception = receive(inbox, Archive(tmp_path / "archive"), packets=None)
    with pytest.raises(NothingToDo, match="no VHF packets"):
        check_analysable(reception)


CREATED = datetime(2026, 3, 7, 14, 0, tzinfo=UTC)


def test_what_comes_with_a_run_was_received_with_it(inbox, tmp_path):
    archive = Archive(tmp_path.resolve() / "archive")
    conf = RunConf(burst_id=BURST, alert=str(inbox / "alert.xml"), packets=str(inbox / "packets.bin"))
    got = reception_message(
        conf, run_id="run", archive=archive, folders=InputFolders((inbox,)), created=CREATED
    )
    assert got.received == got.packets_received == CREATED


def test_what_an_intake_kept_was_received_by_it(inbox, tmp_path):
    archive = Archive(tmp_path.resolve() / "archive")
    alert = archive.keep_alert(BURST, (inbox / "alert.xml").read_bytes())
    packets = archive.keep_packets(BURST, b"packets")
    for minutes in (10, 5, -5):
        archive.log_receipt(alert, CREATED - timedelta(minutes=minutes))
        archive.log_receipt(packets, CREATED - timedelta(minutes=minutes - 1))
    conf = RunConf(burst_id=BURST, alert=str(alert), packets=packets.as_uri())

    def received(**options):
        return reception_message(
            conf, archive=archive, folders=InputFolders((archive.root,)), created=CREATED, **options
        )

    got = received(run_id="live")
    assert got.received == CREATED - timedelta(minutes=5)
    assert got.packets_received == CREATED - timedelta(minutes=4)
    # A replay is received when it is made: its own latency is measured, not that of its original.
    assert received(run_id="again", is_replay=True).received == CREATED


def test_without_packets_none_were_received(inbox, tmp_path):
    assert receive(inbox, Archive(tmp_path / "archive"), packets=None).packets_received is None

import json
import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mxtvhf.operation.retention import retention
from mxtvhf.settings import Settings

BEFORE = datetime(2026, 6, 1, tzinfo=UTC)
BURST = "sb26030704"
REPORT = {
    "burst_id": BURST, "status": "final", "is_test": False, "is_replay": False, "is_retracted": False,
    "headline": "found", "written": "2026-03-07T00:01:00Z", "trigger_time": None, "best_position": None,
    "products": {}, "timeline": [],
}  # fmt: skip

ages = st.sampled_from([-400, -91, -1, 1, 30])  # days from BEFORE
runs = st.sampled_from([f"{BURST}__1", f"{BURST}__2__test", f"{BURST}__1__replay_20260601T040000.000000Z"])
reports = st.sampled_from([None, {}, {"is_test": True}, {"is_replay": True}, "damaged"])
EVER = ("archive", "releases", "inbox", "inputs", "catalogues", "secrets", "postgres/base", "log", "outbox")
kept_files = st.sampled_from(
    [f"{folder}/{BURST}/{name}" for folder in EVER for name in ("a.xml", f"{BURST}__9__test", "1.log")]
    + ["log/listen.log", f"archive/{BURST}/inputs/{BURST}__1__test__0.json", "products/00810300005_2_2.fits"]
)
passing_files = st.sampled_from(
    ["log/tasks/dag_id=mxt_vhf/run_id=1/a.log", "log/dag_processor/x/a.log", "comparisons/a.txt",
     "outbox/refused/1.json"]
)  # fmt: skip


def lay(path, content, age):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    moment = (BEFORE + timedelta(days=age)).timestamp()
    os.utime(path, (moment, moment))


@st.composite
def products(draw):
    """Draw a run with its report, its announcement and the ages of its products."""
    return draw(runs), draw(reports), draw(st.booleans()), draw(ages)


def files(home):
    return {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(kept_files, ages), max_size=6),
    st.dictionaries(passing_files, ages),
    st.lists(products(), max_size=3, unique_by=lambda drawn: drawn[0]),
    st.booleans(),
)
def test_only_old_files_of_no_real_burst_are_removed(kept, passing, drawn, dry_run):
    with tempfile.TemporaryDirectory() as folder:
        state = Settings(state=Path(folder))
        home, goes = state.home, set()
        for name, age in kept:
            lay(home / name, "kept", age)
        for name, age in passing.items():
            lay(home / name, "passing", age)
            goes |= {name} if age < 0 else set()
        for run_id, report, is_announced, age in drawn:
            where = f"products/{BURST}/{run_id}"
            lay(home / where / "plots" / "a.png", "plot", age)
            says = report if isinstance(report, dict) else {}
            if report is not None:
                text = json.dumps({**REPORT, "run_id": run_id, **says}) if report != "damaged" else "{"
                lay(home / where / "report.json", text, age)
            if is_announced:
                lay(home / "releases" / BURST / run_id / "decision.json", "{}", age)
            is_real = not says and run_id == f"{BURST}__1"
            if age < 0 and not is_real and not is_announced:
                goes |= {f"{where}/plots/a.png"} | ({f"{where}/report.json"} if report is not None else set())
        before = files(home)
        removals = retention(state, BEFORE, dry_run=dry_run)
        assert before - files(home) == (set() if dry_run else goes)
        assert bool(goes) == any(removal.items for removal in removals)


def test_a_recently_changed_run_keeps_all_products(tmp_path):
    state = Settings(state=tmp_path)
    folder = state.products / BURST / f"{BURST}__2__test"
    lay(folder / "events.fits", "old", -100)
    lay(folder / "report.json", "new", 1)
    assert [removal.items for removal in retention(state, BEFORE)] == [0, 0, 0]
    assert len(files(tmp_path)) == 2


def test_a_link_is_not_followed(tmp_path):
    outside = tmp_path / "elsewhere" / "a.log"
    lay(outside, "of somebody else", -100)
    state = Settings(state=tmp_path / "state")
    (state.home / "log").mkdir(parents=True)
    (state.home / "log" / "tasks").mkdir()
    (state.home / "log" / "tasks" / "link").symlink_to(outside.parent)
    (state.home / "comparisons").mkdir()
    (state.home / "comparisons" / "a.txt").symlink_to(outside)
    retention(state, BEFORE)
    assert outside.exists()

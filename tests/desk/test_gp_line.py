"""What the page says of GP: a word, never the name of a task."""

from datetime import timedelta

import pytest

from mxtvhf.crosscheck.model import GpOutcome, GpProgress
from mxtvhf.desk.files import DeskFiles
from mxtvhf.desk.gp_line import gp_line
from mxtvhf.desk.render import render_burst
from mxtvhf.workflow.runs import StepProblem
from support.desk import BURST, NOW, page_of, run

NOT_ASKED = GpOutcome(available=False, progress=GpProgress.NOT_ASKED, reason="no observation (apid, ...)")


@pytest.fixture
def line(settings, put):
    """Return what is said of GP about a report and its run."""

    def use(status="final", gp=None, known=None, **of_run):
        put(f"{BURST}__1", status, **({} if gp is None else {"gp": gp.model_dump(mode="json")}))
        state = "running" if status == "preliminary" else "success"
        report = DeskFiles(settings).report(BURST, f"{BURST}__1")
        return gp_line(run(state=state, gp=known, **of_run), report)

    return use


def test_while_gp_is_running_the_time_counts_from_the_request(line):
    asked = NOW + timedelta(seconds=3)
    told = line("preliminary", gp_requested=asked)
    assert (told.word, told.requested) == ("running", asked)
    assert line("preliminary").remark == "request being sent"


def test_a_run_reports_before_its_final_report_that_gp_is_not_asked(line):
    told = line("preliminary", known=NOT_ASKED)
    assert (told.word, told.remark) == ("not asked", "observation unknown")


@pytest.mark.parametrize(
    ("progress", "remark"),
    [
        (GpProgress.NO_DETECTION, "GP detected no source"),
        (GpProgress.NOT_ASKED, "observation unknown"),
        (GpProgress.NOT_REACHED, "see the details of the run"),
        (GpProgress.TIMED_OUT, "no answer in time"),
    ],
)
def test_each_result_of_gp_has_its_word(line, progress, remark):
    told = line(gp=GpOutcome(available=progress is GpProgress.NO_DETECTION, progress=progress, reason="TS 3"))
    assert (told.word, told.remark, told.reason) == (progress, remark, "TS 3")


def test_the_reference_gp_is_called_not_independent(line):
    told = line(gp=GpOutcome(available=True, process_id="42", is_reference=True))
    assert (told.word, told.remark.split(",")[0]) == ("received", "reference GP")
    assert line(gp=GpOutcome(available=True, process_id="42")).remark == "42"


def test_failed_tasks_are_in_the_details_and_not_in_the_news(settings, put):
    """The headline said "wait_mxt_gp failed: GP process 7b22... failed" in red, 15 lines long."""
    put(f"{BURST}__1", gp=GpOutcome(available=False, reason="no attitude").model_dump(mode="json"))
    failed = run(state="failed", problems=(StepProblem(step="wait_mxt_gp", state="failed", reason="boom"),))
    page = render_burst(page_of(settings, [failed]), base="")
    news, details = page.split('<details id="run-details">')
    assert "wait_mxt_gp" not in news
    assert "no attitude" not in news.split('id="headline"')[1]
    assert "<strong>wait_mxt_gp failed:</strong> boom" in details
    assert "<strong>GP failed:</strong> no attitude" in details.split("</details>")[0]


def test_the_page_shows_for_how_long_gp_has_been_running(settings, put):
    put(f"{BURST}__1", "preliminary")
    page = page_of(settings, [run(state="running", gp_requested=NOW)])
    html = render_burst(page, base="").split("<dt>GP</dt>")[1].split("</div>")[0]
    assert html.startswith("<dd>running<small>for <time")
    assert 'data-age="elapsed"' in html

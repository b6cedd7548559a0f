"""The page of a run that has no report: it looks like the desk and gives the reason."""

import pytest

from mxtvhf.desk.render import render_no_report
from mxtvhf.workflow.runs import StepProblem
from support.desk import BURST, HOSTILE, Elements, run

RUN = f"{BURST}__1"
PROBLEM = StepProblem(step="reception_message", state="skipped", reason=f"no VHF packets {HOSTILE}")


def page_of(found, run_id=RUN):
    return render_no_report(run_id, found, base="/air/mxtvhf", airflow="/air")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "does not exist"),
        (run(RUN, "running"), "is running"),
        (run(RUN, "failed"), "No reason was recorded; see the logs of its tasks."),
        (run(RUN, problems=(PROBLEM,)), "reception_message skipped:</strong> no VHF packets"),
    ],
)
def test_the_page_says_why_there_is_no_report(found, words):
    page = page_of(found)
    assert words in page
    assert HOSTILE not in page
    assert {"rel": "stylesheet", "href": "/air/mxtvhf/desk/static/desk.css"} in Elements(page).named("link")


def test_the_page_links_to_the_burst_and_to_airflow():
    links = [link["href"] for link in Elements(page_of(run(RUN))).named("a")]
    assert links[-2:] == [f"/air/mxtvhf/desk/{BURST}?run={RUN}", f"/air/dags/mxt_vhf/runs/{RUN}"]


def test_an_address_cannot_inject_markup():
    assert HOSTILE not in page_of(None, HOSTILE)

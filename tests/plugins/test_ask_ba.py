"""When the question about a report is asked, and when it is not."""

import textwrap

import pytest

pytestmark = pytest.mark.slow

UPDATE = textwrap.dedent("""
    from types import SimpleNamespace

    from mxtvhf.settings import read_settings
    from mxtvhf_airflow.operators.steps import UpdateBAOperator

    settings, operator = read_settings(), UpdateBAOperator(task_id="update_BA")
    run = SimpleNamespace(
        settings=settings,
        burst_id="sb26030704",
        is_replay=False,
        out=settings.products / "sb26030704" / "sb26030704__2",
        preliminary=lambda: SimpleNamespace(best_position="a position"),
    )
    skipped = [operator.skips(run)]
    for name in ("sb26030704__2", "sb26030704__1"):
        (settings.releases / "sb26030704" / name).mkdir(parents=True)
        skipped.append(operator.skips(run))
    print(skipped, flush=True)
""")


def test_after_an_announcement_of_another_run_the_final_report_may_be_asked_about(beside_airflow):
    """A preliminary report with the announced result asks nothing, so the final one was never asked about."""
    status, told = beside_airflow(UPDATE)
    assert status == 0, told
    assert told.splitlines()[-1] == "[['ask_ba_final'], ['ask_ba_final'], []]"


ASKED_TWICE = textwrap.dedent("""
    from airflow.sdk.exceptions import DagRunTriggerException
    from mxtvhf_airflow.operators.decision import AskBAOperator

    operator = AskBAOperator(task_id="ask_ba")
    operator.trigger_run_id, operator.conf = "sb26030704__1", {"burst_id": "sb26030704"}
    try:
        super(AskBAOperator, operator).execute({})
    except DagRunTriggerException as trigger:
        print("skipped:", trigger.skip_when_already_exists, flush=True)
""")


def test_a_question_that_was_asked_at_the_same_time_skips_the_task(beside_airflow):
    """In a storm ``ask_ba`` and ``ask_ba_final`` may ask together: one failed, and with it the run."""
    status, told = beside_airflow(ASKED_TWICE)
    assert status == 0, told
    assert told.splitlines()[-1] == "skipped: True"

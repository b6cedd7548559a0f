"""Messages of a real Airflow over a real NATS, which never affect its runs."""

import pytest

from mxtvhf.models.files import sha256_of
from mxtvhf.operation.stack.embedded import gp_connection
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from support.airflow_runs import conf_of
from support.nats_server import free_port

pytestmark = pytest.mark.integration

BURST = "sb26051102"


@pytest.fixture(scope="module")
def conf(settings):
    folder = settings.inputs / "messages"
    write_scenario(scenario_of(BURST, ra_deg=120.0, dec_deg=30.0, counts=200, seed=3), folder)
    return conf_of(BURST, folder)


def states(messages, kind="step"):
    """Return the states in the messages of each step, in order."""
    found = {}
    for message in messages:
        if message.kind == kind:
            found.setdefault(getattr(message, "task_id", kind), []).append(message.state)
    return found


def test_a_run_sends_messages_of_each_step_and_both_reports(run, conf, told, web, stack):
    run_id = f"{BURST}__1"
    assert run(run_id, **conf) == "success"
    messages = told(run_id)
    assert states(messages, "run") == {"run": ["started", "succeeded"]}
    assert messages[0].kind == "run"
    # Only a step's own last word may come after the scheduler's word that the run has ended.
    end = max(number for number, message in enumerate(messages) if message.kind == "run")
    assert {(late.kind, late.state) for late in messages[end + 1 :]} <= {("step", "succeeded")}
    # A step without work (EmptyOperator), or one that an earlier step skips, is marked by the scheduler,
    # which tells nothing of it.
    steps = states(messages)
    silent = {"run_complete", "remote_catalogues", "ask_ba_final"}
    assert set(steps) == set(run.api.task_states(run_id)) - silent
    waited = steps.pop("wait_mxt_gp")
    assert set(waited[:-1]) == {"started"}
    assert waited[-1] == "succeeded"
    assert set(map(tuple, steps.values())) == {("started", "succeeded")}
    assert {message.burst_id for message in messages} == {BURST}
    assert {message.is_test for message in messages} == {True}
    preliminary, final = (message for message in messages if message.kind == "report")
    assert (preliminary.status, final.status) == ("preliminary", "final")
    for report in (preliminary, final):
        page = web(report.url.removeprefix(stack.url))
        assert sha256_of(page.content) == report.sha256
        assert web(report.page_url.removeprefix(stack.url)).status_code == 200
    assert final.best_position is not None
    assert sum(final.verdicts.values()) > 0


def test_the_message_of_a_failed_step_has_the_reason(run, conf, told):
    run_id = f"{BURST}__2"
    assert run(run_id, **conf | {"alert": "<html/>"}) == "failed"
    messages = told(run_id)
    assert states(messages)["reception_message"] == ["started", "failed"]
    (failed,) = [message for message in messages if message.kind == "step" and message.state == "failed"]
    assert "VOEvent" in failed.error
    assert states(messages, "run") == {"run": ["started", "failed"]}
    assert {message.is_test for message in messages} == {None}


def test_a_step_with_nothing_to_do_is_skipped(run, conf, told):
    run_id = f"{BURST}__3"
    run(run_id, **conf | {"packets": None})
    assert ["started", "skipped"] in states(told(run_id)).values()


def test_each_failed_try_gives_a_message_with_its_number(run, conf, told, stack):
    run_id = f"{BURST}__4"
    stack.api.put_connection(gp_connection(f"http://127.0.0.1:{free_port()}"))
    try:
        run(run_id, **conf)
    finally:
        stack.api.put_connection(gp_connection(stack.gp_url))
    gp = [b for b in told(run_id) if b.kind == "step" and b.task_id == "start_mxt_gp_pipeline"]
    tries = [("started", "retrying")] * 3 + [("started", "failed")]
    assert [(b.state, b.try_number) for b in gp] == [
        (state, number) for number, states in enumerate(tries, start=1) for state in states
    ]
    assert all(b.error for b in gp if b.state != "started")


def test_without_nats_a_run_succeeds_and_its_messages_are_sent_later(run, conf, told, nats):
    run_id = f"{BURST}__5"
    nats.kill()
    try:
        assert run(run_id, **conf) == "success"
    finally:
        nats.start()
    assert states(told(run_id), "run") == {"run": ["started", "succeeded"]}


def test_an_unwritable_outbox_affects_only_messages(run, conf, settings, told):
    run_id = f"{BURST}__6"
    aside = settings.home / "outbox-aside"
    settings.outbox.rename(aside)
    settings.outbox.write_text("in the way")
    try:
        assert run(run_id, **conf) == "success"
        assert "message not queued" in run.log(run_id, "fits_feed")
    finally:
        settings.outbox.unlink()
        aside.rename(settings.outbox)
    # A step may queue its last message after the end of the run, when the outbox is back.
    assert {(late.kind, late.state) for late in told(run_id)} <= {("step", "succeeded")}

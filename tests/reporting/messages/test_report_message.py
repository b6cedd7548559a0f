import json

from mxtvhf.reporting.messages.report_message import report_message


def test_the_message_about_a_report_has_its_position_and_sha256(tmp_path):
    pairs = [{"verdict": "consistent"}, {"verdict": "unclear"}, {"verdict": "consistent"}]
    report = {
        **{"burst_id": "sb26051102", "run_id": "sb26051102__1", "is_test": False, "is_replay": True},
        **{"status": "final", "sequence": 1, "is_retracted": False, "headline": "found", "crosscheck": pairs},
        "best_position": None,
        "more": "is not told",
    }
    (tmp_path / "report.json").write_text(json.dumps(report))
    told = report_message(tmp_path / "report.json", url="https://airflow.example/mxtvhf/runs/x")
    assert told.verdicts == {"consistent": 2, "unclear": 1}
    assert told.url == "https://airflow.example/mxtvhf/runs/x/report.json"
    assert told.is_replay
    assert len(told.sha256) == 64
    assert report_message(tmp_path / "report.json").url is None

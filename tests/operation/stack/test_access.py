"""The commands' access to Airflow."""

import os
import socket
import threading

import pytest

from mxtvhf.errors import InvalidInput
from mxtvhf.operation.stack.access import address_file, airflow_api, airflow_url
from mxtvhf.settings import Settings


def test_the_address_of_the_stack_is_used_unless_a_setting_is_given(tmp_path):
    settings = Settings(state=tmp_path)
    assert airflow_url(settings) == "http://127.0.0.1:8080"
    address_file(tmp_path).write_text("http://127.0.0.1:8190\n")
    assert airflow_url(settings) == "http://127.0.0.1:8190"
    assert airflow_url(Settings(state=tmp_path, airflow_url="http://elsewhere:1/")) == "http://elsewhere:1"


@pytest.mark.parametrize("content", [b"", b"\xff", b"8190", b"ftp://127.0.0.1"])
def test_a_damaged_address_file_is_reported(tmp_path, content):
    address_file(tmp_path).write_bytes(content)
    with pytest.raises(InvalidInput, match=r"airflow-url: .*set MXTVHF_AIRFLOW_URL"):
        airflow_url(Settings(state=tmp_path))


def test_a_proxy_gets_no_request_to_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setattr("os.environ", dict(os.environ))
    (tmp_path / "word").write_text("word")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10.0)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        api = airflow_api(Settings(airflow_url=url, airflow_password_file=tmp_path / "word"))
        asked = threading.Thread(target=lambda: api.is_healthy(), daemon=True)
        asked.start()
        with server.accept()[0] as line:
            assert line.recv(100).startswith(b"GET /api/v2/monitor/health")
        asked.join(10.0)

"""The client of Airflow's API and the certificate of the server."""

import pytest

from mxtvhf.errors import Retriable
from mxtvhf.workflow.airflow_api import AirflowApi
from support.certificates import HOUR, Authority
from support.https_server import https_server


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


def asked(port, ca, host="127.0.0.1"):
    return AirflowApi(f"https://{host}:{port}", "admin", "x", ca=ca)._send(
        "GET", "/execution/health", authenticated=False
    )


def test_a_server_of_the_authority_is_trusted_and_no_other(authority, tmp_path, monkeypatch):
    other = Authority(tmp_path / "other")
    with https_server(*authority.issue("api")) as (port, _):
        assert asked(port, authority.ca) == {"status": "healthy"}
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other.ca))
        assert asked(port, authority.ca) == {"status": "healthy"}
        for ca in (other.ca, None):
            with pytest.raises(Retriable, match="TLS connection to Airflow failed: "):
                asked(port, ca)


def test_an_expired_certificate_is_named_and_its_successor_taken(authority):
    expired = authority.issue("api", begins=-2 * HOUR, ends=-HOUR)
    with https_server(*expired) as (port, context):
        with pytest.raises(Retriable) as caught:
            asked(port, authority.ca)
        expected = f"https://127.0.0.1:{port}: TLS connection to Airflow failed: certificate has expired"
        assert str(caught.value) == expected
        context.load_cert_chain(*authority.issue("api"))
        assert asked(port, authority.ca) == {"status": "healthy"}


def test_a_missing_file_of_the_authority_is_named(authority, tmp_path):
    with https_server(*authority.issue("api")) as (port, _), pytest.raises(Retriable, match=r"missing\.pem"):
        asked(port, tmp_path / "missing.pem")

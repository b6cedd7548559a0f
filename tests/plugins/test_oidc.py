"""The client of an OpenID Connect provider and the provider's certificate."""

import pytest
import requests

from mxtvhf_airflow.oidc import OidcApp
from support.certificates import Authority
from support.https_server import https_server


def test_the_configured_authority_overrides_the_environment(tmp_path, monkeypatch):
    ours, other = Authority(tmp_path / "ours"), Authority(tmp_path / "other")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other.ca))
    with https_server(*ours.issue("oidc")) as (port, _):
        url = f"https://127.0.0.1:{port}/.well-known/openid-configuration"
        with OidcApp.client_cls("mxtvhf", verify=str(ours.ca)) as session:
            assert session.request("GET", url, withhold_token=True).ok
        with (
            OidcApp.client_cls("mxtvhf", verify=str(other.ca)) as session,
            pytest.raises(requests.exceptions.SSLError),
        ):
            session.request("GET", url, withhold_token=True)

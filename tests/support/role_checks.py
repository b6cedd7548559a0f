"""Checks of permissions of docs/explanation/security.md, which must hold for every auth manager."""

import base64
import json
import re
import subprocess
import sys

import jwt
import requests

ROUTES = """
import json
from mxtvhf_plugin import MxtVhfPlugin

def walk(routes, prefix):
    for route in routes:
        if hasattr(route, "methods"):
            yield from ((method, prefix + route.path) for method in sorted(route.methods or {"GET"}))
        else:  # a mounted app, or a folder of files
            yield from walk(getattr(route, "routes", None) or [], prefix + route.path)
            yield ("GET", prefix + route.path + "/x")

apps = MxtVhfPlugin().fastapi_apps
print(json.dumps([entry for app in apps for entry in walk(app["app"].routes, app["url_prefix"])]))
"""

# Python would look for garbage 1500 times while such a short program imports Airflow, and at its end.
NO_GARBAGE = "import atexit, gc; gc.disable(); atexit.register(gc.freeze)\n"


def asked_of_airflow(script, environment):
    """Return the JSON that a script prints on its last line, run with Airflow's environment."""
    command = [sys.executable, "-c", NO_GARBAGE + script]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(found.stdout.splitlines()[-1])


def routes_of(environment):
    """Return method and path of every route of the project's web apps, as Airflow mounts them."""
    return asked_of_airflow(ROUTES, environment)


class WebUsers:
    """The web UI and its users.

    Parameters
    ----------
    url
        Of the API server.
    tokens
        A token of somebody of each role.
    ca
        The authority of the server's certificate.
    directory
        The server that knows the users; None if there is none beside the web UI.
    """

    def __init__(self, url, tokens, ca=None, directory=None):
        self.directory = directory
        self.url, self.tokens, self._verify = url, tokens, True if ca is None else str(ca)

    def send(self, method, path, headers, **options):
        """Send a request with own headers."""
        return requests.request(
            method,
            self.url + path,
            headers=headers,
            timeout=60,
            allow_redirects=False,
            verify=self._verify,
            **options,
        )

    def ask(self, method, path, *, role="admin", token=None, **options):
        """Send a request as a user of a role, or with an own token."""
        headers = {"Authorization": f"Bearer {token or self.tokens[role]}"} | options.pop("headers", {})
        return self.send(method, path, headers, **options)


def filled(path, text="x"):
    """Return a route with a text for each of its parameters."""
    return re.sub(r"\{[^}]+\}", text, path)


def forged(token):
    """Return forged copies of a token: without a signature, and with a wrong signature."""
    claims = jwt.decode(token, options={"verify_signature": False})
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    unsigned = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts
    )
    return [unsigned + ".", jwt.encode(claims, "x" * 64, algorithm="HS512")]


def check_strangers(users, routes):
    """No route of ours answers without a login, or to a forged token."""
    assert len(routes) > 9
    tokens = ["not-a-token", *forged(users.tokens["admin"])]
    for method, path in routes:
        for headers in ({}, *({"Authorization": f"Bearer {token}"} for token in tokens)):
            status = users.send(method, filled(path), headers, json={}).status_code
            assert status in (401, 403), (method, path, headers)


def check_viewer(users, routes, role="viewer"):
    """A viewer reads every route of ours and changes nothing."""
    for method, path in routes:
        status = users.ask(method, filled(path), role=role, json={} if method == "POST" else None).status_code
        if method in ("GET", "HEAD"):
            assert status not in (401, 403), path
        else:
            assert status == 403, (method, path)


def check_viewer_starts_nothing(users, conf):
    """A viewer cannot start runs by Airflow's own API."""
    runs = "/api/v2/dags/mxt_vhf/dagRuns"
    body = {"dag_run_id": "viewers", "logical_date": None, "conf": conf}
    assert users.ask("POST", runs, role="viewer", json=body).status_code == 403
    assert users.ask("GET", f"{runs}/viewers").status_code == 404


def check_starter(users, role):
    """Users of this role may start runs."""
    assert users.ask("POST", "/mxtvhf/processing", role=role, json={}).status_code == 422
    started = users.ask("POST", "/api/v2/dags/mxt_vhf/dagRuns", role=role, json={"conf": {}})
    assert started.status_code in (400, 422)


def check_connections_are_closed(users, *roles):
    """These roles read no Connection, and nobody reads Airflow's configuration."""
    for role in roles:
        assert users.ask("GET", "/api/v2/connections", role=role).status_code == 403, role
    assert users.ask("GET", "/api/v2/config").status_code == 403

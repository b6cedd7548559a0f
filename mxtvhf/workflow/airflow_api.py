"""A small client of Airflow's REST API v2: what starting and following runs needs."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any

import requests

from mxtvhf.errors import Failure, InvalidInput, Retriable
from mxtvhf.models.ids import RunKind, kind_of_run
from mxtvhf.models.text import one_line

DAG_ID = RunKind.LIVE.dag_id
DECISION_DAG_ID = "mxt_vhf_decision"
"""Its run about the run of an alert has the same run id."""
PAGE = 100
"""Runs in one answer, the most that Airflow gives by default (`[api] maximum_page_limit`)."""
COMPONENTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")


class AirflowApi:
    """Airflow at one base URL, for one user.

    Where a method takes the id of a run and no DAG, the DAG follows from the id: live, test or replay.

    Parameters
    ----------
    base_url
        Without ``/api/v2``.
    username, password
        Exchanged for a token at the first call, and again when it has expired. A function is asked for the
        password each time, so that a file of secrets may be corrected meanwhile.
    ca
        PEM file of the authority that the server's certificate must come from; None: the system's.
    timeout
        Seconds to connect and to wait for an answer.
    """

    def __init__(
        self,
        base_url: str,
        username: str,
        password: str | Callable[[], str],
        *,
        ca: Path | None = None,
        timeout: tuple[float, float] = (5.0, 30.0),
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._username = username
        self._password = password if callable(password) else lambda: password
        self._timeout = timeout
        self._verify = True if ca is None else str(ca)
        self._session = requests.Session()

    def health(self) -> dict[str, str]:
        """State of each component; the API itself answers while the scheduler is dead."""
        answer = self._send("GET", "/api/v2/monitor/health", authenticated=False)
        return {name: str((answer.get(name) or {}).get("status")) for name in COMPONENTS}

    def is_healthy(self) -> bool:
        """Tell whether every component is healthy; False, too, while the API is not up."""
        try:
            return all(status == "healthy" for status in self.health().values())
        except Retriable:
            return False

    def serves_tasks(self) -> bool:
        """Tell whether the face that tasks report to answers; False, too, while the API is not up.

        At the first request Airflow makes the models of every version of that face, and its server answers
        nobody for 4 s (quiet machine) to 35 s (busy): better before the first alert than at it.
        """
        try:
            answer = self._send("GET", "/execution/health", authenticated=False)
        except Retriable:
            return False
        return bool(answer["status"] == "healthy")

    def unpause(self, dag_id: str) -> bool:
        """Unpause a DAG; False when it is not known yet (not parsed)."""
        try:
            self._send("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": False})
        except InvalidInput:
            return False
        return True

    def connection(self, connection_id: str) -> dict[str, Any] | None:
        """Return a Connection, None when there is none of this id."""
        response = self._request("GET", f"/api/v2/connections/{connection_id}")
        if response.status_code == requests.codes.not_found:
            return None
        return dict(_json(self._checked(response)))

    def put_connection(self, connection: dict[str, Any]) -> None:
        """Create a Connection, or replace the one of the same ``connection_id``."""
        name = connection["connection_id"]
        response = self._request("POST", "/api/v2/connections", json=connection)
        if response.status_code == requests.codes.conflict:
            response = self._request("PATCH", f"/api/v2/connections/{name}", json=connection)
        self._checked(response)

    def start_run(self, run_id: str, conf: dict[str, Any], *, dag_id: str | None = None) -> bool:
        """Start a run; False when a run of this id is there already.

        Raises
        ------
        InvalidInput
            Airflow refused the configuration; the message holds its reason.
        Retriable
            Airflow cannot be reached, is in trouble, or has not read the DAG yet.
        """
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        dag_id = dag_id or kind_of_run(run_id).dag_id
        response = self._request("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body)
        if response.status_code == requests.codes.conflict:
            return False
        if response.status_code == requests.codes.not_found:
            raise Retriable(f"{self.base_url}: Airflow does not know the DAG {dag_id} (yet)")
        self._checked(response)
        return True

    def run(self, run_id: str, *, dag_id: str | None = None) -> dict[str, Any]:
        """Return the run as Airflow describes it (``state``, ``start_date``, ...)."""
        return dict(self._send("GET", run_path(run_id, dag_id)))

    def active_runs(self, dag_id: str) -> list[str]:
        """Return the ids of the runs of a DAG that wait or run, oldest first."""
        found: list[str] = []
        while True:
            query = f"state=queued&state=running&order_by=run_after&limit={PAGE}&offset={len(found)}"
            answer = self._send("GET", f"/api/v2/dags/{dag_id}/dagRuns?{query}")
            found += [run["dag_run_id"] for run in answer["dag_runs"]]
            if not answer["dag_runs"] or len(found) >= answer["total_entries"]:
                return found

    def separate(self) -> AirflowApi:
        """Return a client of the same Airflow with connections of its own, for another thread."""
        other = copy(self)
        other._session = requests.Session()
        return other

    def stop_run(self, run_id: str, *, note: str, dag_id: str | None = None) -> None:
        """Make a run end as failed now, whatever it does, and write a note on it."""
        self._send("PATCH", run_path(run_id, dag_id), json={"state": "failed", "note": note})

    def task_states(self, run_id: str, *, dag_id: str | None = None) -> dict[str, str]:
        """Return the state of each task of a run."""
        path = f"{run_path(run_id, dag_id)}/taskInstances"
        return {ti["task_id"]: str(ti["state"]) for ti in self._send("GET", path)["task_instances"]}

    def get(self, path: str) -> Any:
        """Return the JSON of another address below the base URL, e.g. ``/api/v2/dags``."""
        return self._send("GET", path)

    def post(self, path: str, json: Any) -> Any:
        """Post JSON to another address below the base URL and return the JSON of the answer."""
        return self._send("POST", path, json=json)

    def _send(self, method: str, path: str, *, json: Any = None, authenticated: bool = True) -> Any:
        return _json(self._checked(self._request(method, path, json=json, authenticated=authenticated)))

    def _request(
        self, method: str, path: str, *, json: Any = None, authenticated: bool = True
    ) -> requests.Response:
        if authenticated and "Authorization" not in self._session.headers:
            self._log_in()
        response = self._plain(method, path, json)
        if authenticated and response.status_code == requests.codes.unauthorized:
            self._log_in()
            response = self._plain(method, path, json)
        return response

    def _log_in(self) -> None:
        try:
            login = {"username": self._username, "password": self._password()}
        except InvalidInput as error:  # of ours, and not what the caller sends
            raise Failure(str(error)) from None
        answer = _json(self._checked(self._plain("POST", "/auth/token", login)))
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not (token.isascii() and token.isprintable()):
            raise Retriable(f"{self.base_url}: the answer to the login holds no access token")
        self._session.headers["Authorization"] = f"Bearer {token}"

    def _plain(self, method: str, path: str, json: Any) -> requests.Response:
        try:
            # Given with each request: of a session, the environment's REQUESTS_CA_BUNDLE would go before it.
            return self._session.request(
                method, self.base_url + path, json=json, timeout=self._timeout, verify=self._verify
            )
        except requests.exceptions.SSLError as error:
            raise Retriable(
                f"{self.base_url}: no secure connection to Airflow: {_tls_cause(error)}"
            ) from error
        except requests.RequestException as error:
            raise Retriable(
                f"{self.base_url}: Airflow does not answer ({type(error).__name__}); is it running, and is"
                " MXTVHF_AIRFLOW_URL its address?"
            ) from error
        except OSError as error:  # requests' own, of a missing file of the authority
            raise Retriable(f"{self.base_url}: {one_line(str(error), 300)}") from error

    def _checked(self, response: requests.Response) -> requests.Response:
        if response.ok:
            return response
        if response.status_code == requests.codes.unauthorized:
            raise Failure(
                f"{self.base_url}: login of user {self._username!r} refused (HTTP 401); check"
                " MXTVHF_AIRFLOW_USER (of the listener: MXTVHF_INTAKE_USER) and MXTVHF_AIRFLOW_PASSWORD_FILE"
            )
        reason = f"{self.base_url}: {_detail(response)} (HTTP {response.status_code})"
        if response.status_code in (400, 404, 409, 413, 422):
            raise InvalidInput(reason)
        raise (Retriable if response.status_code in (408, 429, 502, 503, 504) else Failure)(reason)


def run_path(run_id: str, dag_id: str | None = None) -> str:
    """Return the path of a run in Airflow's API; without a DAG that of the run's kind."""
    return f"/api/v2/dags/{dag_id or kind_of_run(run_id).dag_id}/dagRuns/{run_id}"


def _tls_cause(error: BaseException) -> str:
    """Return what is wrong with a certificate, in the words of OpenSSL."""
    found = re.search(r"certificate verify failed: ([^(]+)", str(error))
    return found[1].strip() if found else one_line(str(error), 300)


def _detail(response: requests.Response) -> str:
    """Return what an answer says is wrong, in one line: FastAPI's ``detail``, else the text."""
    try:
        detail = response.json()["detail"]
    except (ValueError, TypeError, KeyError):
        detail = response.text or response.reason
    if isinstance(detail, list):
        detail = "; ".join(
            f"{'.'.join(map(str, one.get('loc', ())))}: {one.get('msg', one)}"
            if isinstance(one, dict)
            else str(one)
            for one in detail
        )
    return one_line(detail, 500)


def _json(response: requests.Response) -> Any:
    """Return the JSON of an answer; what a proxy or a starting server says instead may pass."""
    try:
        return response.json()
    except ValueError:
        where = f"{response.request.method} {response.url}"
        raise Retriable(f"{where}: HTTP {response.status_code}, but the answer is not JSON") from None

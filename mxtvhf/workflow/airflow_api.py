"""Client for the parts of Airflow's REST API v2 that start, follow and stop runs."""

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
"""DAG of the decision; its run has the same run id as the run that is decided."""
PAGE = 100
"""Runs per page; Airflow's default maximum (`[api] maximum_page_limit`)."""
COMPONENTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")


class AirflowApi:
    """A client of one Airflow for one user.

    Methods that take a run id but no DAG derive the DAG from the run id: live, test or replay.

    Parameters
    ----------
    base_url
        Base URL without ``/api/v2``.
    username, password
        Credentials, exchanged for a token at the first call and whenever the token has expired. If the
        password is a function, it is called at each login, so that a secrets file can be corrected meanwhile.
    ca
        PEM file of the certificate authority of the server; None for the authorities of the system.
    timeout
        Connect and read timeout, seconds.
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
        """Return the status of each component; the API also answers while the scheduler is down."""
        answer = self._send("GET", "/api/v2/monitor/health", authenticated=False)
        return {name: str((answer.get(name) or {}).get("status")) for name in COMPONENTS}

    def is_healthy(self) -> bool:
        """Return True if every component is healthy; False also while the API is unreachable."""
        try:
            return all(status == "healthy" for status in self.health().values())
        except Retriable:
            return False

    def serves_tasks(self) -> bool:
        """Return True if the execution API, which tasks report to, answers; else False.

        At the first request Airflow builds the models of every version of this API and answers no other
        request for 4 s (idle machine) to 35 s (busy machine). A call at start keeps this delay away from the
        first alert.
        """
        try:
            answer = self._send("GET", "/execution/health", authenticated=False)
        except Retriable:
            return False
        return bool(answer["status"] == "healthy")

    def unpause(self, dag_id: str) -> bool:
        """Unpause a DAG; return False if Airflow has not parsed it yet.

        Parameters
        ----------
        dag_id
            The DAG.
        """
        try:
            self._send("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": False})
        except InvalidInput:
            return False
        return True

    def connection(self, connection_id: str) -> dict[str, Any] | None:
        """Return a Connection; None if it does not exist.

        Parameters
        ----------
        connection_id
            Airflow's ``conn_id``.
        """
        response = self._request("GET", f"/api/v2/connections/{connection_id}")
        if response.status_code == requests.codes.not_found:
            return None
        return dict(_json(self._checked(response)))

    def put_connection(self, connection: dict[str, Any]) -> None:
        """Create a Connection or replace the existing one.

        Parameters
        ----------
        connection
            Body of Airflow's ``POST /connections``; must contain ``connection_id``.
        """
        name = connection["connection_id"]
        response = self._request("POST", "/api/v2/connections", json=connection)
        if response.status_code == requests.codes.conflict:
            response = self._request("PATCH", f"/api/v2/connections/{name}", json=connection)
        self._checked(response)

    def start_run(self, run_id: str, conf: dict[str, Any], *, dag_id: str | None = None) -> bool:
        """Start a run; return False if a run with this id already exists.

        Parameters
        ----------
        run_id
            Airflow's ``dag_run_id``.
        conf
            Configuration of the run (``dag_run.conf``).
        dag_id
            DAG to run; None for the DAG that the run id implies.

        Raises
        ------
        InvalidInput
            Airflow rejected the configuration; the message contains the reason.
        Retriable
            Airflow is unreachable, overloaded, or has not parsed the DAG yet.
        """
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        dag_id = dag_id or kind_of_run(run_id).dag_id
        response = self._request("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body)
        if response.status_code == requests.codes.conflict:
            return False
        if response.status_code == requests.codes.not_found:
            raise Retriable(f"{self.base_url}: Airflow has not parsed the DAG {dag_id} yet; try again")
        self._checked(response)
        return True

    def run(self, run_id: str, *, dag_id: str | None = None) -> dict[str, Any]:
        """Return a run as Airflow describes it (``state``, ``start_date``, ...).

        Parameters
        ----------
        run_id
            Airflow's ``dag_run_id``.
        dag_id
            DAG of the run; None for the DAG that the run id implies.

        Raises
        ------
        Retriable
            The answer contains no state.
        """
        answer = self._send("GET", run_path(run_id, dag_id))
        if not isinstance(answer, dict) or not isinstance(answer.get("state"), str):
            raise Retriable(f"{self.base_url}: the answer about run {run_id} contains no state")
        return answer

    def active_runs(self, dag_id: str) -> list[str]:
        """Return the ids of the queued and running runs of a DAG, oldest first.

        Parameters
        ----------
        dag_id
            The DAG.
        """
        found: list[str] = []
        while True:
            query = f"state=queued&state=running&order_by=run_after&limit={PAGE}&offset={len(found)}"
            answer = self._send("GET", f"/api/v2/dags/{dag_id}/dagRuns?{query}")
            found += [run["dag_run_id"] for run in answer["dag_runs"]]
            if not answer["dag_runs"] or len(found) >= answer["total_entries"]:
                return found

    def separate(self) -> AirflowApi:
        """Return a client of the same Airflow with its own HTTP session, for use in another thread."""
        other = copy(self)
        other._session = requests.Session()
        return other

    def stop_run(self, run_id: str, *, note: str, dag_id: str | None = None) -> None:
        """Attach a note to a run and set it to failed, which stops its tasks.

        These are two requests, because Airflow 3.3.1 answers one request for both with 409: its second
        database session inserts the new note, too.

        Parameters
        ----------
        run_id
            Airflow's ``dag_run_id``.
        note
            Text that Airflow shows with the run.
        dag_id
            DAG of the run; None for the DAG that the run id implies.
        """
        self._send("PATCH", run_path(run_id, dag_id), json={"note": note})
        self._send("PATCH", run_path(run_id, dag_id), json={"state": "failed"})

    def task_states(self, run_id: str, *, dag_id: str | None = None) -> dict[str, str]:
        """Return the state of each task of a run.

        Parameters
        ----------
        run_id
            Airflow's ``dag_run_id``.
        dag_id
            DAG of the run; None for the DAG that the run id implies.
        """
        path = f"{run_path(run_id, dag_id)}/taskInstances"
        return {ti["task_id"]: str(ti["state"]) for ti in self._send("GET", path)["task_instances"]}

    def get(self, path: str) -> Any:
        """Return the JSON answer of any other endpoint.

        Parameters
        ----------
        path
            Path below the base URL, e.g. ``/api/v2/dags``.
        """
        return self._send("GET", path)

    def post(self, path: str, json: Any) -> Any:
        """Post JSON to any other endpoint and return the JSON answer.

        Parameters
        ----------
        path
            Path below the base URL.
        json
            Body of the request.
        """
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
        except InvalidInput as error:  # An error in our password file, not in what the caller sends.
            raise Failure(str(error)) from None
        answer = _json(self._checked(self._plain("POST", "/auth/token", login)))
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not (token.isascii() and token.isprintable()):
            raise Retriable(f"{self.base_url}: the login answer contains no access token")
        self._session.headers["Authorization"] = f"Bearer {token}"

    def _plain(self, method: str, path: str, json: Any) -> requests.Response:
        try:
            # Passed with each request, because REQUESTS_CA_BUNDLE overrides the value of a session.
            return self._session.request(
                method, self.base_url + path, json=json, timeout=self._timeout, verify=self._verify
            )
        except requests.exceptions.SSLError as error:
            raise Retriable(
                f"{self.base_url}: TLS connection to Airflow failed: {_tls_cause(error)}"
            ) from error
        except requests.RequestException as error:
            raise Retriable(
                f"{self.base_url}: Airflow does not answer ({type(error).__name__}); check that it is running"
                " and that MXTVHF_AIRFLOW_URL is its address"
            ) from error
        except OSError as error:  # requests raises it if the CA file is missing.
            raise Retriable(f"{self.base_url}: {one_line(str(error), 300)}") from error

    def _checked(self, response: requests.Response) -> requests.Response:
        if response.ok:
            return response
        if response.status_code == requests.codes.unauthorized:
            raise Failure(
                f"{self.base_url}: login of user {self._username!r} refused (HTTP 401); check"
                " MXTVHF_AIRFLOW_USER (MXTVHF_INTAKE_USER for the listener) and MXTVHF_AIRFLOW_PASSWORD_FILE"
            )
        reason = f"{self.base_url}: {_detail(response)} (HTTP {response.status_code})"
        if response.status_code in (400, 404, 409, 413, 422):
            raise InvalidInput(reason)
        raise (Retriable if response.status_code in (408, 429, 502, 503, 504) else Failure)(reason)


def run_path(run_id: str, dag_id: str | None = None) -> str:
    """Return the path of a run in Airflow's REST API.

    Parameters
    ----------
    run_id
        Airflow's ``dag_run_id``.
    dag_id
        DAG of the run; None for the DAG that the run id implies.
    """
    return f"/api/v2/dags/{dag_id or kind_of_run(run_id).dag_id}/dagRuns/{run_id}"


def _tls_cause(error: BaseException) -> str:
    """Return OpenSSL's reason for rejecting a certificate."""
    found = re.search(r"certificate verify failed: ([^(]+)", str(error))
    return found[1].strip() if found else one_line(str(error), 300)


def _detail(response: requests.Response) -> str:
    """Return the error message of an answer as one line: FastAPI's ``detail``, else the body."""
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
    """Return the JSON of an answer.

    Anything else, as from a proxy or a server that is starting, is treated as a temporary error.
    """
    try:
        return response.json()
    except ValueError:
        where = f"{response.request.method} {response.url}"
        raise Retriable(
            f"{where}: HTTP {response.status_code}, but the answer is not JSON; check the base URL"
        ) from None

"""A client of the partner's General Program (GP) service; ``gp_contract`` says what is asked and answered."""

from __future__ import annotations

import re
import time
from typing import Any, Literal

import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from mxtvhf.models.text import one_line
from mxtvhf.workflow.gp.contract import (
    HEADERS,
    MAX_BODY,
    Answer,
    GpAnswerError,
    GpBusy,
    GpRequest,
    GpStartUnknownError,
    GpStatus,
    checked_base_url,
    job_status,
    started_job,
    unreachable,
)


class GpClient:
    """A GP service, asked with ``requests``.

    Parameters
    ----------
    base_url
        ``http(s)://host[:port][/path]``, without credentials.
    auth
        Login and password for HTTP basic authentication.
    timeout
        Seconds to connect, and seconds for the whole answer.
    session
        A session to use instead of an own one.

    Raises
    ------
    InvalidInput
        The base URL is none.
    """

    def __init__(
        self,
        base_url: str,
        *,
        auth: tuple[str, str] | None = None,
        timeout: tuple[float, float] = (3.05, 10.0),
        session: requests.Session | None = None,
    ) -> None:
        self.base_url = checked_base_url(base_url)
        self._auth = auth
        self._timeout = timeout
        self._session = session or requests.Session()

    def start(self, request: GpRequest) -> str:
        """Ask GP to start an analysis and return its process id.

        Raises
        ------
        GpBusy
            GP has not started: no connection, 429 or 503.
        GpStartUnknownError
            The request was sent, but no answer came, or none that rules out that GP has started.
        InvalidInput, GpAnswerError
            GP refuses, as ``started_job``; or there is no TLS connection.
        """
        url = f"{self.base_url}/processing"
        try:
            answer = self._ask("POST", url, json=request.model_dump(exclude_none=True))
        except requests.exceptions.SSLError as error:
            raise GpAnswerError(f"POST {url}: no TLS connection ({_network_cause(error)})") from None
        except requests.ConnectionError as error:
            if _never_connected(error):
                raise GpBusy(f"POST {url}: {_network_cause(error)}") from None
            raise GpStartUnknownError(f"POST {url}: sent, but {_network_cause(error)}") from None
        except (requests.RequestException, HTTPError, OSError) as error:
            raise GpStartUnknownError(f"POST {url}: sent, but {_network_cause(error)}") from None
        return started_job(answer)

    def status(self, process_id: str) -> GpStatus:
        """Ask once where a job stands; errors as ``job_status``, and GpBusy for the network's."""
        url = f"{self.base_url}/status"
        try:
            answer = self._ask("GET", url, params={"seqid": process_id})
        except requests.exceptions.SSLError as error:
            raise GpAnswerError(f"GET {url}: no TLS connection ({_network_cause(error)})") from None
        except (requests.RequestException, HTTPError, OSError) as error:
            raise GpBusy(f"GET {url}?seqid={process_id}: {_network_cause(error)}") from None
        return job_status(answer, process_id)

    def _ask(self, method: Literal["GET", "POST"], url: str, **what: Any) -> Answer:
        """Send a request, follow no redirect, read at most ``MAX_BODY + 1`` bytes of the answer."""
        give_up = time.monotonic() + self._timeout[1]
        with self._session.request(
            method,
            url,
            headers=HEADERS,
            auth=self._auth,
            timeout=self._timeout,
            allow_redirects=False,
            stream=True,
            **what,
        ) as response:
            body = bytearray()
            while len(body) <= MAX_BODY and (part := response.raw.read1(65_536, decode_content=False)):
                body += part
                if time.monotonic() > give_up:
                    raise requests.ReadTimeout("the answer does not end")
            headers = {name.lower(): value for name, value in response.headers.items()}
            where = response.url or url
            return Answer(method, where, response.status_code, bytes(body[: MAX_BODY + 1]), headers)


def _never_connected(error: requests.ConnectionError) -> bool:
    """Tell whether no connection was made, so that GP cannot have seen the request."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(cause, NewConnectionError | ConnectTimeoutError)


def _network_cause(error: Exception) -> str:
    """Say in one line why there is no answer."""
    if isinstance(error, requests.ConnectTimeout):
        return unreachable("no connection within the time limit")
    if isinstance(error, requests.Timeout) or "Read timed out" in str(error):
        return "no answer within the time limit"
    cause = getattr(error.args[0], "reason", error.args[0]) if error.args else error
    words = str(cause).rpartition(": ")[2]
    words = one_line(re.sub(r"^\[Errno \d+\] ", "", words) or type(error).__name__, 200)
    if isinstance(error, requests.ConnectionError) and _never_connected(error):
        return unreachable(words)
    return words

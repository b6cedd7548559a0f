"""Client of the partner's General Program (GP) service; its contract is in ``contract``."""

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
    """A blocking client of one GP service.

    Parameters
    ----------
    base_url
        ``http(s)://host[:port][/path]``, without credentials.
    auth
        Login and password for HTTP basic authentication.
    timeout
        Connect timeout and timeout for the whole answer, seconds.
    session
        HTTP session to use; None for a new one.

    Raises
    ------
    InvalidInput
        The base URL is invalid.
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
        """Start an analysis and return its process id.

        Parameters
        ----------
        request
            Observation or event file to analyse.

        Raises
        ------
        GpBusy
            GP has not started the analysis: no connection, 429 or 503.
        GpStartUnknownError
            The request was sent, but the answer is missing or does not exclude that GP has started.
        InvalidInput, GpAnswerError
            GP rejected the request, see ``started_job``, or the TLS connection failed.
        """
        url = f"{self.base_url}/processing"
        try:
            answer = self._ask("POST", url, json=request.model_dump(exclude_none=True))
        except requests.exceptions.SSLError as error:
            raise GpAnswerError(f"POST {url}: TLS connection failed ({_network_cause(error)})") from None
        except requests.ConnectionError as error:
            if _never_connected(error):
                raise GpBusy(f"POST {url}: {_network_cause(error)}") from None
            raise GpStartUnknownError(f"POST {url}: sent, but {_network_cause(error)}") from None
        except (requests.RequestException, HTTPError, OSError) as error:
            raise GpStartUnknownError(f"POST {url}: sent, but {_network_cause(error)}") from None
        return started_job(answer)

    def status(self, process_id: str) -> GpStatus:
        """Return the current status of a job.

        Parameters
        ----------
        process_id
            GP's id of the job.

        Raises
        ------
        GpBusy
            No connection or no answer, or as in ``job_status``.
        InvalidInput, GpAnswerError, GpUnknownJobError
            As in ``job_status``.
        """
        url = f"{self.base_url}/status"
        try:
            answer = self._ask("GET", url, params={"seqid": process_id})
        except requests.exceptions.SSLError as error:
            raise GpAnswerError(f"GET {url}: TLS connection failed ({_network_cause(error)})") from None
        except (requests.RequestException, HTTPError, OSError) as error:
            raise GpBusy(f"GET {url}?seqid={process_id}: {_network_cause(error)}") from None
        return job_status(answer, process_id)

    def _ask(self, method: Literal["GET", "POST"], url: str, **what: Any) -> Answer:
        """Send a request without following redirects and read at most ``MAX_BODY + 1`` bytes."""
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
    """Return True if no connection was made, so that GP cannot have received the request."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(cause, NewConnectionError | ConnectTimeoutError)


def _network_cause(error: Exception) -> str:
    """Return in one line why there is no answer."""
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

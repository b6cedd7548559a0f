"""Trigger that polls GP while the task ``wait_mxt_gp`` is deferred."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
from airflow.sdk import BaseHook
from airflow.triggers.base import BaseTrigger, TriggerEvent

from mxtvhf.errors import MxtVhfError
from mxtvhf.workflow.gp.contract import (
    HEADERS,
    MAX_BODY,
    Answer,
    GpAnswerError,
    GpBusy,
    GpStatus,
    GpUnknownJobError,
    checked_base_url,
    job_status,
    unreachable,
)
from mxtvhf.workflow.gp.polling import Polling
from mxtvhf.workflow.gp.progress import progress_of
from mxtvhf_airflow.hooks.gp import gp_auth, gp_base_url

LONGEST_REQUEST = 10.0
"""Time limit of one poll, from the connection to the end of the answer, seconds."""


class MxtGpTrigger(BaseTrigger):
    """Polls GP until the job ends, an error is final, or the deadline is over.

    Fires one event: ``{"status": <GpStatus>}`` or ``{"error": <one line>, "progress": <GpProgress>}``.
    The trigger starts and cancels nothing, so it may be killed, moved or run twice. It has no ``on_kill`` on
    purpose.

    :param gp_conn_id: Airflow Connection of GP (type http).
    :param process_id: process id of the job.
    :param deadline: end of the wait, ISO 8601 with UTC offset. It is absolute, so that a restarted triggerer
        does not wait longer.
    :param poll_interval: seconds between two polls; the interval grows after failures.
    :param unknown_grace: seconds for which GP may not know the job, for example while it restarts.
    """

    def __init__(
        self,
        gp_conn_id: str,
        process_id: str,
        deadline: str,
        poll_interval: float = 1.0,
        unknown_grace: float = 15.0,
    ) -> None:
        super().__init__()
        self.gp_conn_id = gp_conn_id
        self.process_id = process_id
        self.deadline = deadline
        self.poll_interval = poll_interval
        self.unknown_grace = unknown_grace

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments."""
        names = ("gp_conn_id", "process_id", "deadline", "poll_interval", "unknown_grace")
        return f"{type(self).__module__}.{type(self).__qualname__}", {n: getattr(self, n) for n in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire the event."""
        try:
            status = await self._end_of_job()
        except MxtVhfError as error:
            yield TriggerEvent({"error": str(error), "progress": progress_of(error).value})
        else:
            yield TriggerEvent({"status": status.model_dump(mode="json")})

    async def _end_of_job(self) -> GpStatus:
        connection = await BaseHook.aget_connection(self.gp_conn_id)
        base_url, auth = checked_base_url(gp_base_url(connection)), gp_auth(connection)
        async with aiohttp.ClientSession(
            auth=aiohttp.BasicAuth(*auth) if auth else None,
            headers=HEADERS,
            auto_decompress=False,
            trust_env=True,
        ) as session:
            return await self._poll(session, f"{base_url}/status")

    async def _poll(self, session: aiohttp.ClientSession, url: str) -> GpStatus:
        """Poll until the job has ended. Any other end is an error."""
        polling = Polling(self.poll_interval, unknown_grace_s=self.unknown_grace)
        while True:
            try:
                status = await ask_status(session, url, self.process_id, self._seconds_for_request())
            except GpBusy as error:
                polling.failed(error)
                self.log.warning("%s", error)
            except GpUnknownJobError as error:
                polling.failed(error)
            else:
                if status.state.is_final:
                    return status
                polling.answered(status)
            left = self._seconds_left()
            if left <= 0.0:
                raise polling.given_up(
                    f"GP process {self.process_id}: no result until {self.deadline}, given up; "
                    f"last state: {polling.last}"
                )
            await asyncio.sleep(polling.pause_s(left))

    def _seconds_left(self) -> float:
        return (datetime.fromisoformat(self.deadline) - datetime.now(UTC)).total_seconds()

    def _seconds_for_request(self) -> float:
        """Return the time limit of one poll, which ends soon after the deadline, seconds."""
        return max(1.0, min(LONGEST_REQUEST, self._seconds_left()))


async def ask_status(session: aiohttp.ClientSession, url: str, process_id: str, seconds: float) -> GpStatus:
    """Request the status once without blocking, with the same errors as ``GpClient.status``.

    :param seconds: time limit from the connection to the end of the answer.
    """
    try:
        async with session.get(
            url,
            params={"seqid": process_id},
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=seconds),
        ) as response:
            body = bytearray()
            while len(body) <= MAX_BODY and (part := await response.content.read(65_536)):
                body += part
            headers = {name.lower(): value for name, value in response.headers.items()}
            answer = Answer("GET", str(response.url), response.status, bytes(body[: MAX_BODY + 1]), headers)
    except aiohttp.ClientSSLError as error:
        raise GpAnswerError(f"GET {url}: TLS connection failed ({error.os_error.strerror})") from None
    except TimeoutError:
        raise GpBusy(f"GET {url}?seqid={process_id}: no answer within {seconds:.0f} s") from None
    except aiohttp.ClientConnectorError as error:
        cause = unreachable(error.os_error.strerror or str(error.os_error))
        raise GpBusy(f"GET {url}?seqid={process_id}: {cause}") from None
    except (aiohttp.ClientError, OSError) as error:
        raise GpBusy(f"GET {url}?seqid={process_id}: {error or type(error).__name__}") from None
    return job_status(answer, process_id)

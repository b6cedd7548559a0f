"""Source of SVOM notices and GCN Circulars that GCN distributes over Kafka.

See https://gcn.nasa.gov/docs/client.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import confluent_kafka
import gcn_kafka
from pydantic import Field, SecretStr, model_validator

from mxtvhf.errors import InvalidInput, Retriable
from mxtvhf.intake.gcn_circulars import TOPIC as CIRCULARS
from mxtvhf.intake.spool import ReceivedMessage
from mxtvhf.models.base import Model
from mxtvhf.models.toml import read_toml

log = logging.getLogger(__name__)

TOPICS = tuple(f"gcn.notices.svom.voevent.{instrument}" for instrument in ("grm", "eclairs", "mxt", "vt"))
OTHER_MISSIONS = (
    *(f"gcn.notices.{name}" for name in (
        "boom.alert", "einstein_probe.wxt.alert", "fermi.gbm.trigger", "fermi.lat.flare",
        "icecube.gold_bronze_track_alerts", "icecube.lvk_nu_track_search", "maxi.gsc.unknown",
        "swift.bat.guano", "svom.eclairs", "svom.grm",
    )),
    *(f"gcn.classic.voevent.{name}" for name in (
        "FERMI_GBM_ALERT", "FERMI_GBM_FLT_POS", "FERMI_GBM_GND_POS", "FERMI_GBM_FIN_POS",
        "FERMI_GBM_SUBTHRESH", "FERMI_LAT_GND", "FERMI_LAT_OFFLINE", "FERMI_LAT_POS_INI", "FERMI_LAT_POS_UPD",
        "ICECUBE_ASTROTRACK_BRONZE", "ICECUBE_ASTROTRACK_GOLD", "ICECUBE_CASCADE",
        "INTEGRAL_OFFLINE", "INTEGRAL_REFINED", "INTEGRAL_SPIACS", "INTEGRAL_WAKEUP", "MAXI_UNKNOWN",
        "SWIFT_BAT_GRB_POS_ACK", "SWIFT_UVOT_POS", "SWIFT_XRT_POSITION",
    )),
    "igwn.gwalert",
)  # fmt: skip
"""Topics of other missions, see https://gcn.nasa.gov/missions. Topics that GCN lacks are logged once."""
HEARTBEAT = "gcn.heartbeat"
SILENCE_S = 60.0
"""Longest time without a heartbeat, seconds. GCN sends one every second, so a longer silence is a fault."""
POLL_S = 0.5
UNUSED = (
    "GCN deletes credentials that are not used for 30 days; create new ones at "
    "https://gcn.nasa.gov/user/credentials"
)
"""GCN warns by mail after 21 days (``app/lib/cognito.ts`` of https://github.com/nasa-gcn/gcn.nasa.gov)."""


class GcnAccess(Model):
    """The content of a file of GCN credentials (TOML). The secret never appears in a log."""

    client_id: str | None = None
    client_secret: SecretStr | None = None
    domain: str = "gcn.nasa.gov"
    group_id: str = "mxtvhf-listen"
    topics: tuple[str, ...] = TOPICS
    other_missions: tuple[str, ...] = Field(
        default=OTHER_MISSIONS, description="topics of other missions; empty: receive none"
    )
    heartbeat: bool = True
    circulars: bool = Field(default=True, description="read event names from GCN Circulars")
    config: dict[str, str | int | bool] = Field(
        default={}, description="further options of librdkafka, e.g. another bootstrap.servers"
    )

    @model_validator(mode="after")
    def _has_both_credentials(self) -> GcnAccess:
        if (self.client_id is None) != (self.client_secret is None):
            raise ValueError(
                "expected both client_id and client_secret; copy them from the credentials page of GCN"
            )
        return self

    @classmethod
    def from_file(cls, path: Path) -> GcnAccess:
        """Read the file.

        Raises
        ------
        InvalidInput
            The file is missing or invalid. The message names the key, never a value.
        """
        return read_toml(path, cls, show_values=False)

    def of_other_missions(self) -> GcnAccess:
        """Return the access for the topics of other missions, with a consumer group of its own."""
        return self.model_copy(
            update={
                "topics": self.other_missions,
                "group_id": f"{self.group_id}-other-missions",
                "circulars": False,
            }
        )


class GcnKafka:
    """Receives notices from GCN's topics and commits an offset only after its notice is stored.

    Parameters
    ----------
    access
        Credentials and topics.
    keep
        Stores a message durably, as `Intake.keep`.
    read_circular
        Processes a circular, as `gcn_circulars.name_from_circular`.
    """

    def __init__(
        self,
        access: GcnAccess,
        keep: Callable[[ReceivedMessage], None],
        read_circular: Callable[[bytes], object] = lambda raw: None,
    ) -> None:
        self._access = access
        self._keep = keep
        self._read_circular = read_circular
        self._complaints: set[str] = set()
        self._last_error = "none"
        self._heard = time.monotonic()

    def run(self, stop: threading.Event, works: Callable[[], None] = lambda: None) -> None:
        """Receive notices until ``stop`` is set.

        Parameters
        ----------
        stop
            Ends the loop.
        works
            Called at each heartbeat and for each stored notice.

        Raises
        ------
        InvalidInput
            An option of librdkafka is invalid.
        Retriable
            An offset cannot be committed, or the heartbeat is missing. A new connection receives again
            what was not committed.
        OSError
            A notice cannot be stored. Its offset is not committed.
        """
        try:
            consumer = gcn_kafka.Consumer(config=self._config())
        except (confluent_kafka.KafkaException, ValueError, TypeError) as error:
            raise InvalidInput(
                f"GCN Kafka: {_cause(error)}; correct [config] in the file of GCN credentials"
            ) from None
        self._heard = time.monotonic()
        try:
            consumer.subscribe(
                [
                    *self._access.topics,
                    *[HEARTBEAT] * self._access.heartbeat,
                    *[CIRCULARS] * self._access.circulars,
                ]
            )
            while not stop.is_set():
                message = consumer.poll(POLL_S)
                if message is not None and self._is_sound(message):
                    self._take(message, consumer)
                    works()
                self._check_heartbeat()
        except confluent_kafka.KafkaException as error:
            raise Retriable(f"GCN Kafka: {_cause(error)}") from error
        finally:
            consumer.close()

    def _config(self) -> dict[str, Any]:
        access = self._access
        login = {"client_id": access.client_id, "domain": access.domain}
        if access.client_secret is not None:
            login["client_secret"] = access.client_secret.get_secret_value()
        return {
            "group.id": access.group_id,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            **{name: value for name, value in login.items() if value is not None},
            **access.config,
        }

    def _is_sound(self, message: confluent_kafka.Message) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.fatal():
            raise confluent_kafka.KafkaException(error)
        self._last_error = _reason(error)
        if error.name() not in self._complaints:
            self._complaints.add(error.name())
            log.warning("GCN Kafka: %s", self._last_error)
        return False

    def _take(self, message: confluent_kafka.Message, consumer: gcn_kafka.Consumer) -> None:
        if message.topic() == HEARTBEAT:
            self._heard = time.monotonic()
            return
        if message.topic() == CIRCULARS:
            self._read_circular(message.value() or b"")
        else:
            source = f"GCN {message.topic()} {message.partition()}/{message.offset()}"
            self._keep(ReceivedMessage(message.value() or b"", source, datetime.now(UTC)))
        consumer.commit(message=message, asynchronous=False)
        # In a storm, heartbeats wait behind notices, which show as well that the connection works.
        self._heard = time.monotonic()

    def _check_heartbeat(self) -> None:
        if self._access.heartbeat and time.monotonic() - self._heard > SILENCE_S:
            raise Retriable(
                f"GCN Kafka: no heartbeat for {SILENCE_S:.0f} s, notices may be delayed; reconnecting; "
                f"last error: {self._last_error}"
            )


def _reason(error: confluent_kafka.KafkaError) -> str:
    """Return the message of librdkafka for an error, with advice if GCN rejects the credentials."""
    is_refused = error.code() in (
        confluent_kafka.KafkaError._AUTHENTICATION,
        confluent_kafka.KafkaError.SASL_AUTHENTICATION_FAILED,
    )
    return f"{error.str()}; {UNUSED}" if is_refused else error.str()


def _cause(error: Exception) -> str:
    """Return the message of librdkafka for an error."""
    cause = error.args[0] if error.args else error
    return cause.str() if isinstance(cause, confluent_kafka.KafkaError) else str(cause)

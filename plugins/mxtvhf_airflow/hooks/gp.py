"""Address, login and client of GP from an Airflow Connection."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

if TYPE_CHECKING:
    from airflow.models.connection import Connection as StoredConnection
    from airflow.sdk import Connection

    from mxtvhf.workflow.gp.client import GpClient


def gp_connection(conn_id: str) -> Connection:
    """Return the Airflow Connection of GP. If it is missing, the task fails without a retry."""
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise AirflowFailException(
            f"Airflow Connection {conn_id!r} of GP is missing; create it under Admin, Connections"
        ) from None


def gp_client(connection: Connection) -> GpClient:
    """Return a client for the GP of an Airflow Connection."""
    from mxtvhf.errors import InvalidInput
    from mxtvhf.workflow.gp.client import GpClient

    try:
        return GpClient(gp_base_url(connection), auth=gp_auth(connection))
    except InvalidInput as error:
        raise AirflowFailException(f"Airflow Connection {connection.conn_id!r}: {error}") from None


def gp_auth(connection: Connection) -> tuple[str, str] | None:
    """Return the login and the password of the Connection; None without a login."""
    return (connection.login, connection.password or "") if connection.login else None


def gp_base_url(connection: Connection | StoredConnection) -> str:
    """Return the base URL of a Connection in any form that Airflow's HttpHook accepts.

    The host is ``gp.example.org`` or a whole URL, both optionally with a path. The schema is ``http`` (the
    default) or ``https``. The port follows the host name, before the path. Any other schema is the path of a
    Connection that was given as ``http://host:port/path``.

    Raises
    ------
    InvalidInput
        The host of the Connection contradicts its port or schema.
    """
    from mxtvhf.errors import InvalidInput

    host, schema = connection.host or "", (connection.schema or "").strip("/")
    protocol = schema if schema in ("http", "https") else "http"
    try:
        parts = urlsplit(host if "://" in host else f"{protocol}://{host}")
        port = parts.port
    except ValueError as error:
        raise InvalidInput(f"host: {error}; expected a name or http(s)://host[:port][/path]") from None
    if port and connection.port and port != connection.port:
        raise InvalidInput(f"host names port {port}, but Port is {connection.port}; give the port once")
    if schema in ("http", "https") and parts.scheme != schema:
        raise InvalidInput(f"host names schema {parts.scheme}, but Schema is {schema}; give the schema once")
    netloc = parts.netloc if port or not connection.port else f"{parts.netloc}:{connection.port}"
    path = parts.path.rstrip("/") + (f"/{schema}" if schema and schema != protocol else "")
    return parts._replace(netloc=netloc, path=path).geturl()

"""The environment variables of Airflow and our own services, made from the configuration."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

from mxtvhf.operation.deployment.checks import secret_text
from mxtvhf.operation.deployment.configuration import DatabasePart, Deployment, GpPart, RedisPart
from mxtvhf.operation.deployment.logins import auth_sections
from mxtvhf.operation.stack.airflow_config import (
    LONGEST_TASK_S,
    Sections,
    as_variables,
    common_sections,
    process_environment,
    roles_text,
)

RESULTS, QUEUE = 1, 0
"""Numbers of the Redis databases for task results and for queued tasks."""


def service_environment(deployment: Deployment) -> dict[str, str]:
    """Return the environment variables of a service. They contain secrets and are for one process only."""
    project, state = deployment.airflow.project, deployment.home
    is_https = deployment.airflow.public_url.startswith("https:")
    variables = as_variables(
        common_sections(project=project, state=state),
        _own_sections(deployment),
        _tls_sections(deployment),
        auth_sections(deployment.auth, config_file=deployment.fab_config, is_https=is_https),
    )
    environment = process_environment(
        variables, project=project, state=state, statsd=deployment.statsd, otlp=deployment.otlp
    )
    return {
        **environment,
        **deployment.environment(),
        "MXTVHF_STATE": str(state),
        "MXTVHF_PUBLIC_URL": deployment.public_url or deployment.airflow.public_url,
        **asyncpg_environment(deployment.database),
        "AIRFLOW_CONN_MXT_GP": gp_connection_text(deployment.gp),
    }


def _own_sections(deployment: Deployment) -> Sections:
    airflow, jwt_secret = deployment.airflow, secret_text(deployment.airflow.jwt_secret)
    return {
        "core": {
            "executor": "CeleryExecutor",
            "parallelism": airflow.parallelism,
            # Airflow's default resolves another name; the health checks look for this one.
            "hostname_callable": "socket.gethostname",
            "dags_are_paused_at_creation": False,
            "execution_api_server_url": f"{deployment.airflow_url}/execution/",
            "simple_auth_manager_users": roles_text(deployment.accounts),
            "fernet_key": secret_text(airflow.fernet_key),
        },
        "database": {"sql_alchemy_conn": database_uri(deployment.database)},
        # An idle installation uses 0.33 of a core with this value, and 0.43 with the embedded stack's 0.1 s.
        "scheduler": {"scheduler_idle_sleep_time": 0.2},
        "api": {
            "host": airflow.listen,
            "port": airflow.port,
            "base_url": airflow.public_url,
            # Signs the sessions of the web pages; the same process signs tokens with the same secret.
            "secret_key": jwt_secret,
        },
        "api_auth": {"jwt_secret": jwt_secret},
        **_celery_sections(deployment),
    }


def _tls_sections(deployment: Deployment) -> Sections:
    airflow, database = deployment.airflow, deployment.database
    files = {
        "ssl_cert": airflow.certificate,
        "ssl_key": airflow.key,
        # Tasks verify the server with it (airflow.sdk.api.client); clients need no certificate.
        "ssl_ca_file": deployment.airflow_ca,
    }
    return {
        "api": {option: path for option, path in files.items() if path is not None},
        "database": {"sql_alchemy_conn_async": async_database_uri(database)} if database.sslmode else {},
    }


def _celery_sections(deployment: Deployment) -> Sections:
    return {
        "celery": {
            "broker_url": redis_url(deployment.redis, QUEUE),
            # Redis, because results in PostgreSQL would cost two more writes per task.
            "result_backend": redis_url(deployment.redis, RESULTS),
            "celery_config_options": "mxtvhf_airflow.celery_options.CELERY_CONFIG",
            "worker_concurrency": deployment.airflow.worker_concurrency,
            # A worker fetches only tasks that it can start, because tasks held by a dead worker are delayed.
            "worker_prefetch_multiplier": 1,
            # Tasks are acknowledged at their end, so a task of a dead worker stays queued.
            "task_acks_late": True,
        },
        # After this time Redis gives an unacknowledged task to another worker. It exceeds the longest task,
        # which would otherwise run twice. A missing heartbeat reveals a dead worker much earlier.
        "celery_broker_transport_options": {"visibility_timeout": 2 * LONGEST_TASK_S},
    }


def database_uri(database: DatabasePart) -> str:
    """Return the SQLAlchemy URI of the metadata database for psycopg2, with libpq's TLS options."""
    files = {"sslrootcert": database.ca, "sslcert": database.certificate, "sslkey": database.key}
    options = {"sslmode": database.sslmode} if database.sslmode else {}
    return _uri("psycopg2", database, options | {key: str(path) for key, path in files.items() if path})


def async_database_uri(database: DatabasePart) -> str:
    """Return the URI for asyncpg. Its TLS options are environment variables, see `asyncpg_environment`."""
    return _uri("asyncpg", database, {})


def asyncpg_environment(database: DatabasePart) -> dict[str, str]:
    """Return the environment variables with the TLS options for asyncpg, the same as in `database_uri`.

    Their names are those of libpq (PostgreSQL's manual, 32.15), which both libraries read.
    """
    values = {
        "PGSSLMODE": database.sslmode,
        "PGSSLROOTCERT": database.ca,
        "PGSSLCERT": database.certificate,
        "PGSSLKEY": database.key,
    }
    return {name: str(value) for name, value in values.items() if value is not None}


def _uri(driver: str, database: DatabasePart, options: dict[str, str]) -> str:
    login = f"{quote(database.user)}:{quote(secret_text(database.password), safe='')}"
    if isinstance(database.host, str):
        address = _address(database.host, database.port)
    else:
        address, options = "", {"host": str(database.host), **options}
    query = f"?{urlencode(options)}" if options else ""
    return f"postgresql+{driver}://{login}@{address}/{quote(database.name)}{query}"


def redis_url(redis: RedisPart, database: int) -> str:
    """Return the URL of a Redis database."""
    password = quote(secret_text(redis.password), safe="")
    return f"redis://:{password}@{_address(redis.host, redis.port)}/{database}"


def gp_connection_text(gp: GpPart) -> str:
    """Return the Airflow Connection ``mxt_gp`` in the JSON form of Airflow's environment variable."""
    connection: dict[str, object] = {"conn_type": "http", "host": gp.url}
    if gp.user is not None:
        connection["login"] = gp.user
    if gp.password is not None:
        connection["password"] = secret_text(gp.password)
    return json.dumps({**connection, "extra": {"send_event_file": gp.send_event_file}})


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

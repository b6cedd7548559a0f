"""An installation made from a configuration file, with TLS between all parts and some of its services."""

import json
import os
import tempfile
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

import psycopg2
import requests

from mxtvhf.errors import Failure
from mxtvhf.operation.deployment.cluster import entrypoint
from mxtvhf.operation.deployment.configuration import read_deployment
from mxtvhf.operation.deployment.environment import database_uri
from mxtvhf.operation.deployment.health_target import check_service
from mxtvhf.operation.deployment.service import Service
from mxtvhf.operation.stack.processes import ProcessGroup, wait_until
from mxtvhf.settings import ADMIN
from mxtvhf.workflow.airflow_api import AirflowApi
from support.certificates import Authority
from support.nats_server import free_port
from support.postgres_server import PostgresServer
from support.project import PROJECT

WORKER = "worker-1"
ACCOUNTS = ("admin", "intake", "viewer", "robot", "user", "op")
SECRETS = {
    "users": json.dumps({name: f"canary-{name}" for name in ACCOUNTS}),
    "nats": "mxtvhf:canary-nats",
    "fernet": "A" * 43 + "=",
    "jwt": "canary-jwt-" + "j" * 43,
    "postgres": "canary of: postgres@/",
    "redis": "canary-redis",
    "client": "canary-client-secret",
}
FILE = """
state = "{state}"
airflow_url = "https://localhost:{port}"
airflow_ca = "{ca}"
airflow_password_file = "{secrets}/users"
nats_url = "tls://127.0.0.1:{nats_port}"
nats_credentials = "{secrets}/nats"

[nats_tls]
ca = "{ca}"
certificate = "{authority}/mxtvhf.pem"
key = "{authority}/mxtvhf-key.pem"

[users]
viewer = "viewer"
robot = "robot"
user = "user"
op = "op"

[airflow]
project = "{project}"
listen = "127.0.0.1"
port = {port}
public_url = "https://localhost:{port}"
parallelism = 8
worker_concurrency = 2
certificate = "{authority}/api.pem"
key = "{authority}/api-key.pem"
fernet_key = "{secrets}/fernet"
jwt_secret = "{secrets}/jwt"

[database]
host = "localhost"
port = {database_port}
password = "{secrets}/postgres"
sslmode = "verify-full"
ca = "{ca}"
certificate = "{authority}/airflow.pem"
key = "{authority}/airflow-key.pem"

[redis]
host = "127.0.0.1"
port = {redis_port}
listen = "127.0.0.1"
data = "{redis}"
password = "{secrets}/redis"

[nats]
listen = "127.0.0.1"
port = {nats_port}
data = "{nats}"
certificate = "{authority}/nats.pem"
key = "{authority}/nats-key.pem"
client_ca = "{ca}"

[gp]
url = "http://127.0.0.1:{gp_port}"
listen = "127.0.0.1"
port = {gp_port}
send_event_file = true
"""


class Installation:
    """The configuration file, the started services, and Airflow with the login of admin."""

    def __init__(self, config: Path, authority: Authority, database: PostgresServer, processes: ProcessGroup):
        self.config, self.authority, self.database, self.processes = config, authority, database, processes
        self._started = {}
        self.deployment = read_deployment(config)
        self.url = self.deployment.airflow_url
        self.api = self.api_of(ADMIN)

    def read(self):
        """Read the configuration file again."""
        self.deployment = read_deployment(self.config)

    def configure(self, auth):
        """Replace ``[auth]`` and the following tables, and restart the API server; see `installation`."""
        text = self.config.read_text()
        kept = text[: text.index("[auth]")]
        secrets = self.config.parent / "secrets"
        self.config.write_text(kept + auth.format(secrets=secrets, ca=self.authority.ca).lstrip())
        self.read()
        self.restart(Service.API_SERVER)

    def restart(self, name, *, ready=True):
        """Stop a service regularly, start it again and wait until it is healthy."""
        self._started[name].terminate()
        self._started[name].wait(180)
        self.start(name, ready=ready)

    def api_of(self, user, password=None):
        """Return Airflow with the login of another user."""
        return AirflowApi(self.url, user, password or f"canary-{user}", ca=self.authority.ca)

    def token(self, user, password=None):
        """Log in with a password, and return the token.

        Raises
        ------
        Failure
            Airflow refuses it.
        """
        login = {"username": user, "password": password or f"canary-{user}"}
        answer = requests.post(
            f"{self.url}/auth/token", json=login, timeout=60, verify=str(self.authority.ca)
        )
        if not answer.ok:
            raise Failure(f"login of user {user!r} refused (HTTP {answer.status_code})")
        return answer.json()["access_token"]

    @contextmanager
    def cursor(self):
        """Return the result of a database query."""
        uri = database_uri(self.deployment.database).replace("+psycopg2", "")
        with closing(psycopg2.connect(uri)) as connection, connection.cursor() as cursor:
            yield cursor

    def start(self, *services, ready=True):
        """Start services and wait until each is healthy."""
        for name in services:
            options = ("--instance", WORKER) if name is Service.WORKER else ()
            self._started[name] = self.processes.start(name, entrypoint(name, self.config, *options))
        if ready:
            self.wait_for(*services)

    def wait_for(self, *services):
        """Wait until each of the services is healthy."""
        for name in services:
            wait_until(partial(self.works, name), what=name, timeout=600.0, processes=self.processes)

    def migrate(self):
        """Run the service ``migrate`` to its end."""
        self.processes.run(Service.MIGRATE, entrypoint(Service.MIGRATE, self.config))

    def works(self, name):
        """Return True if a service is healthy."""
        try:
            check_service(name, self.deployment, instance=WORKER if name is Service.WORKER else None)
        except Failure:
            return False
        return True

    def log(self, name):
        """Return the log of a service."""
        return (self.processes.logs / f"{name}.log").read_text()


@contextmanager
def installation(auth=""):
    """Make an installation, with its database; no service of it runs yet.

    ``auth`` are the tables ``[auth...]`` of its file.
    """
    with (
        tempfile.TemporaryDirectory(prefix="mxtvhf-tests-", ignore_cleanup_errors=True) as name,
        ExitStack() as end,
    ):
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL may be another user
        authority = Authority(folder / "authority")
        for holder in ("api", "nats", "mxtvhf", "airflow", "postgres"):
            authority.issue(holder)
        secrets = folder / "secrets"
        secrets.mkdir()
        for secret, text in SECRETS.items():
            (secrets / secret).touch(0o600)
            (secrets / secret).write_text(f"{text}\n")
        places = {place: folder / place for place in ("state", "redis", "nats")}
        for place in places.values():
            place.mkdir()
        certificate, key = (folder / "authority" / f"postgres{part}.pem" for part in ("", "-key"))
        database = end.enter_context(
            PostgresServer(folder / "postgres", certificate, key, authority.ca, SECRETS["postgres"])
        )
        ports = {port: free_port() for port in ("port", "nats_port", "redis_port", "gp_port")}
        config = folder / "mxtvhf.toml"
        config.write_text(
            FILE.format(
                **places,
                **ports,
                ca=authority.ca,
                authority=authority.ca.parent,
                secrets=secrets,
                project=PROJECT,
                database_port=database.port,
            )
            + auth.format(secrets=secrets, ca=authority.ca)
        )
        environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin", "PYTHONPATH": str(PROJECT)}
        processes = end.enter_context(ProcessGroup(environment, folder / "log"))
        yield Installation(config, authority, database, processes)

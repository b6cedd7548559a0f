"""A real PostgreSQL (Debian's) on loopback that accepts TLS only and requires client certificates."""

import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import psycopg2

from support.nats_server import free_port

CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = '{folder}'
port = {port}
ssl = on
ssl_ca_file = '{folder}/ca.pem'
ssl_cert_file = '{folder}/certificate.pem'
ssl_key_file = '{folder}/key.pem'
fsync = off
max_connections = 200
"""
CLIENTS = """
local all postgres trust
hostssl all airflow 127.0.0.1/32 scram-sha-256 clientcert=verify-full
"""


class PostgresServer:
    """A server with the user and the database ``airflow``; nobody gets in without TLS and a certificate.

    Parameters
    ----------
    folder
        For data, configuration and log; any user of the machine must be able to reach it.
    certificate, key, ca
        PEM files of the server, and of the authority of its clients.
    password
        Of ``airflow``.
    """

    def __init__(self, folder: Path, certificate: Path, key: Path, ca: Path, password: str):
        folder.mkdir(parents=True)
        self.port, self._folder, self._data = free_port(), folder, folder / "data"
        for source, name in ((certificate, "certificate.pem"), (key, "key.pem"), (ca, "ca.pem")):
            shutil.copy(source, folder / name)
            (folder / name).chmod(0o600)
        # PostgreSQL refuses to run as root.
        self._user = "postgres" if os.getuid() == 0 else None
        if self._user:
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, self._user, self._user)
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(CONFIGURATION.format(folder=folder, port=self.port))
        (self._data / "pg_hba.conf").write_text(CLIENTS)
        self.start()
        with closing(psycopg2.connect(host=str(folder), port=self.port, user="postgres")) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("CREATE ROLE airflow LOGIN PASSWORD %s", (password,))
                cursor.execute("CREATE DATABASE airflow OWNER airflow")

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.stop()

    def start(self):
        """Start it and wait until it answers."""
        self._run("pg_ctl", "-D", self._data, "-l", self._folder / "log", "-w", "start")

    def stop(self):
        """Stop the server regularly."""
        self._run("pg_ctl", "-D", self._data, "-m", "fast", "-w", "stop")

    def _run(self, program, *arguments):
        (found,) = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))[-1:]
        subprocess.run(
            [found, *map(str, arguments)],
            user=self._user,
            cwd=self._folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )

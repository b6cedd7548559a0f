"""The configuration of our Redis and NATS servers and their users.

Passwords are stored only in the operator's files. The configurations made from them stay in the memory of one
process.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from mxtvhf.errors import InvalidInput
from mxtvhf.operation.deployment.checks import all_passwords, secret_text
from mxtvhf.operation.deployment.configuration import NatsPart, RedisPart

MB = 1 << 20
RIGHTS = {
    "stations": {"publish": ["mxtvhf.in.>", "mxtvhf.sky.>"], "subscribe": ["_INBOX.>"]},
    "readers": {"publish": {"deny": [">"]}, "subscribe": ["mxtvhf.out.>", "_INBOX.>"]},
}
"""Permissions of the NATS users other than our own, see docs/explanation/security.md."""


def redis_configuration(redis: RedisPart) -> str:
    """Return redis.conf of a password-protected queue that survives a crash.

    The append-only file is synchronised every second, because Debian's default stores only snapshots. A full
    queue rejects new tasks (``noeviction``) and never drops one.
    """
    return "\n".join(
        (
            f"bind {redis.listen}",
            f"port {redis.port}",
            f"dir {json.dumps(str(redis.data))}",
            f"requirepass {json.dumps(secret_text(redis.password))}",
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            f"maxmemory {redis.max_memory_mb}mb",
            "maxmemory-policy noeviction",
            "daemonize no",
            "",
        )
    )


def nats_configuration(nats: NatsPart, credentials: Path | None) -> str:
    """Return the configuration of a NATS server with JetStream as JSON, which NATS also reads.

    Parameters
    ----------
    nats
        Addresses and users of the server.
    credentials
        File with ``user:password`` of MXT-VHF itself, the setting ``nats_credentials``.

    Raises
    ------
    InvalidInput
        The credentials are missing or have another form.
    """
    user, colon, password = secret_text(credentials).partition(":") if credentials else ("", "", "")
    if not (user and colon and password):
        raise InvalidInput(
            "nats_credentials: missing or invalid; expected a file with user:password for [nats]"
        )
    users: list[dict[str, object]] = [{"user": user, "password": password}]
    for role, rights in RIGHTS.items():
        path = getattr(nats, role)
        users += [
            {"user": name, "password": word, "permissions": rights}
            for name, word in (all_passwords(path) if path else {}).items()
        ]
    configuration: dict[str, object] = {
        "listen": f"{nats.listen}:{nats.port}",
        # NATS's defaults are three quarters of the host's memory and its whole disk.
        "jetstream": {
            "store_dir": str(nats.data),
            "max_memory_store": nats.max_memory_mb * MB,
            "max_file_store": nats.max_file_mb * MB,
        },
        "authorization": {"users": users},
    }
    if nats.certificate is not None:
        tls: dict[str, object] = {"cert_file": str(nats.certificate), "key_file": str(nats.key)}
        if nats.client_ca is not None:
            tls |= {"ca_file": str(nats.client_ca), "verify": True}
        configuration["tls"] = tls
    return json.dumps(configuration)


def in_memory(text: str) -> str:
    """Return the name of a file in memory, readable by this process and the program that replaces it."""
    handle = os.memfd_create("mxtvhf", 0)
    os.set_inheritable(handle, True)
    os.write(handle, text.encode())
    return f"/dev/fd/{handle}"

"""The configuration of the servers that we start ourselves, Redis and NATS, and of those who may use them.

Passwords are written once, in the deployer's files; what is made of them here lies in the memory of one
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
    "stations": {"publish": ["mxtvhf.in.>"], "subscribe": ["_INBOX.>"]},
    "readers": {"publish": {"deny": [">"]}, "subscribe": ["mxtvhf.out.>", "_INBOX.>"]},
}
"""Of NATS's users beside ourselves, docs/explanation/security.md."""


def redis_configuration(redis: RedisPart) -> str:
    """Return redis.conf: a queue that survives a crash, for those who know the password.

    The append-only file, synced each second, since Debian's default keeps snapshots only. A full queue
    refuses new tasks (``noeviction``) and never drops one.
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
    """Return the configuration of a NATS server with JetStream, as JSON, which NATS reads, too.

    Parameters
    ----------
    nats
        Where it listens and who else may use it.
    credentials
        ``user:password`` of MXT-VHF itself, the setting ``nats_credentials``.

    Raises
    ------
    InvalidInput
        There are no credentials of that form.
    """
    user, colon, password = secret_text(credentials).partition(":") if credentials else ("", "", "")
    if not (user and colon and password):
        raise InvalidInput("nats_credentials: want a file with user:password for the server of [nats]")
    users: list[dict[str, object]] = [{"user": user, "password": password}]
    for role, rights in RIGHTS.items():
        path = getattr(nats, role)
        users += [
            {"user": name, "password": word, "permissions": rights}
            for name, word in (all_passwords(path) if path else {}).items()
        ]
    configuration: dict[str, object] = {
        "listen": f"{nats.listen}:{nats.port}",
        # Else three quarters of the host's memory, and all of its disk.
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
    """Return a file name under which this process, and what it becomes, reads a text that is on no disk."""
    handle = os.memfd_create("mxtvhf", 0)
    os.set_inheritable(handle, True)
    os.write(handle, text.encode())
    return f"/dev/fd/{handle}"

"""What a value of the configuration file must be; the causes that its reader is told."""

from __future__ import annotations

import json
import os
import ssl
import stat
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

MAX_SECRET_BYTES = 65536


def readable_secret(path: Path) -> Path:
    """Return the path of a secret that its owner's processes can read, and nobody else's.

    Raises
    ------
    ValueError
        It cannot be read, is empty or no text, or any user of the machine may read it.
    """
    try:
        raw = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None
    if not raw.strip():
        raise ValueError(f"{path}: is empty")
    if len(raw) > MAX_SECRET_BYTES or b"\0" in raw:
        raise ValueError(f"{path}: is no secret: too long, or no text")
    if mode & stat.S_IROTH:
        raise ValueError(f"{path}: may be read by everybody (mode {stat.S_IMODE(mode):04o}): chmod o= {path}")
    return path


def secret_text(path: Path) -> str:
    """Return a secret without the line break at its end."""
    return path.read_text().strip()


def certificate_file(path: Path) -> Path:
    """Return the path of a PEM file with at least one certificate.

    Raises
    ------
    ValueError
        It cannot be read, or holds none.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise ValueError(f"{path}: no certificate found, expected PEM")
    return path


def private_key(key: Path, certificate: Path | None) -> Path:
    """Return the path of the key that belongs to a certificate.

    Raises
    ------
    ValueError
        It belongs to another one, or is no key in PEM without a password.
    """
    try:
        # An empty password, since OpenSSL would ask a person for one.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate or key, key, password="")
    except (OSError, ValueError):
        raise ValueError(f"{key}: expected the key of {certificate}, in PEM, without a password") from None
    return key


def expiry(path: Path) -> datetime:
    """Return when the first certificate of a PEM file ends to be valid; in a chain that is the server's own.

    Raises
    ------
    ValueError
        No certificate can be read from it.
    """
    from cryptography.x509 import load_pem_x509_certificates

    return load_pem_x509_certificates(path.read_bytes())[0].not_valid_after_utc


def existing_folder(path: Path) -> Path:
    """Return the path of a folder that is there.

    Raises
    ------
    ValueError
        It is not.
    """
    if not path.is_dir():
        raise ValueError(f"{path}: no such folder")
    return path


def writable_folder(path: Path) -> Path:
    """Return the path of a folder in which files can be made.

    Raises
    ------
    ValueError
        There is none, or it cannot be written to.
    """
    if not path.is_absolute():
        raise ValueError(f"{path}: want an absolute path")
    if not os.access(existing_folder(path), os.W_OK | os.X_OK):
        raise ValueError(f"{path}: cannot be written to by user {os.getuid()}")
    return path


def all_passwords(path: Path) -> dict[str, str]:
    """Return what a JSON file ``{user: password}`` holds.

    Raises
    ------
    ValueError
        The file has another form; what is in it is not shown.
    """
    try:
        known = json.loads(path.read_bytes())
    except ValueError:
        known = None
    if not isinstance(known, dict) or not all(isinstance(word, str) and word for word in known.values()):
        raise ValueError(f'{path}: want JSON, {{"user": "password", ...}}')
    return known


def passwords_of(path: Path, users: Iterable[str]) -> dict[str, str]:
    """Return the passwords of users, from a file as of `all_passwords`.

    Raises
    ------
    ValueError
        As there, or the file lacks somebody.
    """
    known = all_passwords(path)
    missing = sorted(set(users) - known.keys())
    if missing:
        raise ValueError(f"{path}: no password of {', '.join(missing)}")
    return {user: known[user] for user in users}


CertificateFile = Annotated[Path, AfterValidator(certificate_file)]
SecretFile = Annotated[Path, AfterValidator(readable_secret)]
Folder = Annotated[Path, AfterValidator(existing_folder)]
WritableFolder = Annotated[Path, AfterValidator(writable_folder)]
Port = Annotated[int, Field(ge=1, le=65535)]
Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:-]{1,253}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,62}$")]

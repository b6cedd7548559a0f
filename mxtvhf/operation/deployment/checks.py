"""Validation of the values of the configuration file."""

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
    """Return the path of a file with a secret after a check of its content and mode.

    Raises
    ------
    ValueError
        The file cannot be read, is empty, is not text, or is readable by any user of the machine.
    """
    try:
        raw = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None
    if not raw.strip():
        raise ValueError(f"{path}: empty file; expected a secret")
    if len(raw) > MAX_SECRET_BYTES or b"\0" in raw:
        raise ValueError(f"{path}: invalid secret; expected text of at most {MAX_SECRET_BYTES} bytes")
    if mode & stat.S_IROTH:
        raise ValueError(
            f"{path}: readable by everybody (mode {stat.S_IMODE(mode):04o}); run chmod o= {path}"
        )
    return path


def secret_text(path: Path) -> str:
    """Return the secret in a file without surrounding white space."""
    return path.read_text().strip()


def certificate_file(path: Path) -> Path:
    """Return the path of a PEM file with at least one certificate.

    Raises
    ------
    ValueError
        The file cannot be read or contains no certificate.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise ValueError(f"{path}: no certificate found; expected PEM")
    return path


def private_key(key: Path, certificate: Path | None) -> Path:
    """Return the path of the key that belongs to a certificate.

    Raises
    ------
    ValueError
        The key belongs to another certificate, or is not in PEM, or has a password.
    """
    try:
        # Without an empty password OpenSSL would ask for one on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate or key, key, password="")
    except (OSError, ValueError):
        raise ValueError(
            f"{key}: invalid key; expected the key of {certificate} in PEM without a password"
        ) from None
    return key


def expiry(path: Path) -> datetime:
    """Return the expiry time of the first certificate of a PEM file, in a chain the server's own.

    Raises
    ------
    ValueError
        The file contains no readable certificate.
    """
    from cryptography.x509 import load_pem_x509_certificates

    return load_pem_x509_certificates(path.read_bytes())[0].not_valid_after_utc


def existing_folder(path: Path) -> Path:
    """Return the path of an existing folder.

    Raises
    ------
    ValueError
        The folder does not exist.
    """
    if not path.is_dir():
        raise ValueError(f"{path}: no such folder")
    return path


def writable_folder(path: Path) -> Path:
    """Return the path of a writable folder.

    Raises
    ------
    ValueError
        The path is relative, or the folder is missing or not writable.
    """
    if not path.is_absolute():
        raise ValueError(f"{path}: relative path; expected an absolute path")
    if not os.access(existing_folder(path), os.W_OK | os.X_OK):
        raise ValueError(f"{path}: not writable by user {os.getuid()}")
    return path


def all_passwords(path: Path) -> dict[str, str]:
    """Return the content of a JSON file ``{user: password}``.

    Raises
    ------
    ValueError
        The file has another form. The message does not show its content.
    """
    try:
        known = json.loads(path.read_bytes())
    except ValueError:
        known = None
    if not isinstance(known, dict) or not all(isinstance(word, str) and word for word in known.values()):
        raise ValueError(f'{path}: invalid password file; expected JSON {{"user": "password", ...}}')
    return known


def passwords_of(path: Path, users: Iterable[str]) -> dict[str, str]:
    """Return the passwords of the given users from a JSON file ``{user: password}``.

    Raises
    ------
    ValueError
        The file has another form, or the password of a user is missing.
    """
    known = all_passwords(path)
    missing = sorted(set(users) - known.keys())
    if missing:
        raise ValueError(f"{path}: missing password of {', '.join(missing)}")
    return {user: known[user] for user in users}


CertificateFile = Annotated[Path, AfterValidator(certificate_file)]
SecretFile = Annotated[Path, AfterValidator(readable_secret)]
Folder = Annotated[Path, AfterValidator(existing_folder)]
WritableFolder = Annotated[Path, AfterValidator(writable_folder)]
Port = Annotated[int, Field(ge=1, le=65535)]
Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:-]{1,253}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,62}$")]

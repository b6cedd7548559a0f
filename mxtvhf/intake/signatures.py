"""Signatures that prove who published a notice or packets.

A signature is detached: the header `HEADER` of a NATS message holds the Ed25519 signature (RFC 8032) of the
message's bytes in base64. Keys are made by ``openssl genpkey -algorithm ed25519`` and stored in PEM.
"""

from __future__ import annotations

import re
from base64 import b64decode
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from mxtvhf.errors import InvalidInput

HEADER = "Mxtvhf-Signature"

_PEM = re.compile(rb"-----BEGIN [^-]+-----.*?-----END [^-]+-----", re.DOTALL)


def trusted_keys(path: Path) -> tuple[Ed25519PublicKey, ...]:
    """Read the public keys of the trusted publishers, one or several in one PEM file.

    Raises
    ------
    InvalidInput
        The file cannot be read, contains no key, or contains a key that is not a public Ed25519 key. The
        message never shows the content, because the file may contain a private key by mistake.
    """
    try:
        blocks = _PEM.findall(path.read_bytes())
    except OSError as error:
        raise InvalidInput(f"{path}: the trusted keys cannot be read: {error.strerror}") from None
    if not blocks:
        raise InvalidInput(f"{path}: no PEM key found; expected public Ed25519 keys")
    return tuple(_public_key(block, path) for block in blocks)


def check_signature(raw: bytes, signature: str | None, keys: tuple[Ed25519PublicKey, ...]) -> None:
    """Check that one of the trusted keys signed a message.

    Parameters
    ----------
    raw
        The message.
    signature
        Content of its header `HEADER`; None if the header is missing.
    keys
        Trusted keys as read by `trusted_keys`.

    Raises
    ------
    InvalidInput
        The signature is missing, or no trusted key made it for these bytes.
    """
    if signature is None:
        raise InvalidInput(f"unsigned message: the header {HEADER} is missing; sign it with a trusted key")
    try:
        given = b64decode(signature.encode(), validate=True)
    except ValueError:
        raise InvalidInput(f"invalid header {HEADER}: expected a signature in base64") from None
    if not any(_is_by(key, given, raw) for key in keys):
        raise InvalidInput(
            f"invalid signature in the header {HEADER}: no trusted key made it for these bytes; "
            "check the publisher and the trusted keys"
        )


def _public_key(block: bytes, path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(block)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidInput(f"{path}: invalid key; expected only public Ed25519 keys in PEM")
    return key


def _is_by(key: Ed25519PublicKey, signature: bytes, raw: bytes) -> bool:
    try:
        key.verify(signature, raw)
    except InvalidSignature:
        return False
    return True

"""Signatures of messages: by whom a notice or packets were published, whatever way they took.

A signature is detached and travels in the header `HEADER` of a NATS message, in base64: Ed25519 (RFC 8032) of
the message's bytes as they are. Keys are those of ``openssl genpkey -algorithm ed25519``, in PEM.
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
    """Read the public keys of those who may publish, one or several in one PEM file.

    Raises
    ------
    InvalidInput
        The file cannot be read, holds no key, or one that is no public Ed25519 key; no error shows its
        content, which may be a private key laid there by mistake.
    """
    try:
        blocks = _PEM.findall(path.read_bytes())
    except OSError as error:
        raise InvalidInput(f"{path}: the trusted keys cannot be read: {error.strerror}") from None
    if not blocks:
        raise InvalidInput(f"{path}: no PEM key in it")
    return tuple(_public_key(block, path) for block in blocks)


def check_signature(raw: bytes, signature: str | None, keys: tuple[Ed25519PublicKey, ...]) -> None:
    """Check that one of the trusted keys signed a message.

    Parameters
    ----------
    raw
        The message.
    signature
        What its header `HEADER` holds; None: it has none.
    keys
        From `trusted_keys`.

    Raises
    ------
    InvalidInput
        There is no signature, or none of a trusted key over these bytes.
    """
    if signature is None:
        raise InvalidInput(f"not signed: no header {HEADER}")
    try:
        given = b64decode(signature.encode(), validate=True)
    except ValueError:
        raise InvalidInput(f"the header {HEADER} is no base64") from None
    if not any(_is_by(key, given, raw) for key in keys):
        raise InvalidInput("the signature is not one of a trusted key over these bytes")


def _public_key(block: bytes, path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(block)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidInput(f"{path}: holds something else than public Ed25519 keys")
    return key


def _is_by(key: Ed25519PublicKey, signature: bytes, raw: bytes) -> bool:
    try:
        key.verify(signature, raw)
    except InvalidSignature:
        return False
    return True

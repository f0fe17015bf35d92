"""Signatures of the Standard Webhooks specification: HMAC-SHA256 over id, time and body."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from service.errors import RequestError

PREFIX = "whsec_"
SIGNATURE = "webhook-signature"
_MIN_BYTES, _MAX_BYTES = 24, 64


def new_secret() -> str:
    """A secret as receivers configure it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def check_secret(secret: str) -> str:
    """Return the secret, or say what is allowed without repeating it."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not _MIN_BYTES <= len(key) <= _MAX_BYTES:
        raise RequestError(
            f"secret: give {PREFIX} and base64 of {_MIN_BYTES} to {_MAX_BYTES} random bytes, or "
            "leave it out and one is made",
            "/secret",
        )
    return secret


def headers(
    signing_secrets: Sequence[str], message_id: str, time_s: int, body: bytes
) -> dict[str, str]:
    """The three headers; while a secret is rotated there is one signature for each."""
    signed = f"{message_id}.{time_s}.".encode() + body
    signatures = []
    for secret in signing_secrets:
        key = base64.b64decode(secret.removeprefix(PREFIX))
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        signatures.append(f"v1,{base64.b64encode(digest).decode()}")
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(time_s),
        SIGNATURE: " ".join(signatures),
    }

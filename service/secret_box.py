"""Secrets at rest: encrypted with a key that never lies in the database."""

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from service.errors import SecretError, SettingsError

_CONTEXT = b"lupus channel secrets v1"
_SIGNING = b"lupus signatures v1"


class SecretBox:
    """Encrypts and decrypts texts with one key."""

    def __init__(self, key: str) -> None:
        digest = hashlib.sha256(_CONTEXT + key.encode()).digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(digest))
        self._signing = hashlib.sha256(_SIGNING + key.encode()).digest()

    def __repr__(self) -> str:
        return "SecretBox()"

    def lock(self, text: str) -> str:
        """What may be stored."""
        return self._fernet.encrypt(text.encode()).decode()

    def sign(self, purpose: str, text: str) -> bytes:
        """HMAC-SHA256 of a text; what was signed for one purpose says nothing for another."""
        return hmac.digest(self._signing, f"{purpose}\n{text}".encode(), "sha256")

    def open(self, stored: str) -> str:
        """The text again; SecretError when another key locked it."""
        try:
            return self._fernet.decrypt(stored.encode()).decode()
        except InvalidToken:
            raise SecretError(
                "a stored secret was encrypted with another key: set LUPUS_SECRET_KEY to the key "
                "of that time, or give the channel its secret again"
            ) from None


def open_secret_box(key: str | None, file: Path) -> SecretBox:
    """With the key of the settings, or with the one kept in ``file``, made at the first start."""
    return SecretBox(key if key else _key_of_file(file))


def _key_of_file(file: Path) -> str:
    try:
        if not file.exists():
            _create(file)
        key = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the key file {file} cannot be read or made: {error}") from None
    if len(key) < 32:
        raise SettingsError(
            f"the key file {file} holds no key: restore it, or set LUPUS_SECRET_KEY"
        )
    return key


def _create(file: Path) -> None:
    """Write a new key whole and durably, then give it its name unless another process was first."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(secrets.token_urlsafe(48) + "\n")
            out.flush()
            os.fsync(out.fileno())
        try:
            os.link(draft, file)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)

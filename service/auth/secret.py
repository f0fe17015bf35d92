"""The text of a token, and what of it is stored."""

import hashlib
import secrets

PREFIX = "lps_"
_RANDOM_BYTES = 32


def new_token() -> str:
    """A token as the caller keeps it; it cannot be read again from the service."""
    return PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def hash_token(token: str) -> str:
    """What the service stores. 256 random bits need no salt and no slow hash: nothing to guess."""
    return hashlib.sha256(token.encode()).hexdigest()

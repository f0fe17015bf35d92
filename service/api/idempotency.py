"""Idempotency-Key: who sent which key where, with the hash of the body before defaults."""

import hashlib
import json
import re
from typing import Annotated, Any

from fastapi import Header

from service.api.errors import QueryError
from service.auth.caller import Caller
from service.database.idempotency import RequestKey

REPLAYED = "Idempotency-Replayed"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="The same key with the same body within 7 days is the same object.",
    ),
]


def request_key(key: str | None, caller: Caller, route: str, body_hash: str) -> RequestKey | None:
    """The key of a request, when it has one."""
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise QueryError("Idempotency-Key", "allowed are 1 to 255 visible ASCII characters")
    return RequestKey(caller.name, route, key, body_hash)


def hash_of(body: Any) -> str:
    """The hash of a parsed body: spaces and the order of fields do not matter."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

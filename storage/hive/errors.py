"""What a Hive or Spark server says, in the words of :mod:`storage.errors`, without secrets."""

import re
from collections.abc import Sequence

from storage.errors import (
    BusyError,
    CorruptError,
    FullError,
    InvalidError,
    NotFoundError,
    RefusedError,
    StorageError,
    UnreachableError,
)

_LONGEST = 600

# The first phrase found decides. Hive's and Spark's words, then those of what lies below them.
_BY_WORDS: tuple[tuple[str, type[StorageError]], ...] = (
    ("permission denied", RefusedError),
    ("accesscontrolexception", RefusedError),
    ("does not have privileges", RefusedError),
    ("not authorized", RefusedError),
    ("user is not allowed to impersonate", RefusedError),
    ("failed to validate proxy privilege", RefusedError),
    ("table not found", NotFoundError),
    ("table_or_view_not_found", NotFoundError),
    ("schema_not_found", NotFoundError),
    ("database does not exist", NotFoundError),
    ("nosuchobjectexception", NotFoundError),
    ("nosuchdatabaseexception", NotFoundError),
    ("invalid table alias or column reference", NotFoundError),
    ("invalid column reference", NotFoundError),
    ("unresolved_column", NotFoundError),
    ("partition not found", NotFoundError),
    ("limit reached", BusyError),
    ("connection limit per", BusyError),
    ("too many open sessions", BusyError),
    ("queue is full", BusyError),
    ("outofmemoryerror", BusyError),
    ("unable to acquire", BusyError),
    ("no space left", FullError),
    ("quotaexceeded", FullError),
    ("dsquota", FullError),
    ("is not a parquet file", CorruptError),
    ("parquetdecodingexception", CorruptError),
    ("cannot_read_file", CorruptError),
    ("blockmissingexception", UnreachableError),
    ("query timed out", UnreachableError),
    ("filenotfoundexception", BusyError),  # somebody writes the partition anew meanwhile
    ("cannot modify", InvalidError),
    ("semanticexception", InvalidError),
    ("parseexception", InvalidError),
)
# SQLSTATE classes: Hive uses 42000 and 42S02 for compilation, 08S01 for what failed while running.
_BY_STATE: tuple[tuple[str, type[StorageError]], ...] = (
    ("42S02", NotFoundError),
    ("42P01", NotFoundError),
    ("42704", NotFoundError),
    ("42703", NotFoundError),
    ("28", RefusedError),
    ("42", InvalidError),
    ("22", InvalidError),
    ("0A", InvalidError),
)
_LOST_SESSION = ("invalid sessionhandle", "session does not exist", "sessionhandle not found")

_CREDENTIALS_IN_URL = re.compile(r"(\w+://)[^/\s:@'\"]*:[^/\s@'\"]*@")
_NAMED_SECRET = re.compile(
    r"(?i)([\w.-]*(?:password|passwd|secret|token|credential|access\.key|api_?key)[\w.-]*"
    r"['\"]?\s*[=:]\s*)(?!\s)(\"[^\"]*\"|'[^']*'|[^\s,;)]+)"
)
# Spark names two Java classes and its own cause twice before it says what is wrong.
_JAVA_PREFIX = re.compile(
    r"^(?:(?:\[[A-Z_.]+\]\s*)?(?:[a-z_][\w]*\.)+[\w$]*(?:Exception|Error):\s*"
    r"|Error while compiling statement:\s*|Error running query:\s*|Error operating \w+:\s*"
    r"|FAILED:\s*)+"
)


class LostConnectionError(UnreachableError):
    """The connection broke: a reading question may be asked again on another one."""


class LostSessionError(LostConnectionError):
    """The server answers, but no longer knows our session: nothing of the statement was done."""


def status_error(
    name: str, message: str | None, sql_state: str | None, notes: Sequence[str] = (),
    secrets: Sequence[str] = (),
) -> StorageError:  # fmt: skip
    """The exception for a status that the server answered; ``secrets`` are never shown."""
    text = message or next(iter(notes), "") or "the server gave no reason"
    words = text.lower()
    if any(phrase in words for phrase in _LOST_SESSION):
        return LostSessionError(f"{name}: {shown(text, secrets)}")
    kind = next((kind for phrase, kind in _BY_WORDS if phrase in words), None)
    if kind is None:
        state = sql_state or ""
        # What is left failed while it ran: a lost node, a killed task; another try may succeed.
        kind = next((kind for start, kind in _BY_STATE if state.startswith(start)), None)
    return (kind or UnreachableError)(f"{name}: {shown(text, secrets)}")


def shown(text: str, secrets: Sequence[str] = ()) -> str:
    """The first line of a server's message, shortened, without credentials and Java names."""
    said = _JAVA_PREFIX.sub("", text.strip()) or text
    line = next((line.strip() for line in said.splitlines() if line.strip()), "")
    for secret in secrets:
        if secret:
            line = line.replace(secret, "***")
    line = _CREDENTIALS_IN_URL.sub(r"\1***@", line)
    line = _NAMED_SECRET.sub(r"\1***", line)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"

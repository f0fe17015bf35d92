"""How one Hive or Spark server is asked: its URL and a section of the connections file.

[warehouse]
url = "hive://hive.example:10000/metrics"
tables = ["ml_metrics.*"]
auth = "LDAP"
user = "lupus"
password_file = "/secrets/hive"
session = { "tez.queue.name" = "reports" }
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from storage.errors import InvalidError
from storage.location import scheme_of
from storage.secret import Secret

Auth = Literal["NONE", "NOSASL", "LDAP", "KERBEROS"]
Transport = Literal["binary", "tls", "http", "https"]
HiveDialect = Literal["hive", "spark"]

AUTHS = ("NONE", "NOSASL", "LDAP", "KERBEROS")
TRANSPORTS = ("binary", "tls", "http", "https")
DIALECTS = ("hive", "spark")
ARCHIVE = "archive"  # the section of the archive's own server

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOST = re.compile(r"[A-Za-z0-9.:_-]+")
_PATTERN = re.compile(r"[A-Za-z0-9_*]+\.[A-Za-z0-9_*]+")
_SETTING = re.compile(r"[A-Za-z0-9_.:-]+")
# They run Java, read the server's files or ask who is asking: no list may allow them.
NEVER_FUNCTIONS = frozenset({
    "reflect", "reflect2", "java_method", "try_reflect", "in_file", "current_user", "session_user",
    "logged_in_user", "get_splits", "get_llap_splits", "read_files", "restrict_information_schema",
})  # fmt: skip


@dataclass(frozen=True)
class HiveOptions:
    """One server; without ``tables`` every table may be read (the archive's own server)."""

    host: str
    port: int = 10000
    database: str = "default"
    dialect: HiveDialect = "hive"
    auth: Auth = "NONE"
    user: str = "lupus"
    password: Secret = field(default_factory=Secret)
    kerberos_service: str = "hive"
    kerberos_host: str = ""  # of the server's principal; empty: the host of the URL
    principal: str = ""  # empty: the first one of the keytab, or of the ticket cache
    keytab: Path | None = None  # None: the tickets of this process's ticket cache
    transport: Transport = "binary"
    http_path: str = "cliservice"
    ca_bundle: Path | None = None
    session: Mapping[str, str] = field(default_factory=dict)
    tables: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    deadline_seconds: float = 1800.0  # until an answer begins, and again for each part of it
    connect_seconds: float = 15.0  # until a connection stands; a session has the deadline
    sessions: int = 4  # open at once, one statement each
    idle_seconds: float = 300.0  # after which an unused session is closed

    def allowed(self, table: str) -> bool:
        """Whether the allow-list has ``database.table``; a bare name is one of this database."""
        if not self.tables:
            return True
        full = table if "." in table else f"{self.database}.{table}"
        return any(_matches(pattern, full) for pattern in self.tables)


def hive_options(
    name: str, url: str, table: Mapping[str, Any], ca_bundle: Path | None = None
) -> HiveOptions:
    """The options of a connection; ``table`` is its section without the url.

    Raises
    ------
    InvalidError
        Something is missing, unknown or not allowed; the message says what is.
    """
    unknown = sorted(set(table) - set(_WORDS))
    if unknown:
        raise InvalidError(
            f"[{name}]: {unknown[0]!r} is not known; known are url, {', '.join(_WORDS)}"
        )
    host, port, database = _place(name, url)
    values: dict[str, Any] = {"ca_bundle": ca_bundle, **_values(name, table)}
    options = HiveOptions(host=host, port=port, database=database, **values)
    _check(name, options, table)
    return options


def _place(name: str, url: str) -> tuple[str, int, str]:
    shape = f"[{name}]: the url must look like hive://host:10000/database"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidError(shape) from None
    if parts.username or parts.password or "@" in parts.netloc:
        raise InvalidError(f"{shape}; user and password_file are lines of their own, never in it")
    database = parts.path.strip("/") or "default"
    if scheme_of(url) != "hive" or not parts.hostname or not _HOST.fullmatch(parts.hostname):
        raise InvalidError(shape)
    if parts.query or parts.fragment:
        raise InvalidError(f"{shape}, without ? and #: options are lines of their own")
    if not IDENTIFIER.fullmatch(database):
        raise InvalidError(f"{shape}: a database is named with letters, digits and _")
    return parts.hostname, port or 10000, database


def _values(name: str, table: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word, value in table.items():
        field_, read = _WORDS[word]
        try:
            found[field_] = read(value)
        except ValueError as error:
            raise InvalidError(f"[{name}] {word}: {error}") from None
    return found


def _check(name: str, options: HiveOptions, table: Mapping[str, Any]) -> None:
    def refuse(reason: str) -> InvalidError:
        return InvalidError(f"[{name}] {reason}")

    if name != ARCHIVE and not options.tables:
        raise refuse('tables is missing: name what may be read, e.g. tables = ["ml_metrics.*"]')
    if options.auth == "LDAP" and not (options.password and "user" in table):
        raise refuse("auth LDAP needs user and password_file")
    if options.password and options.auth != "LDAP":
        raise refuse("password_file goes with auth LDAP only")
    kerberos = {"kerberos_service", "kerberos_host", "principal", "keytab"} & set(table)
    if kerberos and options.auth != "KERBEROS":
        raise refuse(f"{min(kerberos)} goes with auth KERBEROS only")
    if options.auth == "NOSASL" and options.transport in ("http", "https"):
        raise refuse("auth NOSASL goes with the transports binary and tls only")
    if "http_path" in table and options.transport not in ("http", "https"):
        raise refuse("http_path goes with the transports http and https only")
    if "ca_bundle" in table and options.transport not in ("tls", "https"):
        raise refuse("ca_bundle goes with the transports tls and https only")


def _matches(pattern: str, table: str) -> bool:
    words = re.escape(pattern.lower()).replace(r"\*", "[^.]*")
    return re.fullmatch(words, table.lower()) is not None


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError("takes a text in quotes, on one line")
    return value.strip()


def _path(value: object) -> Path:
    path = Path(_text(value))
    if not path.is_absolute():
        raise ValueError("takes the absolute path of a file")
    return path


def _secret(value: object) -> Secret:
    return Secret(file=_path(value))


def _one_of(known: tuple[str, ...], case: Callable[[str], str]) -> Callable[[object], str]:
    def read(value: object) -> str:
        word = case(value) if isinstance(value, str) else ""
        if word not in known:
            raise ValueError(f"{value!r} is not known; allowed is {', '.join(known)}")
        return word

    return read


def _number(least: float, most: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError("takes a number")
        if not least <= value <= most:
            raise ValueError(f"{value} is not allowed; allowed is {least:g} to {most:g}")
        return value

    return read


def _whole(least: int, most: int) -> Callable[[object], int]:
    number = _number(least, most)

    def read(value: object) -> int:
        found = int(number(value))
        if found != value:
            raise ValueError("takes a whole number")
        return found

    return read


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError("takes a list of texts")
    return tuple(value)


def _tables(value: object) -> tuple[str, ...]:
    patterns = _texts(value)
    for pattern in patterns:
        if not _PATTERN.fullmatch(pattern):
            raise ValueError(
                f"{pattern!r} is not allowed; a pattern is database.table, where * stands for any "
                "letters"
            )
    return patterns


def _functions(value: object) -> tuple[str, ...]:
    names = tuple(each.lower() for each in _texts(value))
    for name in names:
        if not IDENTIFIER.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a function")
        if name in NEVER_FUNCTIONS:
            raise ValueError(f"{name} is never allowed")
    return names


def _session(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError('takes a table such as { "tez.queue.name" = "reports" }')
    found = {}
    for key, given in value.items():
        if not _SETTING.fullmatch(key):
            raise ValueError(f"{key!r} is not the name of a setting")
        if isinstance(given, bool):
            found[key] = str(given).lower()
        elif isinstance(given, int | float):
            found[key] = str(given)
        elif isinstance(given, str) and given.isprintable():
            found[key] = given
        else:
            raise ValueError(f"{key} takes a text, a number, true or false")
    return found


def _http_path(value: object) -> str:
    path = _text(value).strip("/")
    if not re.fullmatch(r"[A-Za-z0-9._~/-]+", path):
        raise ValueError(f"{value!r} is not a path such as cliservice")
    return path


# word of the file -> field of HiveOptions, and how its value is read
_WORDS: dict[str, tuple[str, Callable[[object], object]]] = {
    "tables": ("tables", _tables),
    "functions": ("functions", _functions),
    "dialect": ("dialect", _one_of(DIALECTS, str.lower)),
    "auth": ("auth", _one_of(AUTHS, str.upper)),
    "user": ("user", _text),
    "password_file": ("password", _secret),
    "kerberos_service": ("kerberos_service", _text),
    "kerberos_host": ("kerberos_host", _text),
    "principal": ("principal", _text),
    "keytab": ("keytab", _path),
    "transport": ("transport", _one_of(TRANSPORTS, str.lower)),
    "http_path": ("http_path", _http_path),
    "ca_bundle": ("ca_bundle", _path),
    "session": ("session", _session),
    "deadline_seconds": ("deadline_seconds", _number(1, 86_400)),
    "connect_seconds": ("connect_seconds", _number(1, 600)),
    "sessions": ("sessions", _whole(1, 64)),
    "idle_seconds": ("idle_seconds", _number(1, 86_400)),
}

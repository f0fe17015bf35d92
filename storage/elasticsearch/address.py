"""What an index URL says: ``https://host:9200/path?compat=8``."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from storage.errors import InvalidError
from storage.location import scheme_of, unknown_scheme

_KNOWN = "https://elasticsearch:9200"
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Address:
    """One server, or what stands before several."""

    url: str  # scheme, host, port and path; safe to show
    compat: int | None = None  # the older server's major version to speak to


def address_of(url: str) -> Address:
    """Read an index URL.

    Raises
    ------
    InvalidError
        Another scheme, a user or password in it, or something unknown behind ``?``.
    """
    if scheme_of(url) not in _PORTS:
        raise unknown_scheme("index", url, _KNOWN)
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme.lower()]
    except ValueError:
        raise InvalidError(f"the index URL cannot be read: write {_KNOWN}") from None
    if parts.username is not None or parts.password is not None:
        raise InvalidError(
            "the index URL holds a user or password: secrets never stand in URLs; "
            "set LUPUS_ELASTICSEARCH_API_KEY, or _USER and _PASSWORD"
        )
    if not parts.hostname:
        raise InvalidError(f"the index URL names no host: write {_KNOWN}")
    options = parse_qsl(parts.query, keep_blank_values=True)
    if options not in ([], [("compat", "8")]):
        raise InvalidError("the index URL: known behind ? is compat=8 only")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown = f"{parts.scheme.lower()}://{host}:{port}{parts.path.rstrip('/')}"
    return Address(shown, 8 if options else None)

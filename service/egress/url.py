"""URLs as people give them: one spelling of each host, so that nothing can be read two ways."""

import re

import httpx2

from service.egress.name import is_name, is_numeric, literal
from service.errors import EgressError

_AUTHORITY = re.compile(r"https?://(?=[^/?#:])([^/?#]*)", re.IGNORECASE)
_HOST_AND_PORT = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?")
_HIGHEST_PORT = 65_535
_HOW_TO_WRITE_ADDRESSES = (
    "url: an address is four decimal numbers, such as 192.0.2.1, or in brackets, such as "
    "[2001:db8::1]"
)


def check_url(url: str) -> str:
    """Return a URL that a channel may have, or say what is wrong without repeating it."""
    host_of(url)
    return url


def host_of(url: str) -> str:
    """The host of a URL: a name in ASCII without the last dot, or an address without brackets.

    Raises
    ------
    EgressError
        The URL has another scheme, a user, no host, or a host that has a second reading.
    """
    if "\\" in url or any(ord(letter) <= 32 or 127 <= ord(letter) < 160 for letter in url):
        raise EgressError("url: holds spaces, line breaks or backslashes; write them as %20")
    found = _AUTHORITY.match(url)
    if found is None:
        raise EgressError("url: give https://host/path (or http:// inside your own network)")
    _check_authority(found[1])
    try:
        host = httpx2.URL(url).raw_host.decode("ascii").lower()
    except (ValueError, httpx2.InvalidURL):
        raise EgressError("url: not a URL; give https://host/path") from None
    if literal(host) is not None:
        return host
    name = host.removesuffix(".")
    if is_numeric(name):
        raise EgressError(_HOW_TO_WRITE_ADDRESSES)
    if not is_name(name):
        raise EgressError(
            "url: the host is no name: allowed are labels of letters, digits, - and _, each up to "
            "63 long, with dots between them"
        )
    return name


def _check_authority(authority: str) -> None:
    """Refuse by a clear sentence what the parser would call no URL, or read in its own way."""
    if "@" in authority:
        raise EgressError("url: holds a user or password; secrets never stand in URLs")
    if "%" in authority:
        raise EgressError("url: the host is a name or an address without % and without a zone")
    parts = _HOST_AND_PORT.fullmatch(authority)
    if parts is None or (parts[2] is not None and not 0 < int(parts[2]) <= _HIGHEST_PORT):
        raise EgressError(
            f"url: after the host comes nothing or a port from 1 to {_HIGHEST_PORT}; an IPv6 "
            "address stands in brackets"
        )
    if is_numeric(parts[1].lower()) and literal(parts[1]) is None:
        raise EgressError(_HOW_TO_WRITE_ADDRESSES)

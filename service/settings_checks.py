"""What a setting may say; each refusal is a sentence that says what to change."""

import difflib
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

# Read by other parts: the command line's client, steps in pods, tests and their servers.
_NOT_SETTINGS = ("LUPUS_URL", "LUPUS_TOKEN", "LUPUS_TOKEN_FILE", "LUPUS_IMAGE")
_NOT_SETTINGS_PREFIXES = ("LUPUS_TEST_", "LUPUS_SERVERS_")


def split_list(value: object) -> object:
    """``a, b`` as a list; anything else as it is."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def is_loopback(host: str) -> bool:
    """Whether only this machine can send to the address."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_url(name: str, url: str, known: Mapping[str, str]) -> None:
    """Refuse an unknown scheme, a relative path and a password that stands in a URL."""
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    allowed = " or ".join(known.values())
    if scheme not in known:
        raise ValueError(
            f"{name} begins with {scheme or 'no scheme'}: this version knows {allowed}"
        )
    if "@" in urlsplit(url).netloc:
        raise ValueError(f"{name} holds a user or password: secrets never stand in URLs")
    if not url[len(scheme) :].startswith(":///") or len(url) == len(scheme) + 4:
        raise ValueError(f"{name} names no file or folder of this machine: write {allowed}")


def unknown_names(environment: Mapping[str, str], known: set[str]) -> dict[str, str]:
    """Variables of the prefix that are no setting, with the nearest setting or an empty text."""
    found = {}
    for name in environment:
        if not name.startswith("LUPUS_") or name in known or name in _NOT_SETTINGS:
            continue
        if name.startswith(_NOT_SETTINGS_PREFIXES):
            continue
        found[name] = next(iter(difflib.get_close_matches(name, known, 1, 0.8)), "")
    return found

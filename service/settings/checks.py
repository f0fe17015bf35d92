"""What a setting may say; each refusal is a sentence that says what to change."""

import difflib
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from service.egress.name import is_name

# Read by other parts: the command line's client, steps in pods, tests and their servers.
_NOT_SETTINGS = ("LUPUS_URL", "LUPUS_TOKEN", "LUPUS_TOKEN_FILE")
_SHORTEST_TOKEN = 36
_NOT_SETTINGS_PREFIXES = ("LUPUS_TEST_", "LUPUS_SERVERS_")

DATABASES = {
    "sqlite": "sqlite:////absolute/file.db",
    "postgresql+psycopg": "postgresql+psycopg://user@host/name",
}
ARCHIVES = {
    "file": "file:///folder",
    "s3": "s3://bucket/prefix",
    "hive": "hive://host:10000/database",
}
INDEXES = {
    "sqlite": "sqlite:////absolute/file.db",
    "https": "https://elasticsearch:9200",
    "http": "http://elasticsearch:9200",
}
OBJECTS = {
    "file": "file:///folder",
    "s3": "s3://bucket/prefix",
    "gs": "gs://bucket/prefix",
    "az": "az://container/prefix",
}
PROXIES = {"http": "http://proxy:3128", "https": "https://proxy:3129"}


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
    """Refuse an unknown scheme, a missing path or host, and a secret that stands in a URL.

    ``known`` gives an example for each scheme: one with three slashes names something on this
    machine, any other a host.
    """
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    allowed = " or ".join(known.values())
    if scheme not in known:
        raise ValueError(
            f"{name} begins with {scheme or 'no scheme'}: this version knows {allowed}"
        )
    parts = urlsplit(url)
    if parts.password is not None or ("@" in parts.netloc and "user@" not in known[scheme]):
        raise ValueError(f"{name} holds a user or password: secrets never stand in URLs")
    if "///" in known[scheme]:
        if not url[len(scheme) :].startswith(":///") or len(url) == len(scheme) + 4:
            raise ValueError(
                f"{name} names no file or folder of this machine: write {known[scheme]}"
            )
    elif not parts.hostname:
        raise ValueError(f"{name} names no host: write {known[scheme]}")


def check_seen_by_pods(archive: str, index: str, objects: str) -> None:
    """Refuse stores of this machine when the steps run in pods, which cannot see them."""
    for name, url, other in (
        ("LUPUS_OBJECTS", objects, OBJECTS["s3"]),
        ("LUPUS_ARCHIVE", archive, f"{ARCHIVES['hive']} or {ARCHIVES['s3']}"),
        ("LUPUS_INDEX", index, INDEXES["https"]),
    ):
        scheme = url.partition("://")[0].lower()
        if scheme in ("file", "sqlite"):
            raise ValueError(
                f"LUPUS_EXECUTOR needs stores that pods can reach, and {name} is on this machine "
                f"({scheme}://): set it to {other}, or LUPUS_EXECUTOR=local"
            )


def check_proxy(url: str, hosts: Sequence[str], user: str, password: bool) -> None:
    """Refuse what is no proxy, and a proxy that would be asked for any name."""
    if not url:
        if hosts or user or password:
            raise ValueError(
                "LUPUS_EGRESS_ALLOW_HOSTS and a user or password at the proxy need "
                f"LUPUS_EGRESS_PROXY, such as {PROXIES['http']}"
            )
        return
    check_url("LUPUS_EGRESS_PROXY", url, PROXIES)
    if not hosts:
        raise ValueError(
            "LUPUS_EGRESS_PROXY needs LUPUS_EGRESS_ALLOW_HOSTS, the names that may be reached "
            "through it, such as hooks.slack.com,*.example.com"
        )
    for host in hosts:
        if not is_name(host.removeprefix("*.")):
            raise ValueError(
                f"LUPUS_EGRESS_ALLOW_HOSTS: {host} is no name in lower case: allowed are names and "
                "*.names with commas; networks of addresses belong into LUPUS_EGRESS_ALLOW"
            )
    if password and not user:
        raise ValueError("LUPUS_EGRESS_PROXY_PASSWORD needs LUPUS_EGRESS_PROXY_USER")


def check_token(name: str, token: str) -> None:
    """Refuse what is no token, or could be guessed; the message does not repeat it."""
    if not token.startswith("lps_") or len(token) < _SHORTEST_TOKEN or not token.isascii():
        raise ValueError(
            f"{name} must be lps_ and 32 characters or more: lps_$(openssl rand -hex 32) makes one"
        )


def check_image(image: str) -> None:
    """Refuse an image that pods could not be made of, or that means another one tomorrow."""
    name, _, tag = image.rpartition("/")[2].partition("@")[0].partition(":")
    if not name:
        raise ValueError(
            "LUPUS_EXECUTOR needs LUPUS_IMAGE, the image of the pods: usually the service's own, "
            "such as registry.example.com/lupus-server:1.2.3"
        )
    if "@" not in image and tag in ("", "latest"):
        raise ValueError(
            f"LUPUS_IMAGE={image} names no fixed version: give it a tag that is not latest, or a "
            "digest, else a run could change its code halfway"
        )


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

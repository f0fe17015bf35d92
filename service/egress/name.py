"""Names and addresses of hosts, so that nothing can be taken for both."""

import re
from ipaddress import ip_address

from service.egress.addresses import Address

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_LONGEST_NAME = 253


def literal(host: str) -> Address | None:
    """The address that a host is, in the one spelling that is allowed for it."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def is_numeric(host: str) -> bool:
    """Whether resolvers take the host for an IPv4 address: no top-level domain is a number."""
    return _NUMBER.fullmatch(host.rpartition(".")[2]) is not None


def is_name(host: str) -> bool:
    """Whether a host is a name in lower-case ASCII, without a last dot."""
    labels = host.split(".")
    return (
        len(host) <= _LONGEST_NAME
        and all(_LABEL.fullmatch(label) for label in labels)
        and not is_numeric(host)
    )

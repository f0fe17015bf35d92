"""Where messages may go: public addresses, and internal networks that the operator allows.

A name is resolved once and every address that it has is checked; the connection then goes to a
checked address, so a name cannot change its mind in between.
"""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import urlsplit

import httpx2

from service.errors import EgressError, UnresolvedError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Sequence[str]]

_NAT64 = IPv6Network("64:ff9b::/96")
# What `ipaddress` calls global in some Python versions, or what is global and yet nobody's target.
_REFUSED: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # carriers' shared addresses; metadata of some clouds
        "168.63.129.16/32",  # a cloud's host agent
        "192.0.0.0/24",  # protocol assignments; metadata of one cloud
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",  # benchmarks
        "240.0.0.0/4",
        "64:ff9b:1::/48",  # NAT64 of one's own network
        "100::/64",  # discard
        "2001::/23",  # protocol assignments, Teredo
        "2001:db8::/32",
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fec0::/10",  # site-local
    )
)


def resolve_name(host: str, port: int) -> Sequence[str]:
    """Addresses by the system's resolver, in its order."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnresolvedError(f"the host {host} does not resolve: {error}") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True)
class Egress:
    """What may be reached. ``loopback`` only where the service itself serves this machine only."""

    allow: tuple[Network, ...] = ()
    loopback: bool = False
    resolve: Resolve = resolve_name

    def addresses(self, host: str, port: int) -> list[Address]:
        """The addresses of a host, all of them allowed; EgressError otherwise."""
        literal = host.strip("[]")
        found = [_parse(text, host) for text in self.resolve(literal, port)]
        if not found:
            raise EgressError(f"the host {host} has no address")
        for address in found:
            self.check(address, host)
        return found

    def check(self, address: Address, host: str) -> None:
        """Refuse an address that is neither public nor allowed."""
        inner = _inner(address)
        if any(_within(one, network) for network in self.allow for one in (address, inner)):
            return
        if inner.is_loopback and self.loopback:
            return
        # Both are asked: a tunnel to a private address is no public address, nor is a private one.
        if not _is_public(inner) or (inner is address and not _is_public(address)):
            shown = host if host == str(address) else f"{host} ({address})"
            raise EgressError(
                f"{shown} is not a public address: an operator may allow its network with "
                "LUPUS_EGRESS_ALLOW"
            )


def check_url(url: str) -> str:
    """Return a URL that a channel may have, or say what is wrong without repeating it."""
    try:
        parts = urlsplit(url)
        port = parts.port
        httpx2.URL(url)
    except (ValueError, httpx2.InvalidURL):
        raise EgressError("url: not a URL; give https://host/path") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise EgressError("url: give https://host/path (or http:// inside your own network)")
    if "@" in parts.netloc:
        raise EgressError("url: holds a user or password; secrets never stand in URLs")
    if port == 0 or any(ord(letter) <= 32 or ord(letter) == 127 for letter in url):
        raise EgressError("url: holds a port or letters that no host listens to")
    if "%" in parts.hostname or "\\" in url:
        raise EgressError("url: the host is a name or an address without a zone")
    return url


def _parse(text: str, host: str) -> Address:
    try:
        return ip_address(text)
    except ValueError:
        raise EgressError(f"the host {host} resolves to something that is no address") from None


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64 or (int(address) >> 32 == 0 and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)  # also ::a.b.c.d, the old compatible form
    return address


def _within(address: Address, network: Network) -> bool:
    return address.version == network.version and address in network


def _is_public(address: Address) -> bool:
    if address.is_multicast or not address.is_global:
        return False
    return not any(_within(address, network) for network in _REFUSED)

"""Where messages may go: public addresses, and internal networks that the operator allows.

A name is resolved once and every address that it has is checked; the connection then goes to a
checked address, so a name cannot change its mind in between. With a proxy nothing public is
reached without it: names on its list go through it unresolved, internal networks directly.
"""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from service.egress.addresses import METADATA, Address, Network, inner, is_public, within
from service.egress.name import literal
from service.egress.proxy import Proxy
from service.errors import EgressError, UnresolvedError

Resolve = Callable[[str, int], Sequence[str]]
_LOOPBACK = ip_address("127.0.0.1")


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
    proxy: Proxy | None = None

    def proxy_for(self, host: str) -> Proxy | None:
        """The proxy, if the host is to be reached through it."""
        if self.proxy is not None and self.proxy.serves(host):
            return self.proxy
        return None

    def check_host(self, host: str) -> None:
        """Refuse what no answer of a resolver could make allowed; others are checked when used.

        Raises
        ------
        EgressError
            The host is an address, or this machine's name, and may not be reached; or a name that
            neither the proxy serves nor any internal network could hold.
        """
        if self.proxy_for(host) is not None:
            return
        given = _LOOPBACK if host == "localhost" or host.endswith(".localhost") else literal(host)
        if given is not None:
            self.check(given, host)
        elif self.proxy is not None and not self.allow and not self.loopback:
            raise EgressError(
                f"{host} is no name in LUPUS_EGRESS_ALLOW_HOSTS, and nothing else can be reached"
            )

    def addresses(self, host: str, port: int) -> list[Address]:
        """The addresses of a host, all of them allowed.

        Raises
        ------
        UnresolvedError
            It has none at the moment.
        EgressError
            One of them may not be reached.
        """
        given = literal(host)
        found = [given] if given is not None else self._resolved(host, port)
        for address in found:
            self.check(address, host)
        return found

    def check(self, address: Address, host: str) -> None:
        """Refuse an address that is neither public nor allowed."""
        if self._is_allowed(address) or (self.loopback and inner(address).is_loopback):
            return
        shown = host if host == str(address) else f"{host} ({address})"
        if self.proxy is not None:
            raise EgressError(
                f"{shown} is neither a name in LUPUS_EGRESS_ALLOW_HOSTS, which the proxy reaches, "
                "nor in a network of LUPUS_EGRESS_ALLOW, which are reached directly"
            )
        if not is_public(address):
            raise EgressError(
                f"{shown} is not a public address: an operator may allow its network with "
                "LUPUS_EGRESS_ALLOW"
            )

    def _resolved(self, host: str, port: int) -> list[Address]:
        try:
            found = self.resolve(host, port)
        except UnresolvedError as error:
            if self.proxy is None:
                raise
            raise UnresolvedError(f"{error}; it is not in LUPUS_EGRESS_ALLOW_HOSTS") from None
        if not found:
            raise UnresolvedError(f"the host {host} has no address")
        return [_parse(text, host) for text in found]

    def _is_allowed(self, address: Address) -> bool:
        """Whether the operator's networks hold it; metadata must be named by itself."""
        ends = (address, inner(address))
        alone = any(end in METADATA for end in ends)
        return any(
            within(end, network) and (network.num_addresses == 1 or not alone)
            for network in self.allow
            for end in ends
        )


def _parse(text: str, host: str) -> Address:
    try:
        return ip_address(text)
    except ValueError:
        raise EgressError(f"the host {host} resolves to something that is no address") from None

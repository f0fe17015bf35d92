"""Which addresses are public: what the internet routes, and nobody's own network or machine."""

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = IPv6Network("64:ff9b::/96")  # any other prefix of NAT64 is some network's own secret
_UNICAST = IPv6Network("2000::/3")  # all that is given out of IPv6 for the internet
# An interface identifier that makes a router send to the IPv4 address in the last 32 bits.
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)

# What `ipaddress` calls global in some Python versions, or what is global and yet nobody's target.
_REFUSED: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # carriers' shared addresses
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",  # benchmarks
        "240.0.0.0/4",
        "2001::/23",  # protocol assignments, Teredo
        "2001:db8::/32",
        "2002::/16",  # 6to4: a relay would send to the IPv4 address inside
        "3fff::/20",  # documentation
    )
)

# Hosts that hand credentials to whoever reaches them.
METADATA: frozenset[Address] = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # most clouds
        "169.254.170.2",  # tasks of one cloud's container service
        "169.254.170.23",  # pods of the same cloud
        "100.100.100.200",
        "168.63.129.16",  # a cloud's host agent: a public address
        "192.0.0.192",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
    )
)


def is_public(address: Address) -> bool:
    """Whether the internet, and nothing nearer, answers at the address."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return is_public(inner(address))
        if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP and not is_public(_last_32(address)):
            return False
        if address not in _UNICAST:
            return False
    if address in METADATA or address.is_multicast or not address.is_global:
        return False
    return not any(within(address, network) for network in _REFUSED)


def inner(address: Address) -> Address:
    """The IPv4 address that a connection to an IPv6 address ends at, if it does."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return _last_32(address)
    return address


def within(address: Address, network: Network) -> bool:
    """Whether a network holds the address."""
    return address.version == network.version and address in network


def _last_32(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFF_FFFF)

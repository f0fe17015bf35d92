"""What is refused of a host before anything is resolved."""

from ipaddress import ip_network

import pytest

from service.egress.egress import Egress
from service.egress.proxy import Proxy
from service.errors import EgressError

PROXY = Proxy("http://proxy:3128", ("hooks.example", "*.below.example"))
INSIDE = (ip_network("10.0.0.0/8"),)


def _never(host: str, port: int) -> list[str]:
    raise AssertionError(f"{host} was resolved")


OPEN = Egress(resolve=_never)
ALLOWING = Egress(INSIDE, resolve=_never)
LOCAL = Egress(loopback=True, resolve=_never)
PROXIED = Egress(resolve=_never, proxy=PROXY)
PROXIED_ALLOWING = Egress(INSIDE, resolve=_never, proxy=PROXY)


@pytest.mark.parametrize(
    ("egress", "host"),
    [
        (OPEN, "example.com"),
        (OPEN, "93.184.215.14"),
        (ALLOWING, "10.1.2.3"),
        (ALLOWING, "intranet"),
        (LOCAL, "localhost"),
        (LOCAL, "a.localhost"),
        (LOCAL, "::1"),
        (PROXIED, "hooks.example"),
        (PROXIED, "a.below.example"),
        (PROXIED_ALLOWING, "10.1.2.3"),
        # It may have an address in a network that is allowed.
        (PROXIED_ALLOWING, "intranet.example"),
    ],
)
def test_what_may_be_reached_passes(egress: Egress, host: str) -> None:
    egress.check_host(host)


@pytest.mark.parametrize(
    ("egress", "host", "words"),
    [
        (OPEN, "10.1.2.3", "LUPUS_EGRESS_ALLOW"),
        (OPEN, "localhost", "LUPUS_EGRESS_ALLOW"),
        (OPEN, "a.localhost", "127.0.0.1"),
        (OPEN, "169.254.169.254", "not a public address"),
        (OPEN, "fd00:ec2::254", "not a public address"),
        (ALLOWING, "192.168.0.1", "LUPUS_EGRESS_ALLOW"),
        (ALLOWING, "localhost", "LUPUS_EGRESS_ALLOW"),
        (PROXIED, "example.com", "LUPUS_EGRESS_ALLOW_HOSTS"),
        (PROXIED, "below.example", "LUPUS_EGRESS_ALLOW_HOSTS"),
        (PROXIED, "93.184.215.14", "LUPUS_EGRESS_ALLOW_HOSTS"),
        (PROXIED_ALLOWING, "93.184.215.14", "LUPUS_EGRESS_ALLOW"),
    ],
)
def test_what_can_never_be_reached_is_refused(egress: Egress, host: str, words: str) -> None:
    with pytest.raises(EgressError, match=words):
        egress.check_host(host)

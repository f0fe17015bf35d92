"""Every way we know to make a service connect to where it should not.

Each row is refused over real sockets, while a trap listens on both loopback addresses and a
witness sees every attempt of this process to connect, wherever it would lead.
"""

from collections.abc import Sequence
from ipaddress import ip_network

import httpx2
import pytest

from service.egress.egress import Egress
from service.egress.transport import open_client
from service.egress.url import check_url
from service.errors import EgressError
from tests.service.egress.raw_server import saying, speaking
from tests.service.egress.trap import Trap, trap

NOT_PUBLIC = "is not a public address"
FOUR = "four decimal numbers"
NO_NAME = "the host is no name"
NO_URL = "not a URL"
ZONE = "without a zone"
USER = "secrets never stand in URLs"
SPACES = "spaces, line breaks or backslashes"
SCHEME = "give https://host/path"
PORT = "a port from 1"

# How it is written, the URL (PORT is the trap's), why it is refused.
FORMS: list[tuple[str, str, str]] = [
    ("loopback", "http://127.0.0.1:PORT/", NOT_PUBLIC),
    ("loopback elsewhere in its network", "http://127.8.8.8:PORT/", NOT_PUBLIC),
    ("loopback by name", "http://localhost:PORT/", NOT_PUBLIC),
    ("loopback by name and dot", "http://localhost.:PORT/", NOT_PUBLIC),
    ("loopback in capitals", "http://LOCALHOST:PORT/", NOT_PUBLIC),
    ("short", "http://127.1:PORT/", FOUR),
    ("shorter", "http://127.0.1:PORT/", FOUR),
    ("zero", "http://0:PORT/", FOUR),
    ("one decimal number", "http://2130706433:PORT/", FOUR),
    ("hex", "http://0x7f000001:PORT/", FOUR),
    ("hex in capitals", "http://0X7F000001:PORT/", FOUR),
    ("hex and short", "http://0x7f.1:PORT/", FOUR),
    ("hex in each part", "http://0x7f.0x0.0x0.0x1:PORT/", FOUR),
    ("hex in the last part", "http://127.0.0.0x1:PORT/", FOUR),
    ("empty hex", "http://127.0.0.0x:PORT/", FOUR),
    ("octal", "http://017700000001:PORT/", FOUR),
    ("octal in one part", "http://0177.0.0.1:PORT/", FOUR),
    ("octal in all parts", "http://0177.0000.0000.0001:PORT/", FOUR),
    ("leading zeros", "http://127.000.000.001:PORT/", FOUR),
    ("overflow", "http://256.256.256.256:PORT/", FOUR),
    ("overflow into loopback", "http://4294967296:PORT/", FOUR),
    ("a dot at the end", "http://127.0.0.1.:PORT/", FOUR),
    ("two dots at the end", "http://127.0.0.1..:PORT/", NO_NAME),
    ("an empty label", "http://127..0.1:PORT/", FOUR),
    ("five numbers", "http://127.0.0.1.1:PORT/", FOUR),
    ("digits in circles", "http://①②⑦.⓪.⓪.①:PORT/", NO_URL),
    ("fullwidth digits", "http://１２７.０.０.１:PORT/", NO_URL),
    ("fullwidth dots", "http://127．0．0．1:PORT/", NOT_PUBLIC),
    ("ideographic dots", "http://127。0。0。1:PORT/", NOT_PUBLIC),
    ("halfwidth dots", "http://127｡0｡0｡1:PORT/", NOT_PUBLIC),
    ("ideographic dots in a short form", "http://127。1:PORT/", FOUR),
    ("Arabic digits", "http://١٢٧.٠.٠.١:PORT/", NO_URL),
    ("a name in circled letters", "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:PORT/", NO_URL),
    ("a name with a long s", "http://localhoſt:PORT/", NO_URL),
    ("a soft hyphen", "http://local\u00adhost:PORT/", NO_URL),
    ("a space of no width", "http://local\u200bhost:PORT/", NO_URL),
    ("percent-encoded", "http://%31%32%37.0.0.1:PORT/", ZONE),
    ("percent-encoded name", "http://%6cocalhost:PORT/", ZONE),
    ("percent-encoded dots", "http://127%2e0%2e0%2e1:PORT/", ZONE),
    ("percent-encoded end of the host", "http://example.com%2f@127.0.0.1:PORT/", USER),
    ("percent-encoded NUL", "http://127.0.0.1%00.example.com:PORT/", ZONE),
    ("a user that looks like the host", "http://example.com@127.0.0.1:PORT/", USER),
    ("a user and a port", "http://example.com:80@127.0.0.1:PORT/", USER),
    ("an empty user", "http://@127.0.0.1:PORT/", USER),
    ("two users", "http://a@example.com@127.0.0.1:PORT/", USER),
    ("a user after a fragment's sign", "http://127.0.0.1:PORT#@example.com/", NOT_PUBLIC),
    ("a user after a query's sign", "http://127.0.0.1:PORT?@example.com/", NOT_PUBLIC),
    ("a fullwidth number sign", "http://127.0.0.1:PORT＃@example.com/", USER),
    ("a fullwidth slash", "http://example.com／@127.0.0.1:PORT/", USER),
    ("a backslash before a user", "http://127.0.0.1:PORT\\@example.com/", SPACES),
    ("a backslash for a slash", "http:\\\\127.0.0.1:PORT\\", SPACES),
    ("a backslash in the host", "http://127.0.0.1\\.example.com:PORT/", SPACES),
    ("a tab in the host", "http://127.0.\t0.1:PORT/", SPACES),
    ("a line break in the host", "http://127.0.0.1\n:PORT/", SPACES),
    ("a space before all", " http://127.0.0.1:PORT/", SPACES),
    ("a space in the host", "http://127.0.0.1 example.com:PORT/", SPACES),
    ("a header in the host", "http://127.0.0.1:PORT\r\nX-Injected: 1/", SPACES),
    ("a header in the path", "http://127.0.0.1:PORT/ HTTP/1.1\r\nX-Injected: 1", SPACES),
    ("a control character of C1", "http://127.0.0.1:PORT/\x85", SPACES),
    ("another next line", "http://local\u2028host:PORT/", NO_URL),
    ("two hosts", "http://example.com,127.0.0.1:PORT/", FOUR),
    ("a semicolon", "http://127.0.0.1;example.com:PORT/", NO_NAME),
    ("a quotation mark", 'http://127.0.0.1"example.com:PORT/', NO_NAME),
    ("a star", "http://*:PORT/", NO_NAME),
    ("a label that is too long", f"http://{'a' * 64}.example:PORT/", NO_NAME),
    ("a name that is too long", f"http://{'a.' * 127}example:PORT/", NO_NAME),
    ("two ports", "http://127.0.0.1:PORT:80/", PORT),
    ("port zero", "http://127.0.0.1:0/", PORT),
    ("a port that overflows", "http://127.0.0.1:65537/", PORT),
    ("a negative port", "http://127.0.0.1:-1/", PORT),
    ("a port in fullwidth digits", "http://127.0.0.1:８０/", PORT),
    ("no slashes", "http:127.0.0.1:PORT/", SCHEME),
    ("one slash", "http:/127.0.0.1:PORT/", SCHEME),
    ("three slashes", "http:///127.0.0.1:PORT/", SCHEME),
    ("no scheme", "127.0.0.1:PORT/", SCHEME),
    ("no scheme but slashes", "//127.0.0.1:PORT/", SCHEME),
    ("no host", "http://:PORT/", SCHEME),
    ("a file", "file:///etc/passwd", SCHEME),
    ("gopher", "gopher://127.0.0.1:PORT/_x", SCHEME),
    ("dict", "dict://127.0.0.1:PORT/x", SCHEME),
    ("ftp", "ftp://127.0.0.1:PORT/", SCHEME),
    ("a script", "javascript:alert(1)", SCHEME),
    ("data", "data:text/plain,x", SCHEME),
    ("a socket's file", "http+unix://%2frun%2fdocker.sock/", SCHEME),
    ("IPv6 loopback", "http://[::1]:PORT/", NOT_PUBLIC),
    ("IPv6 loopback in full", "http://[0:0:0:0:0:0:0:1]:PORT/", NOT_PUBLIC),
    ("v4-mapped", "http://[::ffff:127.0.0.1]:PORT/", NOT_PUBLIC),
    ("v4-mapped in hex", "http://[::ffff:7f00:1]:PORT/", NOT_PUBLIC),
    ("v4-mapped public address", "http://[::ffff:8.8.8.8]:PORT/", NOT_PUBLIC),
    ("v4-compatible", "http://[::127.0.0.1]:PORT/", NOT_PUBLIC),
    ("v4-translated", "http://[::ffff:0:127.0.0.1]:PORT/", NOT_PUBLIC),
    ("a zone", "http://[fe80::1%eth0]:PORT/", ZONE),
    ("an encoded zone", "http://[fe80::1%25eth0]:PORT/", ZONE),
    ("a zone of loopback", "http://[::1%251]:PORT/", ZONE),
    ("a bracket that is not closed", "http://[::1:PORT/", PORT),
    ("a name in brackets", "http://[localhost]:PORT/", NO_URL),
    ("IPv4 in brackets", "http://[127.0.0.1]:PORT/", NO_URL),
    ("IPv6 of a future version", "http://[v1.::1]:PORT/", NO_URL),
    ("IPv6 without brackets", "http://::1:PORT/", SCHEME),
]  # fmt: skip

# What an address is, and addresses that a URL may hold or a name may resolve to.
ADDRESSES: list[tuple[str, Sequence[str]]] = [
    ("this host", ["0.0.0.0", "0.1.2.3", "::"]),
    ("private", ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12::1"]),
    ("link-local", ["169.254.1.1", "fe80::1"]),
    ("site-local", ["fec0::1"]),
    ("carriers' shared", ["100.64.0.1", "100.127.255.255"]),
    ("metadata of AWS, Azure, Google", ["169.254.169.254", "fd00:ec2::254", "fd20:ce::254"]),
    ("metadata of containers", ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"]),
    ("metadata of Alibaba", ["100.100.100.200"]),
    ("host agent of Azure", ["168.63.129.16"]),
    ("metadata of Oracle", ["192.0.0.192"]),
    ("metadata in other words", ["::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"]),
    ("protocol assignments", ["192.0.0.1", "2001:1::1", "2001:20::1"]),
    ("documentation", ["192.0.2.1", "198.51.100.1", "203.0.113.9", "2001:db8::1", "3fff::1"]),
    ("benchmarks", ["198.18.0.1", "198.19.255.255", "2001:2::1"]),
    ("multicast", ["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"]),
    ("reserved, broadcast", ["240.0.0.1", "255.255.255.255", "4000::1", "::2"]),
    ("discard, segment routing", ["100::1", "5f00::1"]),
    ("v4-mapped", ["::ffff:10.0.0.1", "::ffff:a00:1", "::ffff:8.8.8.8"]),
    ("v4-compatible", ["::10.0.0.1", "::8.8.8.8"]),
    ("v4-translated", ["::ffff:0:10.0.0.1"]),
    ("NAT64", ["64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b::a83f:8110"]),
    ("NAT64 of a network", ["64:ff9b:1::1", "64:ff9b:1::808:808"]),
    ("6to4", ["2002:7f00:1::", "2002:a00:1::", "2002:808:808::1", "192.88.99.1"]),
    ("Teredo", ["2001:0:1::1", "2001:0:4136:e378:8000:63bf:f5ff:fffe"]),
    ("ISATAP", ["2606:4700::5efe:10.0.0.1", "2606:4700::200:5efe:127.0.0.1"]),
]  # fmt: skip
_EACH = [(kind, address) for kind, addresses in ADDRESSES for address in addresses]

# What a resolver answers instead of an address, and why it is refused.
ANSWERS: list[tuple[str, list[str], str]] = [
    ("one good, one bad", ["8.8.8.8", "127.0.0.1"], NOT_PUBLIC),
    ("one bad, one good", ["127.0.0.1", "8.8.8.8"], NOT_PUBLIC),
    ("a good one of each family, and loopback", ["2606:4700::1111", "8.8.8.8", "::1"], NOT_PUBLIC),
    ("a zone", ["fe80::1%lo"], NOT_PUBLIC),
    ("nothing", [], "has no address"),
    ("no address", ["localhost"], "something that is no address"),
    ("a short form", ["127.1"], "something that is no address"),
    ("a number", ["2130706433"], "something that is no address"),
    ("an empty text", [""], "something that is no address"),
    ("ten thousand, one of them bad", ["8.8.8.8"] * 9999 + ["127.0.0.1"], NOT_PUBLIC),
]


def _refused(set_: Trap, egress: Egress, url: str, why: str) -> None:
    with open_client(egress, timeout_seconds=5.0) as client:
        with pytest.raises(EgressError, match=why):
            client.post(check_url(url), content=b"x")
        # What was stored before is refused where it is used, too.
        with pytest.raises((EgressError, httpx2.InvalidURL, httpx2.UnsupportedProtocol)):
            client.post(url, content=b"x")
    assert (set_.caught(), set_.attempts) == (0, [])


@pytest.mark.parametrize(("form", "url", "why"), FORMS, ids=[form for form, _, _ in FORMS])
def test_no_way_to_write_a_url_leads_into_the_house(form: str, url: str, why: str) -> None:
    with trap() as set_:
        _refused(set_, Egress(), url.replace("PORT", str(set_.port)), why)


@pytest.mark.parametrize(("kind", "address"), _EACH)
def test_no_address_that_is_not_public_is_reached_by_itself_or_by_a_name(
    kind: str, address: str
) -> None:
    host = f"[{address}]" if ":" in address else address
    with trap() as set_:
        _refused(set_, Egress(), f"http://{host}:{set_.port}/", NOT_PUBLIC)
        named = Egress(resolve=lambda host, port: [address])
        _refused(set_, named, f"http://hooks.example:{set_.port}/", NOT_PUBLIC)


@pytest.mark.parametrize(("kind", "answer", "why"), ANSWERS, ids=[kind for kind, _, _ in ANSWERS])
def test_no_answer_of_a_resolver_leads_into_the_house(
    kind: str, answer: list[str], why: str
) -> None:
    with trap() as set_:
        named = Egress(resolve=lambda host, port: answer)
        _refused(set_, named, f"http://hooks.example:{set_.port}/", why)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308])
@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest", "http://[::ffff:a9fe:a9fe]/", "//10.0.0.1/", "TRAP"]
)
def test_no_redirect_leads_into_the_house(status: int, target: str) -> None:
    with trap() as set_:
        location = target.replace("TRAP", f"http://0x7f.1:{set_.port}/")
        told = f"HTTP/1.1 {status} Go\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        with speaking(saying(told.encode())) as server:
            url = f"http://hooks.example:{server.port}/"
            # The receiver itself is allowed here, as an internal one would be.
            allowing = Egress((ip_network("127.0.0.1"),), resolve=lambda host, port: ["127.0.0.1"])
            with open_client(allowing) as client:
                assert client.post(url, content=b"x").status_code == status
                if status in (301, 302, 303, 307, 308):
                    with pytest.raises((EgressError, httpx2.InvalidURL)):
                        client.post(url, content=b"x", follow_redirects=True)
            assert {port for _, port, *_ in set_.attempts} == {server.port}
        assert set_.caught() == 0


def test_the_trap_and_the_witness_do_catch() -> None:
    with trap() as set_, open_client(Egress(loopback=True), timeout_seconds=0.5) as client:
        with pytest.raises(httpx2.ReadTimeout):
            client.post(f"http://127.0.0.1:{set_.port}/", content=b"x")
        assert set_.caught() == 1
        assert set_.attempts == [("127.0.0.1", set_.port)]

"""The client: pinned addresses, the name's certificate, a deadline and a size for every answer."""

import gzip
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from pathlib import Path

import httpx2
import psutil
import pytest

from service.egress.egress import Egress
from service.egress.transport import open_client
from service.errors import EgressError, UnresolvedError
from tests.service.egress.authority import Authority
from tests.service.egress.raw_server import Speak, saying, speaking
from tests.service.egress.trap import trap
from tests.service.receiver import receiving

HERE = Egress(loopback=True, resolve=lambda host, port: ["127.0.0.1"])
DONE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_pass(address: str) -> None:
    Egress(resolve=lambda host, port: [address]).addresses("example.com", 443)


def test_a_refusal_names_the_host_and_its_address() -> None:
    mixed = Egress(resolve=lambda host, port: ["8.8.8.8", "10.0.0.7"])
    with pytest.raises(EgressError, match=r"rebind.example \(10\.0\.0\.7\).*LUPUS_EGRESS_ALLOW"):
        mixed.addresses("rebind.example", 443)


def test_an_operator_allows_networks_and_nothing_beside_them() -> None:
    egress = Egress(allow=(ip_network("10.20.0.0/16"), ip_network("fd00::/8")))
    for allowed in ("10.20.3.4", "::ffff:10.20.3.4", "64:ff9b::10.20.3.4", "fd00::1", "8.8.8.8"):
        egress.addresses(allowed, 80)
    for refused in ("10.21.0.1", "127.0.0.1", "::1", "fc00::1", "169.254.169.254", "::10.20.3.4"):
        with pytest.raises(EgressError):
            egress.addresses(refused, 80)


@pytest.mark.parametrize(
    ("wide", "address"),
    [
        ("0.0.0.0/0", "169.254.169.254"),
        ("169.254.0.0/16", "169.254.170.2"),
        ("100.64.0.0/10", "100.100.100.200"),
        ("::/0", "fd00:ec2::254"),
        ("::/0", "64:ff9b::a9fe:a9fe"),
        ("0.0.0.0/0", "::ffff:169.254.169.254"),
    ],
)
def test_metadata_is_reached_only_when_it_is_allowed_by_itself(wide: str, address: str) -> None:
    with pytest.raises(EgressError):
        Egress(allow=(ip_network(wide),)).addresses(address, 80)
    Egress(allow=(ip_network(address),)).addresses(address, 80)


def test_loopback_is_reached_only_from_a_loopback_service() -> None:
    for host in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "localhost"):
        Egress(loopback=True).addresses(host, 80)
    for host in ("10.0.0.1", "169.254.169.254", "0.0.0.0"):
        with pytest.raises(EgressError):
            Egress(loopback=True).addresses(host, 80)


def test_a_name_is_resolved_once_and_its_checked_address_is_used() -> None:
    asked: list[str] = []

    def rebind(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    with receiving() as receiver, open_client(Egress(loopback=True, resolve=rebind)) as client:
        port = httpx2.URL(receiver.url).port
        with trap() as seen:
            answer = client.post(f"http://hooks.example:{port}/x", content=b"hi")
    assert (answer.status_code, asked) == (204, ["hooks.example"])
    assert receiver.got[0].headers["host"] == f"hooks.example:{port}"
    assert seen.attempts == [("127.0.0.1", port)]


def test_a_checked_address_is_not_kept_for_the_next_request() -> None:
    answers = [["127.0.0.1"], ["10.0.0.1"]]
    turning = Egress(loopback=True, resolve=lambda host, port: answers.pop(0))
    with receiving() as receiver, open_client(turning) as client:
        url = f"http://hooks.example:{httpx2.URL(receiver.url).port}/x"
        assert client.post(url, content=b"").status_code == 204
        with pytest.raises(EgressError):
            client.post(url, content=b"")


def test_a_name_without_an_address_may_have_one_later() -> None:
    gone = Egress(resolve=lambda host, port: [])
    with pytest.raises(UnresolvedError, match="has no address"):
        gone.addresses("hooks.example", 443)
    with pytest.raises(UnresolvedError, match=r"nowhere\.invalid"):
        Egress().addresses("nowhere.invalid", 443)


def test_the_second_address_is_tried_when_the_first_does_not_answer() -> None:
    both = Egress(loopback=True, resolve=lambda host, port: ["::1", "127.0.0.1"])
    with receiving() as receiver, open_client(both) as client:
        port = httpx2.URL(receiver.url).port
        assert client.post(f"http://two.example:{port}/", content=b"").status_code == 204


def test_no_variable_of_the_environment_names_a_proxy_or_an_authority(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    other = Authority(tmp_path / "other")
    monkeypatch.setenv("SSL_CERT_FILE", str(other.bundle))
    with receiving() as receiver, open_client(Egress(loopback=True)) as client:
        assert client.post(receiver.url, content=b"").status_code == 204
    with (
        speaking(saying(DONE), other.server("hooks.example")) as server,
        open_client(HERE) as client,
        pytest.raises(httpx2.ConnectError, match="verify failed"),
    ):
        client.post(f"https://hooks.example:{server.port}/", content=b"")


def test_the_certificate_must_be_the_names_not_the_addresss(tmp_path: Path) -> None:
    company = Authority(tmp_path)
    talking = speaking(saying(DONE), company.server("hooks.example"))
    with talking as server, open_client(HERE, company.bundle) as client:
        answer = client.post(f"https://hooks.example:{server.port}/x", content=b"hi")
        assert (answer.status_code, answer.text) == (200, "ok")
        with pytest.raises(httpx2.ConnectError, match=r"not valid for 'evil\.example'"):
            client.post(f"https://evil.example:{server.port}/x", content=b"hi")
    assert server.names == ["hooks.example", "evil.example"]
    assert len(server.heard) == 1
    assert f"host: hooks.example:{server.port}".encode() in server.heard[0].lower()


def test_a_name_with_a_dot_at_its_end_is_that_name(tmp_path: Path) -> None:
    company = Authority(tmp_path)
    talking = speaking(saying(DONE), company.server("hooks.example"))
    with talking as server, open_client(HERE, company.bundle) as client:
        assert client.post(f"https://hooks.example.:{server.port}/").status_code == 200


def test_a_bundle_that_is_replaced_is_read_again(tmp_path: Path) -> None:
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(old.bundle.read_bytes())
    with speaking(saying(DONE), new.server("hooks.example")) as server:
        url = f"https://hooks.example:{server.port}/"
        with open_client(HERE, bundle) as client:
            with pytest.raises(httpx2.ConnectError, match="verify failed"):
                client.post(url)
            bundle.write_text("half a cert")
            with pytest.raises(httpx2.ConnectError, match="LUPUS_CA_BUNDLE: holds no cert"):
                client.post(url)
            (tmp_path / "next.pem").write_bytes(new.bundle.read_bytes())
            (tmp_path / "next.pem").replace(bundle)
            assert client.post(url).status_code == 200


def _drip(start: bytes, piece: bytes) -> Speak:
    def speak(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in range(400):
            connection.sendall(piece)
            time.sleep(0.05)

    return speak


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"x-slow: 1\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"."),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n.\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["status", "headers", "body", "chunks", "interim answers"],
)
def test_a_drip_of_bytes_does_not_prolong_an_exchange(start: bytes, piece: bytes) -> None:
    """Each byte comes in time; without a deadline over all of them this would last 20 s."""
    with (
        speaking(_drip(start, piece)) as server,
        open_client(HERE, timeout_seconds=0.4) as client,
        pytest.raises(httpx2.ReadTimeout),
    ):
        client.post(f"http://slow.example:{server.port}/", content=b"")


def test_a_resolver_that_never_answers_does_not_prolong_an_exchange() -> None:
    def never(host: str, port: int) -> list[str]:
        time.sleep(5)
        return ["127.0.0.1"]

    late = pytest.raises(httpx2.ConnectTimeout, match="not resolved in time")
    with open_client(Egress(resolve=never), timeout_seconds=0.1) as client, late:
        client.post("http://slow.example/", content=b"")


def _endless(start: bytes, piece: bytes) -> Speak:
    def speak(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(piece)

    return speak


@pytest.mark.parametrize(
    ("start", "piece", "error"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b"." * 65536, httpx2.ReadError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\n", b"." * 65536, httpx2.ReadError),
        (b"HTTP/1.1 200 OK\r\n", b"x-more: 1\r\n" * 1000, httpx2.RemoteProtocolError),
        (b"HTTP/1.1 ", b"2" * 65536, httpx2.RemoteProtocolError),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, httpx2.ReadError),
    ],
    ids=["body", "length", "headers", "status", "interim answers"],
)
def test_an_endless_answer_ends_with_an_error(
    start: bytes, piece: bytes, error: type[Exception]
) -> None:
    speak = _endless(start, piece)
    with speaking(speak) as server, open_client(HERE) as client, pytest.raises(error):
        client.post(f"http://endless.example:{server.port}/", content=b"")


@pytest.mark.parametrize(
    "garbage",
    [
        b"hello, this is HTTP/0.9\r\n\r\n",
        b"+PONG\r\n",
        b"\x16\x03\x01\x02\x00",
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/9.9 99 \x00\r\n\r\n",
    ],
)
def test_what_is_no_http_is_an_error_that_callers_know(garbage: bytes) -> None:
    refused = pytest.raises(httpx2.RemoteProtocolError)
    with speaking(saying(garbage)) as server, open_client(HERE) as client, refused:
        client.post(f"http://odd.example:{server.port}/", content=b"")


def test_a_packed_answer_is_not_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    told = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    with speaking(saying(told, bomb)) as server, open_client(HERE) as client:
        answer = client.post(f"http://bomb.example:{server.port}/", content=b"")
    assert answer.content == bomb
    assert b"accept-encoding: identity" in server.heard[0].lower()


def test_no_header_is_made_of_a_path_or_a_value() -> None:
    with speaking(saying(DONE)) as server, open_client(HERE) as client:
        url = f"http://a.example:{server.port}/%0d%0aX-Injected:%201?a=%0d%0aX-Injected:1"
        assert client.post(url, content=b"").status_code == 200
        with pytest.raises(httpx2.LocalProtocolError):
            client.post(url, content=b"", headers={"x-name": "a\r\nX-Injected: 1"})
    assert b"\r\nx-injected" not in b"".join(server.heard).lower()


def test_no_socket_stays_open_and_threads_share_a_client() -> None:
    process = psutil.Process()
    with receiving() as receiver, open_client(HERE) as client:
        port = httpx2.URL(receiver.url).port

        def send(number: int) -> int:
            with client.stream("POST", f"http://hooks.example:{port}/{number}") as answer:
                return answer.status_code

        with ThreadPoolExecutor(4) as threads:
            assert set(threads.map(send, range(40))) == {204}
        connections = process.net_connections()
        assert not [one for one in connections if one.raddr and one.raddr[1] == port]

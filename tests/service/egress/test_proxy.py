"""Where the outside is reached only through a proxy: nothing public without it, by names alone."""

import socket
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import httpx2
import pytest

from service.egress.egress import Egress
from service.egress.proxy import Proxy
from service.egress.transport import open_client
from service.errors import EgressError, UnresolvedError
from storage.secret import Secret
from tests.service.egress.authority import Authority
from tests.service.egress.connect_proxy import ConnectProxy, proxying
from tests.service.egress.raw_server import safe, saying, speaking
from tests.service.egress.trap import trap
from tests.service.receiver import receiving

DONE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HOSTS = ("hooks.example", "*.below.example")


def _never(host: str, port: int) -> list[str]:
    raise AssertionError(f"{host} was resolved here")


def through(proxy: ConnectProxy, **more: object) -> Egress:
    """An egress with the proxy, which resolves nothing itself."""
    fields = {"user": "", "password": Secret(), **more}
    return Egress(resolve=_never, proxy=Proxy(proxy.url, HOSTS, **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["hooks.example", "a.below.example", "HOOKS.example."])
def test_tls_goes_through_the_proxy_which_resolves_the_name(tmp_path: Path, host: str) -> None:
    company = Authority(tmp_path)
    name = host.lower().removesuffix(".")
    with (
        speaking(saying(DONE), company.server(name)) as receiver,
        proxying({name: receiver.port}) as proxy,
        open_client(through(proxy), company.bundle) as client,
        trap() as seen,
    ):
        answer = client.post(f"https://{host}/secret/path", content=b"hi")
        assert (answer.status_code, answer.text) == (200, "ok")
    # The proxy learns the name and nothing of the request.
    assert proxy.lines == [f"CONNECT {name}:443 HTTP/1.1"]
    assert receiver.names == [name]
    assert receiver.heard[0].startswith(b"POST /secret/path HTTP/1.1\r\n")
    assert seen.attempts[0] == ("127.0.0.1", proxy.port)


def test_a_receiver_behind_the_proxy_needs_a_certificate_of_its_name(tmp_path: Path) -> None:
    company = Authority(tmp_path)
    with (
        speaking(saying(DONE), company.server("other.example")) as receiver,
        proxying({"hooks.example": receiver.port}) as proxy,
        open_client(through(proxy), company.bundle) as client,
        pytest.raises(httpx2.ConnectError, match="not valid for"),
    ):
        client.post("https://hooks.example/", content=b"hi")
    assert receiver.heard == []


def test_a_proxy_may_speak_tls_itself(tmp_path: Path) -> None:
    company = Authority(tmp_path)
    server = company.server("127.0.0.1")
    receiver_side = company.server("hooks.example")
    with speaking(saying(DONE), receiver_side) as receiver:
        inner = ConnectProxy({"hooks.example": receiver.port})

        def speak(connection: socket.socket) -> None:
            with safe(connection, server) as talking:
                inner.speak(talking)

        with proxying({}, speak=speak) as proxy:
            over_tls = Proxy(proxy.url.replace("http:", "https:"), HOSTS)
            with open_client(Egress(proxy=over_tls), company.bundle) as client:
                answer = client.post("https://hooks.example/", content=b"hi")
    assert (answer.text, inner.lines) == ("ok", ["CONNECT hooks.example:443 HTTP/1.1"])


def test_plain_http_goes_through_the_proxy_too() -> None:
    with (
        receiving() as receiver,
        proxying({"hooks.example": _port(receiver.url)}) as proxy,
        open_client(through(proxy)) as client,
    ):
        assert client.post("http://hooks.example/x", content=b"hi").status_code == 204
    assert proxy.lines == ["POST http://hooks.example/x HTTP/1.1"]
    assert receiver.got[0].headers["host"] == "hooks.example"


def test_the_password_is_read_again_from_its_file_and_never_told(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("old-s3cret\n")
    with (
        receiving() as receiver,
        proxying({"hooks.example": _port(receiver.url)}, "me:new-s3cret") as proxy,
        open_client(through(proxy, user="me", password=Secret(file=file))) as client,
    ):
        for url in ("http://hooks.example/x", "https://hooks.example/x"):
            with pytest.raises(httpx2.ProxyError, match="407") as refused:
                client.post(url, content=b"hi")
            assert "LUPUS_EGRESS_PROXY_PASSWORD" in str(refused.value)
            assert "s3cret" not in str(refused.value)
        file.write_text("new-s3cret\n")
        assert client.post("http://hooks.example/x", content=b"hi").status_code == 204
        file.unlink()
        with pytest.raises(httpx2.ProxyError, match="LUPUS_EGRESS_PROXY_PASSWORD_FILE"):
            client.post("http://hooks.example/x", content=b"hi")
    assert "proxy-authorization" not in receiver.got[0].headers
    assert "s3cret" not in repr(through(proxy, user="me", password=Secret("s3cret")))


def test_what_the_proxy_refuses_is_told_as_the_proxys_word() -> None:
    refusal = pytest.raises(httpx2.ProxyError)
    with proxying({}) as proxy, open_client(through(proxy)) as client, refusal as refused:
        client.post("https://hooks.example/secret/path", content=b"hi")
    assert str(refused.value) == (
        f"the proxy 127.0.0.1:{proxy.port} answers 403 to a way to hooks.example: ask who runs it "
        "to allow the host"
    )


def test_a_proxy_that_is_away_is_named() -> None:
    with trap() as set_:
        gone = set_.port
    away = Egress(proxy=Proxy(f"http://127.0.0.1:{gone}", HOSTS))
    with open_client(away) as client, pytest.raises(httpx2.ProxyError, match="cannot be reached"):
        client.post("https://hooks.example/", content=b"hi")


@pytest.mark.parametrize("mad", [b"", b"+PONG\r\n", b"HTTP/1.1 200 OK\r\n\r\nhello"])
def test_a_proxy_that_is_mad_is_an_error_that_callers_know(mad: bytes) -> None:
    error = pytest.raises(httpx2.TransportError)
    with proxying({}, speak=saying(mad)) as proxy, open_client(through(proxy)) as client, error:
        client.post("https://hooks.example/", content=b"hi")


def test_a_proxy_that_says_nothing_ends_in_time() -> None:
    with trap() as silent:
        slow = Egress(proxy=Proxy(f"http://127.0.0.1:{silent.port}", HOSTS))
        with open_client(slow, timeout_seconds=0.3) as client, pytest.raises(httpx2.ReadTimeout):
            client.post("https://hooks.example/", content=b"hi")
        assert silent.caught() == 1


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://8.8.8.8/", "neither a name in LUPUS_EGRESS_ALLOW_HOSTS"),
        ("https://[2606:4700::1111]/", "neither a name"),
        ("https://other.example/", "neither a name"),
        ("https://below.example/", "neither a name"),
        ("https://hooks.example.evil.example/", "neither a name"),
        ("https://xhooks.example/", "neither a name"),
        ("https://evil.example/?hooks.example", "neither a name"),
        ("https://hooks.example@evil.example/", "secrets never stand in URLs"),
        ("http://0x7f.1/", "four decimal numbers"),
        ("http://127.0.0.1/", "neither a name"),
        ("http://169.254.169.254/", "neither a name"),
    ],
)
def test_nothing_but_the_list_goes_through_the_proxy_and_nothing_public_around_it(
    url: str, why: str
) -> None:
    with trap() as set_:
        proxy = Proxy(f"http://127.0.0.1:{set_.port}", HOSTS)
        egress = Egress(resolve=lambda host, port: ["8.8.8.8"], proxy=proxy)
        with open_client(egress) as client, pytest.raises(EgressError, match=why):
            client.post(url, content=b"hi")
        assert (set_.caught(), set_.attempts) == (0, [])


def test_internal_networks_are_reached_directly() -> None:
    with receiving() as receiver, trap() as unused:
        port = _port(receiver.url)
        egress = Egress(
            allow=(ip_network("127.0.0.0/8"),),
            resolve=lambda host, port: ["127.0.0.1"],
            proxy=Proxy(f"http://127.0.0.1:{unused.port}", HOSTS),
        )
        with open_client(egress) as client:
            for host in ("127.0.0.1", "alerts.internal"):
                assert client.post(f"http://{host}:{port}/", content=b"").status_code == 204
            mixed = replace(egress, resolve=lambda host, port: ["127.0.0.1", "8.8.8.8"])
        with open_client(mixed) as client, pytest.raises(EgressError, match=r"8\.8\.8\.8"):
            client.post(f"http://alerts.internal:{port}/", content=b"")
        assert unused.caught() == 0


def test_a_name_that_is_on_no_list_and_does_not_resolve_is_told_so() -> None:
    def fails(host: str, port: int) -> list[str]:
        raise UnresolvedError(f"the host {host} does not resolve: no such name")

    egress = Egress(resolve=fails, proxy=Proxy("http://127.0.0.1:9", HOSTS))
    told = pytest.raises(UnresolvedError, match="it is not in LUPUS_EGRESS_ALLOW_HOSTS")
    with open_client(egress) as client, told:
        client.post("https://other.example/", content=b"")


def _port(url: str) -> int:
    port = httpx2.URL(url).port
    assert port is not None
    return port

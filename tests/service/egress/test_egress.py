"""The way out: which addresses, how they are pinned, what is signed and with what."""

import socket
import ssl
from ipaddress import ip_network
from pathlib import Path

import httpx2
import pytest
from standardwebhooks.webhooks import Webhook

from service.egress.egress import Egress, check_url
from service.egress.transport import open_client
from service.errors import EgressError, RequestError, SecretError, SettingsError
from service.notifications.signing import check_secret, headers, new_secret
from service.notifications.webhook import post
from service.secret_box import SecretBox, open_secret_box
from tests.service.clocks import NOON
from tests.service.receiver import receiving

KEY = "k" * 32

# Ways to write or to resolve to what is not public.
ATTACKS = [
    "127.0.0.1", "127.1", "0x7f000001", "2130706433", "localhost",
    "0.0.0.0", "[::]", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
    "169.254.169.254", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "100.100.100.200",
    "192.0.0.192", "168.63.129.16", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "100.64.0.1", "198.18.0.1", "192.0.2.1", "203.0.113.9", "224.0.0.1", "255.255.255.255",
    "240.0.0.1", "[fe80::1]", "[fc00::1]", "[fd12:3456::1]", "[ff02::1]", "[fec0::1]",
    "[64:ff9b::7f00:1]", "[64:ff9b::a00:1]", "[64:ff9b:1::1]", "[2002:7f00:1::]",
    "[2002:a00:1::]", "[2001:0:1::1]", "[2001:db8::1]", "[100::1]",
]  # fmt: skip


@pytest.mark.parametrize("host", ATTACKS)
def test_what_is_not_public_is_refused_before_a_connection(host: str) -> None:
    with open_client(Egress()) as client, pytest.raises(EgressError, match="not a public address"):
        client.post(f"http://{host}:9/", content=b"x")


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_pass(address: str) -> None:
    Egress(resolve=lambda host, port: [address]).addresses("example.com", 443)


def test_one_private_address_among_public_ones_refuses_the_host() -> None:
    mixed = Egress(resolve=lambda host, port: ["8.8.8.8", "10.0.0.7"])
    with pytest.raises(EgressError, match=r"rebind.example \(10\.0\.0\.7\)"):
        mixed.addresses("rebind.example", 443)


def test_an_operator_allows_networks_and_nothing_beside_them() -> None:
    egress = Egress(allow=(ip_network("10.20.0.0/16"), ip_network("fd00::/8")))
    for allowed in ("10.20.3.4", "::ffff:10.20.3.4", "fd00::1"):
        egress.addresses(allowed, 80)
    for refused in ("10.21.0.1", "127.0.0.1", "::1", "fc00::1", "169.254.169.254"):
        with pytest.raises(EgressError):
            egress.addresses(refused, 80)


def test_loopback_is_reached_only_from_a_loopback_service() -> None:
    for host in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "localhost"):
        Egress(loopback=True).addresses(host, 80)
    for host in ("10.0.0.1", "169.254.169.254", "0.0.0.0"):
        with pytest.raises(EgressError):
            Egress(loopback=True).addresses(host, 80)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/", "file:///etc/passwd", "https://", "https:///path", "example.com/x",
        "https://user:s3cret@example.com/", "https://s3cret@example.com/", "http://a:0/",
        "http://a:99999/", "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://a b/", "http://0177.0.0.1/",
        "http://a\\@b/", "http://a/\r\nHost: b", "http://[::1", "javascript:alert(1)",
    ],
)  # fmt: skip
def test_urls_that_no_channel_may_have(url: str) -> None:
    with pytest.raises(EgressError) as caught:
        check_url(url)
    assert "s3cret" not in str(caught.value)


def test_a_name_is_resolved_once_and_its_checked_address_is_used() -> None:
    asked: list[str] = []

    def rebind(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    with receiving() as receiver, open_client(Egress(loopback=True, resolve=rebind)) as client:
        port = httpx2.URL(receiver.url).port
        answer = client.post(f"http://hooks.example:{port}/x", content=b"hi")
    assert (answer.status_code, asked) == (204, ["hooks.example"])
    assert receiver.got[0].headers["host"] == f"hooks.example:{port}"


def test_the_certificate_must_be_the_names_not_the_addresss() -> None:
    """The server sees the name in the handshake, although the connection goes to an address."""
    seen: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda sock, name, ctx: seen.append(name)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def shake() -> None:
            connection, _ = server.accept()
            with connection, pytest.raises((ssl.SSLError, OSError)):
                context.wrap_socket(connection, server_side=True)

        import threading

        thread = threading.Thread(target=shake)
        thread.start()
        egress = Egress(loopback=True, resolve=lambda host, port: ["127.0.0.1"])
        with open_client(egress) as client, pytest.raises(httpx2.ConnectError):
            client.post(f"https://hooks.example:{port}/x", content=b"hi")
        thread.join()
    assert seen == ["hooks.example"]


def test_no_redirect_is_followed_and_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with receiving() as receiver, open_client(Egress(loopback=True)) as client:
        receiver.answers = [(302, {"location": receiver.url})]
        answer = post(client, receiver.url, [new_secret()], "msg_1", "{}", NOON)
    assert (answer.verdict, answer.status, len(receiver.got)) == ("retry", 302, 1)


def test_the_second_address_is_tried_when_the_first_does_not_answer() -> None:
    both = Egress(loopback=True, resolve=lambda host, port: ["::1", "127.0.0.1"])
    with receiving() as receiver, open_client(both) as client:
        port = httpx2.URL(receiver.url).port
        assert client.post(f"http://two.example:{port}/", content=b"").status_code == 204


def test_signatures_are_those_of_the_standard() -> None:
    import time

    secrets = [new_secret(), new_secret()]
    body = '{"type": "lupus.anomaly.v1", "text": "Zürich ≥ 3"}'.encode()
    signed = headers(secrets, "msg_1", int(time.time()), body)
    for secret in secrets:
        Webhook(secret).verify(body, dict(signed))
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(new_secret()).verify(body, dict(signed))
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(secrets[0]).verify(body + b" ", dict(signed))


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "c" * 40, "whsec_" + "?" * 40])
def test_a_weak_secret_is_refused_without_repeating_it(secret: str) -> None:
    with pytest.raises(RequestError) as caught:
        check_secret(secret)
    assert caught.value.pointer == "/secret"
    assert not secret or secret == "whsec_" or secret not in str(caught.value)


def test_secrets_open_only_with_their_key() -> None:
    stored = SecretBox(KEY).lock("whsec_x")
    assert "whsec" not in stored
    assert SecretBox(KEY).open(stored) == "whsec_x"
    with pytest.raises(SecretError, match="LUPUS_SECRET_KEY"):
        SecretBox("another" * 8).open(stored)
    assert KEY not in repr(SecretBox(KEY))


def test_the_key_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "data" / "secret.key"
    stored = open_secret_box(None, file).lock("x")
    assert file.stat().st_mode & 0o777 == 0o600
    assert open_secret_box(None, file).open(stored) == "x"
    assert [path.name for path in file.parent.iterdir()] == ["secret.key"]
    file.write_text("")
    with pytest.raises(SettingsError, match="holds no key"):
        open_secret_box(None, file)

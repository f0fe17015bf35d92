"""Under TLS nobody but the right server hears a password."""

import datetime
import ssl
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from storage.errors import InvalidError, RefusedError
from storage.hive.connection import HiveConnection
from storage.hive.options import HiveOptions, Transport
from storage.secret import Secret
from tests.storage.hive.proxy import Proxy
from tests.storage.hive.servers import real_options


def certificate(folder: Path, host: x509.GeneralName) -> Path:
    """A file with a key and the certificate of one host, its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lupus test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([host]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{x509.random_serial_number()}.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


def context(file: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(file)
    return made


HERE = x509.IPAddress(ip_address("127.0.0.1"))
ELSEWHERE = x509.DNSName("elsewhere.example")


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    return certificate(tmp_path, HERE)


def to(proxy: Proxy, transport: Transport, ca_bundle: Path) -> HiveConnection:
    options = HiveOptions(
        "127.0.0.1",
        proxy.port,
        transport=transport,
        auth="LDAP",
        password=Secret("pw9"),
        ca_bundle=ca_bundle,
        tables=("*.*",),
        deadline_seconds=30,
    )
    return HiveConnection("warehouse", options)


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[tuple[Proxy, Path]]:
    """A server whose certificate is that of another host."""
    file = certificate(tmp_path, ELSEWHERE)
    with Proxy("127.0.0.1", 9, context(file)) as proxy:
        yield proxy, file


@pytest.mark.parametrize("transport", ["tls", "https"])
def test_a_certificate_that_nobody_vouches_for_is_refused(
    transport: Transport, listening: tuple[Proxy, Path], trusted: Path
) -> None:
    proxy, _file = listening
    with pytest.raises(RefusedError, match="certificate is not accepted"):
        to(proxy, transport, trusted).table("select 1")
    assert not proxy.seen


@pytest.mark.parametrize("transport", ["tls", "https"])
def test_a_certificate_of_another_host_is_refused(
    transport: Transport, listening: tuple[Proxy, Path]
) -> None:
    proxy, file = listening
    with pytest.raises(RefusedError, match=r"certificate is not accepted: .*127\.0\.0\.1"):
        to(proxy, transport, file).table("select 1")
    assert not proxy.seen


def test_a_bundle_without_certificates_is_said(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for bundle in (empty, tmp_path / "absent.pem"):
        with Proxy("127.0.0.1", 9) as proxy, pytest.raises(InvalidError, match="ca_bundle"):
            to(proxy, "tls", bundle).table("select 1")


@pytest.mark.real
def test_rows_come_through_a_verified_connection(trusted: Path) -> None:
    target = real_options("hive")
    with Proxy(target.host, target.port, context(trusted)) as proxy:
        options = replace(
            target, host="127.0.0.1", port=proxy.port, transport="tls", ca_bundle=trusted
        )
        connection = HiveConnection("warehouse", options)
        try:
            assert connection.table("select 1 as one").to_pydict() == {"one": [1]}
            assert connection.table("select 2 as two").to_pydict() == {"two": [2]}
        finally:
            connection.close()

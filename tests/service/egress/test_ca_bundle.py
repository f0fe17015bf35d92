"""LUPUS_CA_BUNDLE holds for every client: each believes the authorities of the file and no other.

PostgreSQL and Hive have tests of their own, beside their servers.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import obstore
import pytest

from service.cli.client import open_client as open_command
from service.cli.exits import EndedError
from service.doctor.examination import examine
from service.egress.egress import Egress
from service.egress.transport import open_client
from service.settings import load_settings
from storage.elasticsearch.address import address_of
from storage.elasticsearch.client import Session
from storage.s3.store import open_store
from storage.secret import Secret
from storage.settings import ElasticsearchSettings, S3Settings
from tests.service.egress.authority import Authority
from tests.service.egress.raw_server import saying, speaking

DONE = b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
Ask = Callable[[str, Path, pytest.MonkeyPatch], object]


def _channel(url: str, bundle: Path, patch: pytest.MonkeyPatch) -> object:
    with open_client(Egress(loopback=True), bundle) as client:
        return client.post(url)


def _elasticsearch(url: str, bundle: Path, patch: pytest.MonkeyPatch) -> object:
    session = Session(address_of(url), ElasticsearchSettings(ca_bundle=bundle))
    return session.ask(lambda client: client.info())


def _s3(url: str, bundle: Path, patch: pytest.MonkeyPatch) -> object:
    settings = S3Settings(
        endpoint=url, access_key_id="key", secret_access_key=Secret("secret"), ca_bundle=bundle
    )
    return obstore.head(open_store("s3://bucket", settings), "name")


def _command(url: str, bundle: Path, patch: pytest.MonkeyPatch) -> object:
    patch.setenv("LUPUS_CA_BUNDLE", str(bundle))
    with open_command(url) as client:
        return client.call("GET", "/v1/me")


def _doctor(url: str, bundle: Path, patch: pytest.MonkeyPatch) -> object:
    return examine(load_settings(public_url=url, ca_bundle=bundle), ["network"])


@pytest.mark.parametrize("ask", [_channel, _elasticsearch, _s3, _command, _doctor])
def test_each_client_believes_every_authority_of_the_bundle_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Ask
) -> None:
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    both = tmp_path / "both.pem"
    both.write_bytes(old.bundle.read_bytes() + new.bundle.read_bytes())
    with speaking(saying(DONE), new.server("127.0.0.1")) as server:
        url = f"https://127.0.0.1:{server.port}"
        with suppress(Exception):  # each has errors of its own; what the server heard decides
            ask(url, old.bundle, monkeypatch)
        assert server.heard == []
        with suppress(Exception):
            ask(url, both, monkeypatch)
        assert server.heard


def test_the_command_says_when_its_bundle_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content, told in ((None, "No such file"), ("none", "holds no certificate")):
        if content:
            (tmp_path / "ca.pem").write_text(content)
        monkeypatch.setenv("LUPUS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        refused = pytest.raises(EndedError, match=f"LUPUS_CA_BUNDLE: .*({told})")
        with refused, open_command("https://127.0.0.1:9"):
            pass

"""How answers are understood, with a server that answers whatever a test wants."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from storage.elasticsearch import anomalies, bulk, client
from storage.elasticsearch.address import Address, address_of
from storage.elasticsearch.check import check
from storage.elasticsearch.errors import StartingError, cause_of, of_answer
from storage.elasticsearch.index import ElasticsearchIndex
from storage.elasticsearch.names import Names
from storage.errors import (
    BusyError,
    CorruptError,
    FullError,
    InvalidError,
    NotFoundError,
    RefusedError,
    StorageError,
    UnreachableError,
)
from storage.settings import ElasticsearchSettings, StorageSettings
from tests.storage.documents import anomaly, new

Answer = tuple[int, object]


@dataclass
class Pretender:
    """Says what a test tells it; keeps what it was asked."""

    answer: Callable[[str, str], Answer] = lambda method, path: (200, {})
    product: bool = True
    url: str = ""
    asked: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, Accept


@pytest.fixture
def server() -> Iterator[Pretender]:
    pretender = Pretender()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            pretender.asked.append((self.command, self.path, self.headers.get("Accept", "")))
            status, content = pretender.answer(self.command, self.path)
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            if pretender.product:
                self.send_header("X-Elastic-Product", "Elasticsearch")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _do  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    pretender.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield pretender
    http.shutdown()
    thread.join(10)
    http.server_close()


def _ready(method: str, path: str) -> Answer:
    """As an empty server answers to templates."""
    return (404, {}) if method == "GET" and "_index_template" in path else (200, {})


def opened(server: Pretender, query: str = "") -> ElasticsearchIndex:
    return ElasticsearchIndex(server.url + query, ElasticsearchSettings())


def test_a_server_that_is_not_elasticsearch_is_refused_plainly(server: Pretender) -> None:
    server.product = False
    with pytest.raises(InvalidError, match="OpenSearch"):
        opened(server)


@pytest.mark.parametrize(("query", "version"), [("", "9"), ("?compat=8", "8")])
def test_headers_name_the_version_that_the_url_asks_for(
    server: Pretender, query: str, version: str
) -> None:
    server.answer = _ready
    opened(server, query).close()
    assert server.asked
    assert {accept for _, _, accept in server.asked} == {
        f"application/vnd.elasticsearch+json; compatible-with={version}"
    }


def test_an_answer_that_is_cut_off_is_corrupt(server: Pretender) -> None:
    server.answer = _ready
    index = opened(server)
    server.answer = lambda method, path: (200, b'{"hits": {"hi')
    with pytest.raises(CorruptError, match="not JSON"):
        index.counts()
    server.answer = lambda method, path: (200, {"something": "else"})
    with pytest.raises(CorruptError, match="without hits"):
        index.counts()
    with pytest.raises(CorruptError, match="bulk"):
        index.write_anomalies([new(anomaly())])


def test_a_busy_bulk_is_asked_again_and_then_told(
    server: Pretender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "_FIRST_WAIT_SECONDS", 0.001)
    server.answer = _ready
    index = opened(server)
    busy = {"status": 429, "error": {"type": "es_rejected_execution_exception", "reason": "full"}}
    answers = [busy, busy, {"status": 201}]
    server.answer = lambda method, path: (200, {"items": [{"create": answers.pop(0)}]})
    assert index.write_anomalies([new(anomaly())]).written == 1
    assert not answers
    server.answer = lambda method, path: (200, {"items": [{"create": busy}]})
    server.asked.clear()
    with pytest.raises(BusyError, match="es_rejected"):
        index.write_anomalies([new(anomaly())])
    assert len(server.asked) == 6


def test_an_index_that_was_just_made_is_waited_for(
    server: Pretender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "STARTING_SECONDS", (0.001, 0.001))
    server.answer = _ready
    index = opened(server)
    cause = {"type": "illegal_index_shard_state_exception", "reason": "CurrentState[RECOVERING]"}
    starting = (500, {"error": {"type": "search_phase_execution_exception", "root_cause": [cause]}})
    found = (200, {"hits": {"total": {"value": 0}, "hits": []}})
    answers: list[Answer] = [starting, starting, found]
    server.answer = lambda method, path: answers.pop(0) if answers else found
    index.counts()
    assert not answers
    server.answer = lambda method, path: starting
    with pytest.raises(UnreachableError, match="RECOVERING"):
        index.counts()


def test_a_document_whose_shard_starts_is_waited_for(
    server: Pretender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "STARTING_SECONDS", (0.001, 0.001))
    server.answer = _ready
    index = opened(server)
    cause = {"type": "no_shard_available_action_exception", "reason": "No shard available"}
    starting = {"docs": [{"_index": "i", "_id": "1", "error": cause}]}
    hit = {"_index": "i", "_id": "1", "sort": ["1"]}
    answers = [starting, starting, {"docs": [{"_index": "i", "_id": "1", "found": False}]}]

    def answer(_method: str, path: str) -> Answer:
        return (200, answers.pop(0) if "_mget" in path else {"hits": {"hits": [hit]}})

    server.answer = answer
    assert index.anomaly("1") is None
    assert not answers


def test_a_part_of_the_shards_is_never_taken_for_the_whole(server: Pretender) -> None:
    server.answer = _ready
    index = opened(server)
    server.answer = lambda method, path: (200, {"hits": {"total": {"value": 3}, "hits": []}})
    server.asked.clear()
    index.counts()
    assert all("allow_partial_search_results=false" in path for _, path, _ in server.asked)


def test_what_the_last_turn_finds_done_is_no_failure(
    server: Pretender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anomalies, "_TURNS", 1)
    server.answer = _ready
    index = opened(server)
    mine = {"found": True, "_seq_no": 1, "_primary_term": 1, "_source": {"generation": 1}}

    def answer(_method: str, path: str) -> Answer:
        conflict = {"items": [{"create": {"status": 409}}]}
        return 200, {"docs": [mine]} if "_mget" in path else conflict

    server.answer = answer
    assert index.write_anomalies([new(anomaly(generation=1))]).written == 1


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("unavailable_shards_exception", UnreachableError),
        ("circuit_breaking_exception", UnreachableError),
        ("security_exception", RefusedError),
    ],
)
def test_a_document_that_cannot_be_read_now_is_not_corrupt(
    server: Pretender, kind: str, error: type[StorageError]
) -> None:
    server.answer = _ready
    index = opened(server)
    refused = {"_index": "i", "_id": "1", "error": {"type": kind, "reason": "why"}}
    hit = {"_index": "i", "_id": "1", "sort": ["1"]}

    def answer(_method: str, path: str) -> Answer:
        return (200, {"docs": [refused]} if "_mget" in path else {"hits": {"hits": [hit]}})

    server.answer = answer
    with pytest.raises(StorageError, match="why") as caught:
        index.anomaly("1")
    assert type(caught.value) is error


ANSWERS: list[tuple[int, str, type[StorageError]]] = [
    (400, "mapper_parsing_exception", InvalidError),
    (401, "security_exception", RefusedError),
    (403, "security_exception", RefusedError),
    (403, "cluster_block_exception", FullError),
    (404, "index_not_found_exception", NotFoundError),
    (409, "version_conflict_engine_exception", BusyError),
    (429, "circuit_breaking_exception", BusyError),
    (429, "cluster_block_exception", FullError),
    (500, "node_closed_exception", UnreachableError),
    (503, "unavailable_shards_exception", UnreachableError),
    (503, "no_shard_available_action_exception", StartingError),
    (500, "illegal_index_shard_state_exception", StartingError),
]


@pytest.mark.parametrize(("status", "kind", "error"), ANSWERS)
def test_what_answers_mean(status: int, kind: str, error: type[StorageError]) -> None:
    body = {"error": {"root_cause": [{"type": kind, "reason": "why"}], "type": "outer"}}
    found = of_answer("http://es:9200", status, body)
    assert type(found) is error
    assert f"{kind}: why" in str(found)


def test_causes_are_read_whatever_the_body_is() -> None:
    assert cause_of("Bad Gateway") == "Bad Gateway"
    assert cause_of(None) == ""
    full = {"error": {"type": "validation_exception", "reason": "this action would add [2] shards, "
            "but this cluster currently has [1000]/[1000] maximum normal shards open"}}  # fmt: skip
    assert isinstance(of_answer("x", 400, full), FullError)


def test_what_urls_say() -> None:
    assert address_of("https://es:9200/") == Address("https://es:9200")
    assert address_of("HTTPS://es/a?compat=8") == Address("https://es:443/a", 8)
    assert address_of("http://[::1]:9200") == Address("http://[::1]:9200")


@pytest.mark.parametrize("url", [
    "https://kim:secret@es:9200", "https://:9200", "ftp://es:9200", "https://es:9200?compat=7",
    "https://es:9200?secret=x", "https://es:port",
])  # fmt: skip
def test_urls_that_are_refused_show_no_secret(url: str) -> None:
    with pytest.raises(InvalidError) as caught:
        address_of(url)
    assert "secret=" not in str(caught.value)
    assert "kim" not in str(caught.value)


@pytest.mark.parametrize("prefix", ["", "A", "a*", "-a", "a,b", "a.b", "x" * 101])
def test_prefixes_that_could_name_other_indices_are_refused(prefix: str) -> None:
    with pytest.raises(InvalidError, match="prefix"):
        Names(prefix)


def test_a_month_is_found_again_from_its_name() -> None:
    names = Names("lupus")
    for ts_ms, month in ((-62_135_596_800_000, "0001-01"), (0, "1970-01"), (-1, "1969-12")):
        assert names.month("points", names.index("points", ts_ms)) == month
    assert names.month("points", "lupus-points-v1-x") is None
    assert names.month("points", names.index("anomalies", 0)) is None
    with pytest.raises(InvalidError, match="years"):
        names.index("points", 10**17)


def test_a_check_says_what_is_wrong_and_never_raises(server: Pretender) -> None:
    def settings(prefix: str = "lupus") -> StorageSettings:
        return StorageSettings("", "", "", elasticsearch=ElasticsearchSettings(prefix=prefix))

    def states(url: str, prefix: str = "lupus") -> list[tuple[str, str]]:
        return [(found.check, found.state) for found in check("index", url, settings(prefix))]

    assert states(server.url, "A") == [("settings", "failed")]
    assert states("http://127.0.0.1:9") == [("reach", "failed")]
    server.answer = lambda method, path: (401, {"error": {"type": "security_exception"}})
    assert states(server.url) == [("credentials", "failed")]
    server.answer = lambda method, path: (
        200,
        {"status": "red", "version": {"number": "8.2.0"}, "index_templates": []},
    )
    assert states(server.url)[:2] == [("reach", "failed"), ("version", "failed")]

"""What the index on Elasticsearch does besides the contract; on a real server."""

import base64
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from elasticsearch import BadRequestError

from storage.elasticsearch.bulk import Action, send
from storage.elasticsearch.client import Session
from storage.elasticsearch.index import ElasticsearchIndex
from storage.elasticsearch.templates import template
from storage.errors import FullError, InvalidError, RefusedError, UnreachableError
from storage.index import AnomalyQuery, AnomalyWrite, WriteOutcome
from storage.secret import Secret
from storage.settings import ElasticsearchSettings
from tests.storage.documents import DAY_MS, anomaly, band, day, entry, new
from tests.storage.elasticsearch.server import SECURED, Place, own_place

pytestmark = pytest.mark.real
SPAWN = multiprocessing.get_context("spawn")
JANUARY_MS = 1_767_225_600_000  # 2026-01-01


@pytest.fixture(scope="module")
def shared() -> Iterator[Place]:
    with own_place() as place:
        yield place


@pytest.fixture
def place() -> Iterator[Place]:
    with own_place() as place:
        yield place


@pytest.fixture
def index(place: Place) -> Iterator[ElasticsearchIndex]:
    opened = place.open()
    yield opened
    opened.close()


def test_documents_live_in_months_of_event_time_behind_aliases(
    place: Place, index: ElasticsearchIndex
) -> None:
    index.write_anomalies(new(anomaly(ts)) for ts in (JANUARY_MS - 1, JANUARY_MS, -1))
    index.put_points([day(0)])
    index.put_bands([band()])
    index.put_series([entry()])
    prefix = place.settings.prefix
    assert place.indices() == [
        f"{prefix}-anomalies-v1-1969.12",
        f"{prefix}-anomalies-v1-2025.12",
        f"{prefix}-anomalies-v1-2026.01",
        f"{prefix}-bands-v1-1970.01",
        f"{prefix}-points-v1-2026.01",
        f"{prefix}-series-v1",
    ]
    with place.client() as client:
        behind = client.indices.get_alias(name=f"{prefix}-anomalies").body
        assert sorted(behind) == place.indices()[:3]
        mapping = client.indices.get_mapping(index=place.indices()[0]).body
        (content,) = (each["mappings"] for each in mapping.values())
        assert content["dynamic"] == "strict"
        with pytest.raises(BadRequestError, match="strict_dynamic_mapping_exception"):
            client.index(index=place.indices()[0], document={"unknown": 1})
    index.refresh()
    assert [each.ts_ms for each in index.search_anomalies(AnomalyQuery(), 9).items] == [
        JANUARY_MS, JANUARY_MS - 1, -1,
    ]  # fmt: skip


def test_two_prefixes_on_one_server_see_nothing_of_each_other(
    place: Place, index: ElasticsearchIndex
) -> None:
    longer = replace(place.settings, prefix=f"{place.settings.prefix}-b")
    other = ElasticsearchIndex(place.url, longer)
    index.write_anomalies([new(anomaly())])
    other.write_anomalies([new(anomaly(5)), new(anomaly(6))])
    index.refresh()
    other.refresh()
    assert (index.counts()["anomalies"], other.counts()["anomalies"]) == (1, 2)
    other.purge("s")
    other.close()
    assert index.counts()["anomalies"] == 1
    with place.client() as client:
        for kind in ("anomalies", "points", "bands", "series"):
            client.indices.delete_index_template(name=f"{longer.prefix}-{kind}-v1")


def test_templates_are_written_only_when_they_differ(place: Place) -> None:
    def version() -> int:
        with place.client() as client:
            return int(client.cluster.state(metric="version")["version"])

    place.open().close()
    before = version()
    place.open().close()
    # Other tests change the cluster too: what matters is that the template stayed as it was.
    assert version() >= before
    changed = replace(place, settings=replace(place.settings, replicas=1))
    changed.open().close()
    with place.client() as client:
        name = place.names.stem("points")
        found = client.indices.get_index_template(name=name)["index_templates"][0]
    assert found["index_template"]["template"]["settings"]["index"]["number_of_replicas"] == "1"


def test_a_change_that_an_earlier_version_wrote_is_read_and_replaced(place: Place) -> None:
    """It was an object, which an update would merge with the new one."""
    said = {"kind": "level", "size": 1.5, "confidence": 0.99, "earliest_ms": 1, "latest_ms": 9}
    other = {"kind": "slope", "size": 2.0}
    document = anomaly(JANUARY_MS, change=said)
    opened = place.open()
    opened.write_anomalies([new(document)])
    with place.client() as client:
        month = place.names.index("anomalies", JANUARY_MS)
        client.update(index=month, id=document.id, doc={"change": said}, refresh=True)
    (known,) = opened.known_anomalies("s", "r", [document.series], 0, 10**15)
    assert known.anomaly == document
    later = replace(document, generation=2, change=other)
    opened.write_anomalies([AnomalyWrite(later, known.version)])
    opened.refresh()
    assert opened.anomaly(document.id) == later
    opened.close()


def test_months_of_an_earlier_version_take_the_fields_that_came_since(place: Place) -> None:
    place.open().close()
    said = {"kind": "level", "size": 1.5, "confidence": 0.99, "earliest_ms": 1, "latest_ms": 9}
    with place.client() as client:
        older = template(place.names, "anomalies", place.settings)
        older["template"]["mappings"]["properties"] = {
            name: each
            for name, each in older["template"]["mappings"]["properties"].items()
            if name != "change"
        }
        client.indices.put_index_template(
            name=place.names.stem("anomalies"),
            **{("meta" if name == "_meta" else name): each for name, each in older.items()
               if name != "_meta"},
            meta={"content": "of an earlier version"},
        )  # fmt: skip
        client.indices.create(index=place.names.index("anomalies", JANUARY_MS))
    opened = place.open()
    opened.write_anomalies([new(anomaly(JANUARY_MS, change=said))])
    opened.refresh()
    assert [each.change for each in opened.search_anomalies(AnomalyQuery(), 9).items] == [said]
    opened.close()


def test_eight_threads_make_one_month_at_once(place: Place, index: ElasticsearchIndex) -> None:
    barrier = threading.Barrier(8)

    def write(number: int) -> WriteOutcome:
        barrier.wait(60)
        return index.write_anomalies(new(anomaly(n, metric=f"m{number}")) for n in range(50))

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(write, range(8)))
    assert outcomes == [WriteOutcome(50, 0)] * 8
    index.refresh()
    assert index.counts()["anomalies"] == 400


def test_a_server_that_makes_no_indices_by_itself_is_asked_to(
    place: Place, index: ElasticsearchIndex
) -> None:
    """Operators set action.auto_create_index; here the months that a request names are refused."""
    with place.client() as client:
        refused = f"-{place.settings.prefix}-*,+*"
        client.cluster.put_settings(persistent={"action.auto_create_index": refused})
        try:
            index.write_anomalies([new(anomaly())])
            index.put_points([day()])
            index.put_series([entry()])
        finally:
            client.cluster.put_settings(persistent={"action.auto_create_index": None})
    index.refresh()
    assert index.counts() == {"anomalies": 1, "points": 1, "bands": 0, "series": 1}


def test_a_stale_run_cannot_undo_a_newer_one(index: ElasticsearchIndex) -> None:
    """Both read the same versions; whoever writes first, the newer run's word stays."""
    count = 200
    index.write_anomalies(new(anomaly(n, generation=1)) for n in range(count))
    index.refresh()
    known = list(index.known_anomalies("s", "r", [anomaly().series], 0, count))
    barrier = threading.Barrier(2)

    def write(generation: int) -> WriteOutcome:
        barrier.wait(60)
        status = "withdrawn" if generation == 3 else "found"
        return index.write_anomalies(
            AnomalyWrite(anomaly(each.anomaly.ts_ms, generation, status=status), each.version)
            for each in known
        )

    with ThreadPoolExecutor(2) as pool:
        older, newer = pool.map(write, (2, 3))
    assert newer == WriteOutcome(count, 0)
    assert older.written + older.superseded == count
    index.refresh()
    page = index.search_anomalies(AnomalyQuery(), count)
    assert {(each.generation, each.status) for each in page.items} == {(3, "withdrawn")}


def test_a_verdict_survives_runs_that_write_at_the_same_time(index: ElasticsearchIndex) -> None:
    index.write_anomalies(new(anomaly(n)) for n in range(50))
    index.refresh()
    stop = threading.Event()

    def run() -> int:
        generation = 1
        while not stop.is_set() or generation < 3:
            generation += 1
            index.write_anomalies(new(anomaly(n, generation)) for n in range(50))
        return generation

    with ThreadPoolExecutor(1) as pool:
        last = pool.submit(run)
        try:
            for n in range(20):
                assert index.set_verdict(anomaly(n).id, "expected", f"c{n}", "kim", n) is not None
        finally:
            stop.set()
        generation = last.result()
    index.refresh()
    found = {each.ts_ms: each for each in index.search_anomalies(AnomalyQuery(), 100).items}
    assert {each.generation for each in found.values()} == {generation}
    assert [(found[n].verdict, found[n].comment) for n in range(20)] == [
        ("expected", f"c{n}") for n in range(20)
    ]
    assert {found[n].verdict for n in range(20, 50)} == {"none"}


def _write_without_end(place: Place, sent: Connection) -> None:
    index = place.open()
    index.write_anomalies(_telling(sent))


def _telling(sent: Connection) -> Iterator[AnomalyWrite]:
    for n in range(20_000):
        if n % 1_000 == 0:
            sent.send(n)
        yield new(anomaly(n))


def test_killed_in_mid_bulk_the_same_writes_again_are_exact(
    place: Place, index: ElasticsearchIndex
) -> None:
    mine, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=_write_without_end, args=(place, theirs))
    process.start()
    while mine.poll(120) and mine.recv() < 3_000:
        pass
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    index.refresh()
    assert 0 < index.counts()["anomalies"] < 20_000
    assert index.write_anomalies(new(anomaly(n)) for n in range(20_000)) == WriteOutcome(20_000, 0)
    index.refresh()
    assert index.counts()["anomalies"] == 20_000
    # More than one answer of the server may hold, as one page and as several.
    whole = index.search_anomalies(AnomalyQuery(), 20_001)
    assert [each.ts_ms for each in whole.items] == list(range(19_999, -1, -1))
    assert whole.cursor is None
    seen, cursor = 0, None
    while True:
        page = index.search_anomalies(AnomalyQuery(), 7_000, cursor)
        seen, cursor = seen + len(page.items), page.cursor
        if cursor is None:
            break
    assert seen == 20_000
    assert len(list(index.known_anomalies("s", "r", [anomaly().series], 0, 20_000))) == 20_000
    index.purge("s")
    assert index.counts()["anomalies"] == 0


def test_a_catalog_of_many_series_and_metrics_is_counted_exactly(
    index: ElasticsearchIndex,
) -> None:
    index.put_series(
        entry(f"m{n % 1_500:04d}", labels={"n": str(n)}, first_ms=n, last_ms=n + 1, step_ms=60)
        for n in range(10_500)
    )
    index.refresh()
    found = index.metrics("s")
    assert len(found) == 1_500
    assert {each.series for each in found.values()} == {7}
    assert (found["m0007"].first_ms, found["m0007"].last_ms) == (7, 9_008)


def test_a_server_that_takes_no_writes_is_full(place: Place, index: ElasticsearchIndex) -> None:
    index.write_anomalies([new(anomaly())])
    (name,) = place.indices()
    with place.client() as client:
        for block in ("read_only_allow_delete", "read_only"):
            client.indices.put_settings(index=name, settings={f"index.blocks.{block}": True})
            with pytest.raises(FullError, match="blocked"):
                index.write_anomalies([new(anomaly(1))])
            client.indices.put_settings(index=name, settings={f"index.blocks.{block}": None})
    assert index.write_anomalies([new(anomaly(1))]) == WriteOutcome(1, 0)


def test_a_removed_day_may_come_back_at_once(index: ElasticsearchIndex) -> None:
    """Elasticsearch remembers the version of what was deleted for a minute."""
    index.put_points([day(sequence=2**62)])
    index.purge("s")
    index.put_points([day(sequence=2**62, values=(7.0,))])
    index.refresh()
    (found,) = index.points("s", ["q"], 0, 10**13)
    assert found.values == [7.0]


def test_expired_months_are_named_and_removed(place: Place, index: ElasticsearchIndex) -> None:
    index.write_anomalies([new(anomaly(JANUARY_MS - 1)), new(anomaly(JANUARY_MS))])
    index.refresh()
    before = place.indices()
    assert len(index.expire(JANUARY_MS + 40 * DAY_MS, dry_run=True)) == 2
    assert place.indices() == before
    index.expire(JANUARY_MS)
    assert place.indices() == before[1:]


# Who asks


@pytest.fixture(scope="module")
def secured() -> Iterator[Place]:
    with own_place(SECURED) as place:
        yield place


def test_wrong_and_missing_credentials_are_refused(secured: Place) -> None:
    for settings in (
        replace(secured.admin, password=Secret("wrong")),
        ElasticsearchSettings(prefix="x", api_key=Secret("bm9wZTpub3Bl")),
        ElasticsearchSettings(prefix="x"),
    ):
        with pytest.raises(RefusedError) as caught:
            ElasticsearchIndex(secured.url, settings)
        assert "wrong" not in str(caught.value).replace("wrong credentials", "")
        assert "bm9wZTpub3Bl" not in str(caught.value)


def test_too_few_rights_are_told_with_those_that_are_needed(secured: Place) -> None:
    few = secured.with_key(cluster=["monitor"], indices=[])
    with pytest.raises(RefusedError, match=r"manage_index_templates and, on .*maintenance"):
        few.open()
    prefix = secured.settings.prefix
    reader = secured.with_key(
        cluster=["monitor", "manage_index_templates"],
        indices=[{"names": [f"{prefix}-*"], "privileges": ["create_index", "write"]}],
    ).open()
    reader.write_anomalies([new(anomaly())])
    with pytest.raises(RefusedError, match="security_exception"):
        list(reader.known_anomalies("s", "r", [anomaly().series], 0, 1))
    reader.close()
    usual = secured.with_key().open()
    with pytest.raises(RefusedError, match="delete_index"):
        usual.expire(10 * DAY_MS * 365)
    usual.close()


def test_a_rotated_key_is_read_again(secured: Place, tmp_path: Path) -> None:
    file = tmp_path / "key"
    first, second = secured.with_key(), secured.with_key()
    file.write_text(first.settings.api_key.value)
    settings = replace(first.settings, api_key=Secret(file=file))
    index = ElasticsearchIndex(secured.url, settings)
    with secured.client() as client:
        key = _key_id(first.settings.api_key.value)
        client.security.invalidate_api_key(ids=[key])
    with pytest.raises(RefusedError):
        index.counts()
    file.write_text(second.settings.api_key.value)
    assert index.counts()["points"] == 0
    index.close()


def _key_id(encoded: str) -> str:
    return base64.b64decode(encoded).decode().partition(":")[0]


def test_a_user_with_a_password_may_ask(secured: Place) -> None:
    secured.open().close()


# Who answers


def test_a_server_that_is_away_is_asked_again_later(place: Place) -> None:
    index = ElasticsearchIndex("http://127.0.0.1:9", place.settings)
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:9"):
        index.counts()
    index.close()
    with pytest.raises(InvalidError, match="closed"):
        index.counts()


def test_headers_of_an_8_server_are_refused_or_taken_by_versions(place: Place) -> None:
    """A 9.x server takes both; the one below counts what it is asked with."""
    index = ElasticsearchIndex(f"{place.url}?compat=8", place.settings)
    index.write_anomalies([new(anomaly())])
    index.refresh()
    assert index.counts()["anomalies"] == 1
    index.close()


def test_a_field_that_bulk_refuses_is_told(place: Place, index: ElasticsearchIndex) -> None:
    session: Session = index._connection
    name = place.names.index("series")
    with pytest.raises(InvalidError, match="strict_dynamic_mapping_exception"):
        list(send(session, [Action("index", name, "x", {"unknown": 1})]))

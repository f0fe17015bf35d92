"""Accepting detections and ingests: ranges, defaults, idempotency, limits, cancel."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from detectors.errors import ParameterError
from service.accept import (
    Accepted,
    AskedDetection,
    Limits,
    accept_detection,
)
from service.accept_ingest import accept_ingest, new_payload
from service.cancel import cancel_run
from service.clock import DAY_MS, HOUR_MS
from service.database.audit import AuditFilter, list_changes
from service.database.channels import Channel, put_channel
from service.database.engine import Database
from service.database.idempotency import LIFE_MS, RequestKey, forget_old
from service.database.metrics import learn_metrics
from service.database.queue import Leaser, lease
from service.database.runs import Run, RunFilter, get_run, list_runs, runs_ahead, update_run
from service.database.sources import delete_source
from service.errors import (
    ConflictError,
    KeyReusedError,
    LimitError,
    RequestError,
    UnknownError,
)
from service.ranges import AskedRange, resolve_range
from storage.folder import FolderObjects
from storage.index import MetricSummary
from storage.source import SourceSpec
from tests.service.clocks import NOON
from tests.service.databases import KINDS, add_source, opened
from workflows.codec import from_plain
from workflows.commits import Commit, create_commit
from workflows.request import RunRequest
from workflows.status import read_status

KEY = RequestKey("ann", "detections", "k1", "hash-1")
CANCELS = AuditFilter(action="run.cancel")


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with opened(request.param, tmp_path) as database:
        add_source(database)
        yield database


def asked(**changes: Any) -> AskedDetection:
    plain = AskedDetection(
        source=SourceSpec("shop"),
        metrics=("ndcg",),
        range=AskedRange(last="7d"),
        detector={"type": "threshold", "lower": 0.3},
        body={"rule": "daily"},
        rule="daily",
    )
    return replace(plain, **changes)


def accept(
    database: Database,
    now_ms: int = NOON,
    key: RequestKey | None = None,
    limits: Limits | None = None,
    **changes: Any,
) -> Accepted:
    return accept_detection(database, asked(**changes), "ann", now_ms, limits or Limits(), key)


def request_of(run: Run) -> RunRequest:
    return from_plain(RunRequest, run.request)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


RANGES: list[tuple[str, AskedRange, str, int | None, str, str, str]] = [
    # what it is; then asked, zone, step, accepted: start, end
    ("floored to a day without a step", AskedRange(last="7d"), "UTC", None,
     "2025-11-21T12:34:56+00:00", "2025-11-14T00:00:00+00:00", "2025-11-21T00:00:00+00:00"),
    ("local days", AskedRange(last="1d"), "Asia/Tokyo", DAY_MS,
     "2025-11-21T14:59:59+00:00", "2025-11-20T00:00:00+09:00", "2025-11-21T00:00:00+09:00"),
    ("the coarsest step decides", AskedRange(last="6h"), "UTC", HOUR_MS,
     "2025-11-21T12:34:56+00:00", "2025-11-21T06:00:00+00:00", "2025-11-21T12:00:00+00:00"),
    ("align wins over the step", AskedRange(last="1d", align="6h"), "UTC", HOUR_MS,
     "2025-11-21T13:00:00+00:00", "2025-11-20T12:00:00+00:00", "2025-11-21T12:00:00+00:00"),
    ("delay moves the end back", AskedRange(last="1d", delay="13h"), "UTC", DAY_MS,
     "2025-11-21T12:00:00+00:00", "2025-11-19T00:00:00+00:00", "2025-11-20T00:00:00+00:00"),
    ("weeks begin on Monday", AskedRange(last="7d", align="1w"), "UTC", None,
     "2025-11-21T12:00:00+00:00", "2025-11-10T00:00:00+00:00", "2025-11-17T00:00:00+00:00"),
    ("months begin on the 1st", AskedRange(last="31d"), "UTC", 30 * DAY_MS,
     "2025-11-21T12:00:00+00:00", "2025-10-01T00:00:00+00:00", "2025-11-01T00:00:00+00:00"),
    ("seven local days over a change to summer time", AskedRange(last="7d"), "Europe/Berlin", None,
     "2025-04-01T10:00:00+00:00", "2025-03-25T00:00:00+01:00", "2025-04-01T00:00:00+02:00"),
    ("the day of 25 hours", AskedRange(last="1d"), "Europe/Berlin", None,
     "2025-10-26T23:30:00+00:00", "2025-10-26T00:00:00+02:00", "2025-10-27T00:00:00+01:00"),
    ("an hour shown twice is two hours", AskedRange(last="1h", align="1h"), "Europe/Berlin", None,
     "2025-10-26T01:30:00+00:00", "2025-10-26T00:00:00+00:00", "2025-10-26T01:00:00+00:00"),
    ("midnight that does not exist", AskedRange(last="1d"), "Africa/Cairo", None,
     "2025-04-25T10:00:00+00:00", "2025-04-24T00:00:00+02:00", "2025-04-25T01:00:00+03:00"),
    ("bare local dates", AskedRange(start="2025-11-01", end="2025-11-08"), "Asia/Tokyo", None,
     "2025-11-21T12:00:00+00:00", "2025-11-01T00:00:00+09:00", "2025-11-08T00:00:00+09:00"),
    ("offsets", AskedRange(start="2025-11-01T03:00:00+09:00", end="2025-11-08T00:00:00Z"), "UTC",
     None, "2025-11-21T12:00:00+00:00", "2025-10-31T18:00:00+00:00", "2025-11-08T00:00:00+00:00"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("asked_range", "zone", "step", "accepted", "start", "end"),
    [row[1:] for row in RANGES],
    ids=[row[0] for row in RANGES],
)
def test_ranges_are_absolute_and_local(
    asked_range: AskedRange, zone: str, step: int | None, accepted: str, start: str, end: str
) -> None:
    assert resolve_range(asked_range, zone, step, ms(accepted)) == (ms(start), ms(end))


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        (AskedRange(), "/range"),
        (AskedRange(last="7d", start="2025-11-01"), "/range"),
        (AskedRange(start="2025-11-01", end="2025-11-08", delay="1h"), "/range"),
        (AskedRange(start="2025-11-01"), "/range"),
        (AskedRange(start="2025-11-01T00:00:00", end="2025-11-08"), "/range/start"),
        (AskedRange(start="2025-11-08", end="2025-11-08"), "/range"),
        (AskedRange(last="a week"), "/range/last"),
        (AskedRange(last="0d"), "/range/last"),
        (AskedRange(last="7d", align="0h"), "/range/align"),
        (AskedRange(last="7d", delay="-1h"), "/range/delay"),
        (AskedRange(start="9999-12-31T23:59:59-23:59", end="2025-11-08"), "/range/start"),
    ],
)
def test_a_wrong_range_names_its_field(wrong: AskedRange, pointer: str) -> None:
    with pytest.raises(RequestError) as caught:
        resolve_range(wrong, "UTC", None, NOON)
    assert caught.value.pointer == pointer


def test_an_accepted_run_waits_with_everything_fixed(database: Database) -> None:
    run = accept(database, labels={"region": ("jp",)}).run
    request = request_of(run)
    assert (run.state, run.generation, run.caller) == ("queued", NOON, "ann")
    assert (request.run, request.generation) == (run.id, run.generation)
    assert request.end_ms == NOON - NOON % DAY_MS
    assert request.labels == {"region": ("jp",)}
    with database.write() as tx:
        assert get_run(tx, run.id) == run
        job = lease(tx, Leaser("w", "p"), ("run",), NOON, 1000)
    assert job is not None
    assert job.payload == {"run": run.id}


def test_learned_steps_decide_and_declared_ones_win(database: Database) -> None:
    with database.write() as tx:
        learn_metrics(tx, "shop", {"ndcg": MetricSummary(1, HOUR_MS, 0, 1)}, NOON)
        learn_metrics(tx, "shop", {"recall@5": MetricSummary(1, DAY_MS, 0, 1)}, NOON)
    end = request_of(accept(database, NOON + 1).run).end_ms
    assert end == NOON, "ndcg comes hourly"
    end = request_of(accept(database, NOON + 1, metrics=("ndcg", "recall@*")).run).end_ms
    assert end == NOON - NOON % DAY_MS, "recall comes daily"
    declared = SourceSpec("shop", steps_ms={"ndcg": DAY_MS})
    assert request_of(accept(database, source=declared).run).source.steps_ms == {
        "ndcg": DAY_MS,
        "recall@5": DAY_MS,
    }


@pytest.mark.parametrize(
    ("detector", "added"),
    [
        ({"type": "window"}, {"min_rel_change": 0.01, "direction": "down"}),
        ({"type": "window", "min_abs_change": 3.0}, {"direction": "down"}),
        ({"type": "window", "min_rel_change": 0.0, "direction": "both"}, {}),
        ({"type": "seasonal_esd"}, {"direction": "down"}),
        ({"type": "auto"}, {"min_rel_change": 0.01, "direction": "down"}),
        (
            {"type": "prophet"},
            {
                "min_rel_change": 0.01,
                "direction": "down",
                "interval_width": 0.9995,
                "min_points": 60,
            },
        ),
        ({"type": "threshold", "upper": 1.0}, {}),
    ],
)
def test_requests_ignore_small_changes_and_watch_the_bad_side(
    database: Database, detector: dict[str, Any], added: dict[str, Any]
) -> None:
    source = SourceSpec("shop", metrics={"ndcg": {"good": "up"}, "loss": {"good": "down"}})
    run = accept(database, source=source, detector=detector).run
    assert dict(request_of(run).detector) == {**detector, **added}
    mixed = accept(database, source=source, detector=detector, metrics=("ndcg", "loss")).run
    assert request_of(mixed).detector.get("direction") == detector.get("direction")


@pytest.mark.parametrize(
    ("metrics", "detector", "clip"),
    [
        (("ndcg",), {"type": "window"}, (0, 1)),
        (("ndcg", "recall"), {"type": "window"}, (0, 1)),
        (("ndcg",), {"type": "window", "clip_upper": 0.9}, (0, 0.9)),
        (("ndcg",), {"type": "window", "clip_lower": None}, (None, 1)),
        (("ndcg", "clicks"), {"type": "window"}, (None, None)),
        (("ndcg", "rows"), {"type": "window"}, (None, None)),
        (("ndcg", "nobody-knows"), {"type": "window"}, (None, None)),
        (("nd*",), {"type": "window"}, (None, None)),
        (("ndcg",), {"type": "threshold", "upper": 2.0}, (None, None)),
    ],
)
def test_bands_stay_within_what_all_asked_metrics_declare(
    database: Database,
    metrics: tuple[str, ...],
    detector: dict[str, Any],
    clip: tuple[float | None, float | None],
) -> None:
    clips: dict[str, dict[str, Any]] = {"ndcg": {"clip": [0, 1]}, "recall": {"clip": [0, 1]}}
    source = SourceSpec("shop", metrics={**clips, "clicks": {"clip": [0, 100]}, "rows": {}})
    run = accept(database, source=source, metrics=metrics, detector=detector).run
    given = request_of(run).detector
    assert (given.get("clip_lower"), given.get("clip_upper")) == clip


def test_a_detector_reads_days_in_the_zone_of_its_source(database: Database) -> None:
    tokyo = SourceSpec("shop", timezone="Asia/Tokyo")
    assert request_of(accept(database, source=tokyo).run).detector["timezone"] == "Asia/Tokyo"
    chosen = {"type": "window", "timezone": "Europe/Berlin"}
    run = accept(database, source=tokyo, detector=chosen).run
    assert request_of(run).detector["timezone"] == "Europe/Berlin"


def test_a_wrong_request_is_refused_and_leaves_nothing(database: Database) -> None:
    cases: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"rule": None}, RequestError, "/rule"),
        ({"source": SourceSpec("unknown")}, UnknownError, ""),
        ({"after": ("nope",)}, RequestError, "/after/0"),
        ({"notify": {"channels": ["nobody"]}}, RequestError, "/notify/channels/0"),
        ({"range": AskedRange(last="4000d")}, RequestError, "/range"),
        ({"detector": {"type": "windov"}}, ParameterError, ""),
        ({"detector": {"type": "window", "windw": 3}}, ParameterError, ""),
    ]
    for changes, kind, pointer in cases:
        with pytest.raises(kind) as caught:
            accept(database, **changes)
        assert getattr(caught.value, "pointer", "") == pointer
    with database.write() as tx:
        assert list_runs(tx, RunFilter(), 10) == []
        assert lease(tx, Leaser("w", "p"), ("run",), NOON, 1000) is None
        delete_source(tx, "shop", NOON)
    with pytest.raises(UnknownError):
        accept(database)


def test_without_storing_no_rule_is_needed_and_nobody_is_told(database: Database) -> None:
    with database.write() as tx:
        put_channel(tx, Channel("chat", "webhook", {}, "", [], NOON, NOON))
    run = accept(database, rule=None, store=False, notify={"channels": ["chat"]}).run
    assert run.notify == {}


def test_a_key_replays_its_run_and_refuses_another_body(database: Database) -> None:
    first = accept(database, key=KEY)
    again = accept(database, NOON + HOUR_MS, key=KEY)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.run.id == first.run.id
    with pytest.raises(KeyReusedError, match="another body"):
        accept(database, key=replace(KEY, body_hash="hash-2"))
    for other in (replace(KEY, caller="bob"), replace(KEY, route="points"), replace(KEY, key="k")):
        assert accept(database, key=other).run.id != first.run.id
    later = NOON + LIFE_MS + 1
    assert accept(database, later, key=replace(KEY, body_hash="hash-2")).run.id != first.run.id
    with database.write() as tx:
        assert forget_old(tx, later) == 3


def test_twins_that_race_make_one_run(database: Database) -> None:
    found: list[Accepted] = []
    gate = threading.Barrier(6)

    def ask() -> None:
        gate.wait()
        found.append(accept(database, key=KEY))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.run.id for one in found}) == 1
    assert sum(not one.replayed for one in found) == 1


def test_a_source_may_not_have_too_many_runs_waiting(database: Database) -> None:
    add_source(database, "other")
    limits = Limits(max_runs_in_flight=2)
    run = accept(database, limits=limits).run
    accept(database, limits=limits, rule="second")
    with pytest.raises(LimitError) as caught:
        accept(database, limits=limits)
    assert caught.value.retry_after_seconds > 0
    accept(database, limits=limits, source=SourceSpec("other"))
    with database.write() as tx:
        update_run(tx, run.id, state="succeeded")
    accept(database, limits=limits)


def test_runs_of_a_rule_queue_in_the_order_of_acceptance(database: Database) -> None:
    runs = [accept(database, NOON - number).run for number in range(3)]
    other = accept(database, rule="other").run
    free = accept(database, rule=None, store=False).run
    assert [run.generation for run in runs] == [NOON, NOON + 1, NOON + 2]
    with database.write() as tx:
        assert [runs_ahead(tx, run) for run in runs] == [0, 1, 2]
        begun = set()
        while job := lease(tx, Leaser("w", "p"), ("run",), NOON, 1000):
            begun.add(job.payload["run"])
    assert begun == {runs[0].id, other.id, free.id}


def test_a_waiting_run_is_cancelled_at_once(database: Database, tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path / "objects")
    run = accept(database).run
    cancelled = cancel_run(database, objects, run.id, "bob", NOON + 1)
    assert (cancelled.state, cancelled.ended_ms) == ("cancelled", NOON + 1)
    assert cancel_run(database, objects, run.id, "bob", NOON + 2) == cancelled
    with database.write() as tx:
        assert lease(tx, Leaser("w", "p"), ("run",), NOON + 1, 1000) is None
        assert [entry.action for entry in list_changes(tx, 10, CANCELS)] == ["run.cancel"]
    assert not read_status(objects, run.id).cancelled


def test_a_running_run_is_cancelled_by_a_commit(database: Database, tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path / "objects")
    run = accept(database).run
    with database.write() as tx:
        update_run(tx, run.id, state="running")
    asked_run = cancel_run(database, objects, run.id, "bob", NOON + 1)
    assert (asked_run.state, asked_run.cancel_ms) == ("running", NOON + 1)
    assert read_status(objects, run.id).cancelled
    assert cancel_run(database, objects, run.id, "bob", NOON + 2) == asked_run
    with database.write() as tx:
        said = [entry.action for entry in list_changes(tx, 10, CANCELS)]
    assert said == ["run.cancel"], "said once"


class _EndsMeanwhile(FolderObjects):
    """Objects at whose commit the run ends in the database."""

    def __init__(self, folder: Path, database: Database, run: str, state: str) -> None:
        super().__init__(folder)
        self._end = (database, run, state)

    def create(self, name: str, data: bytes) -> None:
        super().create(name, data)
        database, run, state = self._end
        with database.write() as tx:
            update_run(tx, run, state=state, ended_ms=NOON)


def test_a_run_that_ends_while_it_is_cancelled_says_how(database: Database, tmp_path: Path) -> None:
    run = accept(database).run
    with database.write() as tx:
        update_run(tx, run.id, state="running")
    objects = _EndsMeanwhile(tmp_path / "objects", database, run.id, "failed")
    with pytest.raises(ConflictError, match="over"):
        cancel_run(database, objects, run.id, "bob", NOON)
    other = accept(database, rule="other").run
    with database.write() as tx:
        update_run(tx, other.id, state="running")
    objects = _EndsMeanwhile(tmp_path / "objects", database, other.id, "cancelled")
    assert cancel_run(database, objects, other.id, "bob", NOON).state == "cancelled"
    with database.write() as tx:
        assert [entry.object for entry in list_changes(tx, 10, CANCELS)] == [other.id]


def test_what_is_published_or_over_cannot_be_cancelled(database: Database, tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path / "objects")
    run = accept(database).run
    with database.write() as tx:
        update_run(tx, run.id, state="publishing")
    create_commit(objects, f"runs/{run.id}/publish.json", Commit("publish", "n", {}, {}))
    with pytest.raises(ConflictError, match="has published"):
        cancel_run(database, objects, run.id, "bob", NOON)
    with database.write() as tx:
        update_run(tx, run.id, state="succeeded")
    with pytest.raises(ConflictError, match="succeeded"):
        cancel_run(database, objects, run.id, "bob", NOON)
    with pytest.raises(UnknownError):
        cancel_run(database, objects, "nope", "bob", NOON)


def test_ingests_are_numbered_in_the_accepting_transaction(database: Database) -> None:
    payloads = [new_payload(NOON, "json") for _ in range(3)]
    first = accept_ingest(database, "shop", payloads[0], "ann", NOON, KEY)
    second = accept_ingest(database, "shop", payloads[1], "ann", NOON - HOUR_MS)
    again = accept_ingest(database, "shop", payloads[2], "ann", NOON, KEY)
    assert first.ingest.sequence == NOON << 20
    assert second.ingest.sequence == (NOON << 20) + 1
    assert (again.replayed, again.ingest.id) == (True, first.ingest.id)
    with database.write() as tx:
        job = lease(tx, Leaser("w", "p"), ("ingest",), NOON, 1000)
        assert job is not None
        assert job.payload["ingest"] == first.ingest.id
        assert lease(tx, Leaser("w", "p"), ("ingest",), NOON, 1000) is None, "one at a time"
    with pytest.raises(UnknownError):
        accept_ingest(database, "nope", payloads[0], "ann", NOON)

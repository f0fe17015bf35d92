"""A rerun: the same absolute range, a new generation, the source as it is now."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from service.accept import AskedDetection, Limits, accept_detection
from service.clock import DAY_MS
from service.database import tables
from service.database.engine import Database
from service.database.runs import Run
from service.database.sources import delete_source
from service.errors import ConflictError, LimitError, RequestError, UnknownError
from service.ranges import AskedRange
from service.rerun import AskedAgain, rerun_detection
from storage.source import SourceSpec
from tests.service.clocks import NOON
from tests.service.databases import KINDS, add_source, opened
from workflows.codec import from_plain
from workflows.request import RunRequest

LATER = NOON + 30 * DAY_MS
LOW = {"type": "threshold", "lower": 0.3}


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with opened(request.param, tmp_path) as database:
        add_source(database)
        yield database


def accept(database: Database, **changes: Any) -> Run:
    plain = AskedDetection(
        source=SourceSpec("shop"),
        metrics=("ndcg",),
        range=AskedRange(last="7d"),
        detector=LOW,
        body={"rule": "daily", "detector": LOW},
        rule="daily",
    )
    wanted = replace(plain, **changes)
    return accept_detection(database, wanted, "ann", NOON, Limits()).run


def again(
    database: Database, run: str, source: SourceSpec | None = None, limits: Limits | None = None
) -> Run:
    asked = AskedAgain(run, source or SourceSpec("shop"), "00-trace")
    return rerun_detection(database, asked, "bob", LATER, limits or Limits()).run


def request_of(run: Run) -> RunRequest:
    return from_plain(RunRequest, run.request)


def store(database: Database, run: Run, **values: Any) -> None:
    """What another version has written."""
    with database.write() as tx:
        tx.execute(update(tables.runs).where(tables.runs.c.id == run.id).values(**values))


def test_it_keeps_the_range_and_gets_a_generation_of_its_own(database: Database) -> None:
    old = accept(database)
    new = again(database, old.id)
    before, after = request_of(old), request_of(new)
    assert (after.start_ms, after.end_ms) == (before.start_ms, before.end_ms)
    assert (new.rerun_of, new.caller, new.body) == (old.id, "bob", old.body)
    assert new.generation > old.generation
    assert after.generation == new.generation
    assert after.deadline_ms == new.deadline_ms == LATER + DAY_MS
    assert (before.traceparent, after.traceparent) == ("", "00-trace")
    with pytest.raises(UnknownError):
        again(database, "nope")


def test_what_the_source_answers_is_answered_anew(database: Database) -> None:
    """Else days would be those of a zone that the source has left."""
    window = {"type": "window"}
    up = SourceSpec("shop", metrics={"ndcg": {"good": "up"}})
    old = accept(database, source=up, detector=window, body={"detector": window})
    assert request_of(old).detector["direction"] == "down"
    tokyo = SourceSpec("shop", "Asia/Tokyo", metrics={"ndcg": {"good": "down"}})
    after = request_of(again(database, old.id, tokyo))
    assert after.source.timezone == "Asia/Tokyo"
    assert after.detector == {
        "type": "window",
        "timezone": "Asia/Tokyo",
        "direction": "up",
        "min_rel_change": 0.01,
    }


def test_what_the_caller_said_stays(database: Database) -> None:
    said = {"type": "window", "direction": "both", "timezone": "Europe/Berlin"}
    old = accept(database, detector=said, body={"detector": said}, labels={"region": ("jp",)})
    after = request_of(again(database, old.id, SourceSpec("shop", "Asia/Tokyo")))
    assert after.detector == {**said, "min_rel_change": 0.01}
    assert after.labels == {"region": ("jp",)}


def test_it_waits_for_no_ingest_and_obeys_todays_limits(database: Database) -> None:
    old = accept(database)
    store(database, old, after=["01gone"])
    new = again(database, old.id, limits=Limits(max_series=7))
    assert new.after == []
    assert request_of(new).max_series == 7
    with pytest.raises(LimitError):
        again(database, old.id, limits=Limits(max_runs_in_flight=2))


def test_of_a_source_that_is_deleted_it_is_refused(database: Database) -> None:
    old = accept(database)
    with database.write() as tx:
        delete_source(tx, "shop", NOON)
    with pytest.raises(UnknownError, match="source shop"):
        again(database, old.id)


def test_a_body_that_todays_schema_refuses_runs_again(database: Database) -> None:
    old = accept(database)
    store(database, old, body={"rule": "daily", "sensitivity": "high", "detector": LOW})
    assert again(database, old.id).body["sensitivity"] == "high"


def test_a_run_accepted_before_a_field_was_known_runs_again(database: Database) -> None:
    old = accept(database)
    known = {name: value for name, value in old.request.items() if name != "require_points"}
    store(database, old, body={}, request=known)
    after = request_of(again(database, old.id))
    assert after.require_points == "partial"
    assert after.detector == LOW, "without a body, as it was accepted"


def test_a_detector_that_is_not_known_any_more_is_refused_by_name(database: Database) -> None:
    old = accept(database)
    store(database, old, body={"detector": {**LOW, "smoothness": 3}})
    with pytest.raises(RequestError, match="not valid any more") as caught:
        again(database, old.id)
    assert caught.value.pointer == "/detector/smoothness"
    store(database, old, body={"detector": {"type": "oracle"}})
    with pytest.raises(RequestError) as caught:
        again(database, old.id)
    assert caught.value.pointer == "/detector/type"


def test_a_request_of_another_version_that_cannot_be_read_is_refused(database: Database) -> None:
    old = accept(database)
    store(database, old, request={**old.request, "resample": "1h"})
    with pytest.raises(ConflictError, match=r"another version.*resample.*anew"):
        again(database, old.id)

"""Detectors that could judge nothing, and parameters without effect: refused at the door."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from detectors.errors import ParameterError, UnusedParameterError
from service.accept import AskedDetection, Limits, accept_detection
from service.app import open_app
from service.clock import DAY_MS, HOUR_MS
from service.database import tables
from service.database.engine import Database
from service.database.runs import Run
from service.errors import RequestError
from service.ranges import AskedRange
from service.rerun import AskedAgain, rerun_detection
from storage.source import SourceSpec
from tests.service.api.house import House, detection, idle_settings
from tests.service.clocks import NOON
from tests.service.databases import KINDS, add_source, opened
from tests.workflows.publishing import DAY, START, document, flat, house_at, key
from workflows.report import SeriesFailure

MANY = {"type": "window", "min_points": 60}
IDLE = {"type": "window", "p": 12.0, "k": 4.0}


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with opened(request.param, tmp_path) as database:
        add_source(database)
        yield database


def accept(database: Database, detector: dict[str, Any], **steps_ms: int) -> Run:
    asked = AskedDetection(
        source=SourceSpec("shop", steps_ms=steps_ms),
        metrics=("ndcg", "clicks"),
        range=AskedRange(last="7d"),
        detector=detector,
        body={"rule": "daily", "detector": detector},
        rule="daily",
    )
    return accept_detection(database, asked, "ann", NOON, Limits()).run


def test_known_steps_refuse_what_no_metric_could_be_judged_by(database: Database) -> None:
    with pytest.raises(ParameterError, match=r"28d holds 28 points.*min_points asks for 60"):
        accept(database, MANY, ndcg=DAY_MS, clicks=DAY_MS)
    accept(database, MANY, ndcg=DAY_MS, clicks=HOUR_MS)  # a week of hours is enough
    accept(database, MANY, ndcg=DAY_MS)  # nobody knows the step of the other one


def test_a_parameter_without_effect_is_refused(database: Database) -> None:
    with pytest.raises(UnusedParameterError, match="it needs method pct"):
        accept(database, IDLE)


def test_what_was_accepted_before_is_run_again_as_it_was(database: Database) -> None:
    run = accept(database, {"type": "window"})
    _rewrite(database, run, IDLE)
    asked = AskedAgain(run.id, SourceSpec("shop"), "")
    again = rerun_detection(database, asked, "bob", NOON + DAY_MS, Limits()).run
    assert again.request["detector"]["p"] == 12.0, "its anomalies keep the hash of their rule"


def test_what_can_never_be_run_again_says_why(database: Database) -> None:
    run = accept(database, {"type": "window"})
    _rewrite(database, run, {"type": "window", "window": 5, "min_points": 20})
    asked = AskedAgain(run.id, SourceSpec("shop"), "")
    with pytest.raises(
        RequestError, match=r"not valid any more: window: 5 holds 5 points"
    ) as caught:
        rerun_detection(database, asked, "bob", NOON + DAY_MS, Limits())
    assert caught.value.pointer == "/detector/window"


@pytest.mark.parametrize(
    ("detector", "pointer"),
    [(IDLE, "/detector/p"), ({"type": "window", "window": 3, "min_points": 4}, "/detector/window")],
)
def test_the_answer_points_at_the_field(
    tmp_path: Path, detector: dict[str, Any], pointer: str
) -> None:
    with open_app(idle_settings(tmp_path)) as app:
        house = House(app)
        house.source("shop")
        answer = house.call(
            "POST", "/v1/detections", 422, json=detection("shop", detector=detector)
        )
    (error,) = answer["errors"]
    assert error["pointer"] == pointer


def _rewrite(database: Database, run: Run, detector: dict[str, Any]) -> None:
    """As an earlier version accepted it."""
    body, request = ({**old, "detector": detector} for old in (run.body, run.request))
    with database.write() as tx:
        where = tables.runs.c.id == run.id
        tx.execute(update(tables.runs).where(where).values(body=body, request=request))


def test_steps_judge_as_if_what_has_no_effect_were_not_there(tmp_path: Path) -> None:
    jp = key("ndcg", region="jp")
    with house_at(tmp_path) as house:
        house.put({**flat(jp, 60), (jp, START + 58 * DAY): 99.0})
        for rule, detector in (("old", IDLE), ("new", {"type": "window", "k": 4.0})):
            report = house.run(60, rule=rule, detector=detector, start_ms=START + 50 * DAY)
            assert report.outcome == "succeeded"
        old, new = (house.anomalies(rule=rule) for rule in ("old", "new"))
    assert set(old) == {('ndcg{region="jp"}', 58)}
    beside = ("id", "rule", "detector_hash")
    assert [document(each, *beside) for each in old.values()] == [
        document(each, *beside) for each in new.values()
    ]


def test_a_step_that_only_the_run_finds_fails_its_series_in_words(tmp_path: Path) -> None:
    daily, hourly = key("ndcg", of="days"), key("ndcg", of="hours")
    hours = {(hourly, START + hour * HOUR_MS): 1.0 for hour in range(30 * 24)}
    with house_at(tmp_path) as house:
        house.put({**flat(daily, 30), **hours})
        report = house.run(30, detector=MANY, start_ms=START + 20 * DAY)
    assert report.outcome == "partial"
    (failure,) = report.failures
    assert isinstance(failure, SeriesFailure)
    assert "28d holds 28 points at a step of 1d" in failure.error
    assert "min_points asks for 60" in failure.error

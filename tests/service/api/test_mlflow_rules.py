"""The rules of docs/mlflow.md, as they stand there, on planted data."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.real import own_name
from tests.service.api.house import House

DAY_MS = 86_400_000
DAYS, LAST = 70, 69
RULES = {
    rule["rule"]: rule
    for block in re.findall(r"```json\n(.*?)```", (ROOT / "docs/mlflow.md").read_text(), re.DOTALL)
    for rule in map(json.loads, block.splitlines())
}


def _rows(day: int, bad: bool) -> dict[str, Any]:
    labels = {"experiment": "rank"}
    rows = 1_000_000 + 9_000 * (day % 4)
    return {"metric": "training_rows", "labels": labels, "value": rows * (0.8 if bad else 1)}


def _online(metric: str, level: float, bad_level: float) -> Callable[[int, bool], dict[str, Any]]:
    noise = np.random.default_rng(7).normal(0, 0.01, DAYS)

    def point(day: int, bad: bool) -> dict[str, Any]:
        labels = {"model": "ranker", "version": "9" if day < DAYS - 3 else "10"}
        value = (bad_level if bad else level) * (1 + noise[day])
        return {"metric": metric, "labels": labels, "value": value}

    return point


CASES = {
    "training-rows": _rows,
    "online-worse": _online("ctr", 0.30, 0.24),
    "online-shifted": _online("prediction_mean", 0.5, 0.6),
    "online-drifted": _online("prediction_psi", 0.02, 0.4),
}


@pytest.mark.parametrize("rule", CASES)
@pytest.mark.parametrize("bad", [True, False])
def test_a_documented_rule_finds_what_was_planted_and_nothing_else(
    working: House, rule: str, bad: bool
) -> None:
    source, first_ms = working.source(own_name("rules-")), _first_ms(working)
    # Jobs do not end at the same minute of each night.
    late = np.random.default_rng(3).integers(0, 1_200_000, DAYS)
    jitter = late if rule == "training-rows" else np.zeros(DAYS, np.int64)
    points = [
        {
            **CASES[rule](day, bad and day == LAST),
            "time": _text(first_ms + day * DAY_MS + int(jitter[day])),
        }
        for day in range(DAYS)
    ]
    working.send(source, points)
    run = working.detect({**RULES[rule], "source": source, "notify": None})
    assert run["state"] == "succeeded", run
    assert run["counts"]["judged"] >= 1, run
    assert run["counts"]["new"] == int(bad), run


@pytest.mark.parametrize("missing", [True, False])
def test_missing_predictions_fail_the_run(working: House, missing: bool) -> None:
    source, first_ms = working.source(own_name("rules-")), _first_ms(working)
    point = _online("predictions", 1000, 0)
    days = range(DAYS - 1 if missing else DAYS)
    working.send(
        source, [{**point(day, False), "time": _text(first_ms + day * DAY_MS)} for day in days]
    )
    run = working.detect({**RULES["online-missing"], "source": source, "notify": None})
    assert run["state"] == ("failed" if missing else "succeeded"), run


def test_every_documented_rule_is_tested() -> None:
    assert RULES.keys() == {*CASES, "online-missing"}


def _first_ms(house: House) -> int:
    """Of days of which the last is yesterday, so that `last` reaches it."""
    today = house.resources.clock.now_ms() // DAY_MS
    return (today - DAYS) * DAY_MS


def _text(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat()

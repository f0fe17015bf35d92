"""Online predictions against offline ones."""

from typing import Any

import pytest

from lupus.errors import EvaluationError, FrameError
from lupus.evaluation import Evaluation, Reproduction, reproduce
from tests.library.evaluation.frames import FRAMES


@pytest.mark.parametrize("kind", FRAMES)
def test_equal_different_and_missing_predictions_are_told_apart(kind: str) -> None:
    make = FRAMES[kind]
    online = make({"user": ["a", "b", "c", "d"], "p": [0.1, 0.2, None, 0.4], "region": ["jp"] * 4})
    offline = make({"user": ["b", "a", "e", "d"], "p": [0.2, 0.1 + 1e-9, 0.5, 0.6],
                    "region": ["jp"] * 4})  # fmt: skip
    metrics = reproduce(online, offline, "user", "p", by="region").metrics()
    assert {one.labels["region"] for one in metrics} == {"jp"}
    assert metrics["reproduction_rate"] == pytest.approx(2 / 3)
    assert metrics["keys"] == 5
    assert metrics["missing.online"] == 0.2  # e
    assert metrics["missing.offline"] == 0
    assert metrics["missing.both"] == 0.2  # c has no prediction
    assert metrics["difference.max"] == pytest.approx(0.2)
    assert metrics["difference.mean"] == pytest.approx(0.2 / 3)


def _rate(
    online: list[Any], offline: list[Any], tolerance: float = 1e-6, relative: float = 0
) -> float | None:
    keys = [list(range(len(side))) for side in (online, offline)]
    return reproduce(
        {"k": keys[0], "p": online}, {"k": keys[1], "p": offline}, "k", "p", (), tolerance, relative
    ).metrics()["reproduction_rate"]


def test_tolerance_is_absolute_and_relative() -> None:
    assert _rate([100.0], [101.0]) == 0
    assert _rate([100.0], [101.0], tolerance=1) == 1
    assert _rate([100.0], [101.0], relative=0.01) == 1
    assert _rate([100.0], [101.0], relative=0.009) == 0
    assert _rate([float("inf")], [float("inf")]) == 1
    assert _rate([], []) is None


def test_text_is_equal_or_not() -> None:
    assert _rate(["cat", "dog"], ["cat", "cat"], tolerance=5) == 0.5


def test_keys_of_several_columns_and_duplicates() -> None:
    online: dict[str, list[float]] = {
        "u": [1, 1, 2, 2],
        "i": [1, 2, 1, 1],
        "p": [0.1, 0.2, 0.3, 0.3],
    }
    offline = {"u": [1, 1, 2], "i": [1, 2, 1], "p": [0.1, 0.2, 0.3]}
    metrics = reproduce(online, offline, ["u", "i"], "p").metrics()
    assert metrics["reproduction_rate"] == 1
    assert metrics["duplicates.online"] == pytest.approx(1 / 3)
    online["p"][3] = 0.7  # of one key two different predictions
    assert reproduce(online, offline, ["u", "i"], "p").metrics()["reproduction_rate"] == (
        pytest.approx(2 / 3)
    )


def test_it_is_an_evaluation_that_merges() -> None:
    frame = {"k": [1], "p": [0.5]}
    day = reproduce(frame, frame, "k", "p")
    both = day.merge(
        Evaluation.from_json(reproduce(frame, {"k": [2], "p": [1]}, "k", "p").to_json())
    )
    assert both.metrics()["keys"] == 3
    assert both.metrics()["missing.offline"] == pytest.approx(1 / 3)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(EvaluationError, match="at least one column"):
        Reproduction([], "p")
    with pytest.raises(EvaluationError, match="0 or more"):
        Reproduction("k", "p", tolerance=float("nan"))
    with pytest.raises(FrameError, match="no column 'p'"):
        reproduce({"k": [1]}, {"k": [1], "p": [1]}, "k", "p")

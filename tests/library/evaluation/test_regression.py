"""Regression against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from lupus.errors import EvaluationError
from lupus.evaluation import Evaluation, Regression, evaluate
from tests.library.evaluation.frames import same

NUMBER = st.floats(-1e6, 1e6).map(lambda number: round(number, 3))
ROWS = st.lists(st.tuples(NUMBER, NUMBER, NUMBER), min_size=1, max_size=20)
TASK = Regression("y", "guess", quantiles={"p90": 0.9})


def _frame(rows: list[tuple[float, float, float]]) -> dict[str, list[float]]:
    return {name: [row[at] for row in rows] for at, name in enumerate(("y", "guess", "p90"))}


@given(ROWS)
@settings(max_examples=25)
def test_every_metric_is_scikit_learns(rows: list[tuple[float, float, float]]) -> None:
    frame = _frame(rows)
    label, guess, p90 = frame.values()
    metrics = evaluate(frame, TASK).metrics()
    same = pytest.approx
    assert metrics["mae"] == same(sk.mean_absolute_error(label, guess))
    assert metrics["mse"] == same(sk.mean_squared_error(label, guess))
    assert metrics["rmse"] == same(np.sqrt(sk.mean_squared_error(label, guess)))
    assert metrics["max_error"] == same(sk.max_error(label, guess))
    assert metrics["quantile_loss"] == same(sk.mean_pinball_loss(label, p90, alpha=0.9))
    kept = [(one, two) for one, two in zip(label, guess, strict=True) if one]
    if kept:
        theirs = sk.mean_absolute_percentage_error(*zip(*kept, strict=True))
        assert metrics["mape"] == same(theirs)
    else:
        assert metrics["mape"] is None
    if np.ptp(label) > 1e-3 * np.abs(label).max():
        assert metrics["r2"] == same(sk.r2_score(label, guess))


@given(st.lists(ROWS, min_size=2, max_size=4))
@settings(max_examples=20)
def test_parts_merge_to_the_whole(parts: list[list[tuple[float, float, float]]]) -> None:
    merged = evaluate(_frame(parts[0]), TASK)
    for part in parts[1:]:
        merged = merged.merge(Evaluation.from_json(evaluate(_frame(part), TASK).to_json()))
    whole = evaluate(_frame([row for part in parts for row in part]), TASK)
    assert same(merged.metrics(), whole.metrics(), absolute=1e-6)


def test_what_has_no_answer_is_none() -> None:
    constant = evaluate({"y": [2.0, 2.0], "guess": [1.0, 3.0]}, Regression("y", "guess")).metrics()
    assert constant["r2"] is None
    zeros = evaluate({"y": [0.0, 0.0], "guess": [1.0, 3.0]}, Regression("y", "guess")).metrics()
    assert zeros["mape"] is zeros["wape"] is zeros["bias.share"] is None
    assert zeros["mape.skipped"] == 2
    nothing = evaluate({"y": [], "guess": []}, Regression("y", "guess")).metrics()
    assert nothing["rows"] == 0
    assert nothing["mae"] is nothing["rmse"] is nothing["max_error"] is None


def test_rows_that_are_no_numbers_are_left_out() -> None:
    frame = {"y": [1.0, None, 3.0, 4.0], "guess": [2.0, 2.0, float("inf"), float("nan")]}
    metrics = evaluate(frame, Regression("y", "guess")).metrics()
    assert metrics["rows.skipped"] == 3
    assert metrics["bias"] == 1
    assert metrics["bias.share"] == 1
    assert metrics["wape"] == 1


def test_a_quantile_is_between_0_and_1() -> None:
    with pytest.raises(EvaluationError, match="'p' must be between 0 and 1: 90"):
        Regression("y", "guess", {"p": 90})


def test_a_quantile_covers_what_is_at_or_below_it() -> None:
    frame = {"y": [1.0, 2.0, 3.0, 4.0], "guess": [1.0] * 4, "p90": [3.0] * 4}
    assert evaluate(frame, TASK).metrics()["quantile_coverage"] == 0.75


def test_what_is_too_large_for_a_float_is_none() -> None:
    with np.errstate(over="ignore"):
        metrics = evaluate({"y": [1e200], "guess": [-1e200]}, Regression("y", "guess")).metrics()
    assert metrics["mse"] is metrics["rmse"] is None
    assert metrics["mae"] == 2e200

"""Binary classification against scikit-learn, and where scikit-learn has no answer."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from lupus.errors import EvaluationError, FrameError
from lupus.evaluation import Binary, Evaluation, evaluate
from tests.library.evaluation.frames import FRAMES, same

TASK = Binary("clicked", "p")
ROW = st.tuples(st.sampled_from([0, 1]), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.50001, 0.9, 1.0]))
ROWS = st.lists(ROW, max_size=30)


def _values(rows: list[tuple[int, float]], task: Binary = TASK) -> dict[str, float | None]:
    frame = {"clicked": [row[0] for row in rows], "p": [row[1] for row in rows]}
    return evaluate(frame, task).metrics().to_dict()


def _close(one: float | None, two: float) -> bool:
    return one is not None and math.isclose(one, two, rel_tol=1e-12, abs_tol=1e-12)


@given(ROWS)
@settings(max_examples=15)
def test_every_metric_is_scikit_learns(rows: list[tuple[int, float]]) -> None:
    values = _values(rows)
    label = np.array([row[0] for row in rows])
    score = np.array([row[1] for row in rows])
    predicted = score >= 0.5
    counts = [values[name] for name in ("true_negatives", "false_positives", "false_negatives")]
    if not rows:
        assert counts == [0, 0, 0]
        assert values["accuracy"] is values["auc"] is values["logloss"] is values["ece"] is None
        return
    assert counts == sk.confusion_matrix(label, predicted, labels=[0, 1]).ravel()[:3].tolist()
    assert _close(values["accuracy"], sk.accuracy_score(label, predicted))
    for name, rate in (
        ("precision", sk.precision_score),
        ("recall", sk.recall_score),
        ("f1", sk.f1_score),
    ):
        theirs = rate(label, predicted, zero_division=np.nan)
        assert values[name] is None if np.isnan(theirs) else _close(values[name], theirs)
    assert _close(values["logloss"], sk.log_loss(label, score, labels=[0, 1]))
    assert _close(values["brier"], float(np.mean((score - label) ** 2)))
    if 0 < sum(label) < len(label):
        assert _close(values["auc"], sk.roc_auc_score(label, score))
        assert _close(values["average_precision"], sk.average_precision_score(label, score))
    else:
        assert values["auc"] is None


@given(st.lists(ROWS, min_size=1, max_size=4))
@settings(max_examples=20)
def test_parts_merge_to_the_whole(parts: list[list[tuple[int, float]]]) -> None:
    task = Binary("clicked", "p", distinct=3)
    each = [evaluate({"clicked": [a for a, _ in p], "p": [b for _, b in p]}, task) for p in parts]
    merged = each[0]
    for part in each[1:]:
        merged = merged.merge(Evaluation.from_json(part.to_json()))
    rows = [row for part in parts for row in part]
    whole = evaluate({"clicked": [a for a, _ in rows], "p": [b for _, b in rows]}, task)
    assert same(merged.metrics(), whole.metrics())


def test_many_scores_are_rounded_with_a_bound_that_holds() -> None:
    random = np.random.default_rng(7)
    score = np.concatenate([random.beta(0.05, 0.05, 20_000), random.uniform(size=20_000)])
    label = (random.uniform(size=40_000) < score).astype(int)
    frame = {"clicked": label, "p": score}
    exact = evaluate(frame, TASK).metrics()
    rounded = evaluate(frame, Binary("clicked", "p", distinct=1000)).metrics()
    assert exact["auc"] == pytest.approx(sk.roc_auc_score(label, score), abs=1e-12)
    assert exact["auc"] is not None
    assert rounded["auc"] is not None
    bound = rounded["auc.error"]
    assert bound is not None
    assert 0 < bound < 1e-4
    assert 0 < abs(rounded["auc"] - exact["auc"]) <= bound
    assert rounded["logloss"] == exact["logloss"]
    assert rounded["average_precision"] == pytest.approx(exact["average_precision"], abs=1e-5)


def test_calibration_error_is_of_equally_wide_bins() -> None:
    values = _values([(0, 0.05), (1, 0.05), (1, 0.95), (0, 1.0)])
    # bin 0: 1 label, scores of 0.1; bin 9, which holds 1.0: 1 label, scores of 1.95
    assert values["ece"] == pytest.approx((abs(1 - 0.1) + abs(1 - 1.95)) / 4)
    assert values["bias"] == pytest.approx((2.05 - 2) / 4)
    assert values["bias.share"] == pytest.approx((2.05 - 2) / 2)


@pytest.mark.parametrize("kind", FRAMES)
def test_rows_without_label_or_score_are_counted_and_left_out(kind: str) -> None:
    make: Callable[[Any], Any] = FRAMES[kind]
    frame = make(
        {
            "clicked": [0, 1, None, 1, 0],
            "p": [0.1, 0.8, 0.4, None, 0.3],
            "region": ["jp", "jp", "jp", "tw", None],
        }
    )
    by_region = evaluate(frame, TASK, by="region")
    table = {(metric.name, metric.labels["region"]): metric.value for metric in by_region.metrics()}
    assert table["rows", "jp"] == 3
    assert table["rows.skipped", "jp"] == 1
    assert table["auc", "jp"] == 1
    assert table["rows.skipped", "tw"] == 1
    assert table["accuracy", "tw"] is None
    assert table["rows", "(null)"] == 1
    whole = evaluate(frame, TASK).metrics()
    assert same(by_region.overall().metrics(), whole)
    assert whole["rows.skipped"] == 2


def test_text_labels_need_the_positive_class() -> None:
    frame = {"label": ["yes", "no", "yes"], "guess": ["yes", "yes", "no"]}
    with pytest.raises(FrameError, match="positive="):
        evaluate(frame, Binary("label", prediction="guess"))
    values = evaluate(frame, Binary("label", prediction="guess", positive="yes")).metrics()
    assert values["precision"] == 0.5
    assert values["true_negatives"] == 0


@pytest.mark.parametrize(
    ("frame", "task", "said"),
    [
        ({"clicked": [2], "p": [0.1]}, TASK, "0 and 1, or False and True, not 2"),
        ({"clicked": [1], "p": [1.5]}, TASK, "from 0 to 1, not 1.5; for other scores"),
        ({"clicked": [1], "p": ["high"]}, TASK, "'p' must hold numbers, not 'high'"),
        ({"clicked": [1]}, TASK, "has no column 'p'; it has 'clicked'"),
        ({"clicked": [1], "p": [0.5, 0.5]}, TASK, "different lengths"),
        ([1], TASK, "not builtins.list"),
    ],
)
def test_what_cannot_be_evaluated_is_said(frame: Any, task: Binary, said: str) -> None:
    with pytest.raises(FrameError, match=said):
        evaluate(frame, task)


def test_tasks_and_groups_that_make_no_sense_are_refused() -> None:
    with pytest.raises(EvaluationError, match="needs score= or prediction="):
        Binary("clicked")
    frame = {"clicked": [0, 1], "p": [0.1, 0.2], "user": ["a", "b"]}
    with pytest.raises(EvaluationError, match="user make 2 groups"):
        evaluate(frame, TASK, by="user", most_groups=1)
    assert evaluate(frame, TASK, by={"who": "user"}).metrics().label_names == ["who"]
    with pytest.raises(EvaluationError, match="label 'class' is taken"):
        evaluate({**frame, "class": [1, 2]}, TASK, by="class")
    with pytest.raises(EvaluationError, match="cannot be merged"):
        evaluate(frame, TASK).merge(evaluate(frame, TASK, by="user"))
    for stored in ("{", "{}", '{"evaluation": 2}', '{"evaluation": 1, "task": {"kind": "x"}}'):
        with pytest.raises(EvaluationError):
            Evaluation.from_json(stored)


def test_scores_that_are_no_probabilities_are_ranked_only() -> None:
    task = Binary("clicked", "p", threshold=0, probability=False)
    values = _values([(0, -3.0), (1, 5.0), (0, 7.0)], task)
    assert values["auc"] == 0.5
    assert values["recall"] == 1
    assert "logloss" not in values

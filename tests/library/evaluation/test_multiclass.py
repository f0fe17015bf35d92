"""Multiclass classification against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from lupus.errors import EvaluationError, FrameError
from lupus.evaluation import Evaluation, Multiclass, evaluate

NAMES = ["cat", "dog", "eel"]
PAIRS = st.lists(
    st.tuples(st.sampled_from([*NAMES, "fox"]), st.sampled_from(NAMES)), min_size=1, max_size=25
)


@given(PAIRS)
@settings(max_examples=15)
def test_rates_and_averages_are_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    label, guess = map(list, zip(*pairs, strict=True))
    evaluation = evaluate({"y": label, "guess": guess}, Multiclass("y", "guess", confusion=True))
    metrics = evaluation.metrics()
    assert metrics["accuracy"] == pytest.approx(sk.accuracy_score(label, guess))
    for average in ("micro", "macro", "weighted"):
        theirs = sk.precision_recall_fscore_support(label, guess, average=average, zero_division=0)
        for name, value in zip(("precision", "recall", "f1"), theirs[:3], strict=True):
            ours = metrics[f"{name}.{average}"]
            assert ours == pytest.approx(value), (name, average)
    classes = sorted({*label, *guess})
    each = sk.precision_recall_fscore_support(label, guess, labels=classes, zero_division=np.nan)
    for name, values in zip(("precision", "recall", "f1", "labels"), each, strict=True):
        ours_by_class = {
            one.labels["class"]: one.value for one in metrics if one.name == name and one.labels
        }
        assert [ours_by_class[one] for one in classes] == pytest.approx(
            [None if np.isnan(value) else value for value in values]
        )
    if len(classes) == 1:
        return
    confusion = sk.confusion_matrix(label, guess, labels=classes)
    for one in metrics:
        if one.name == "confusion":
            at = classes.index(one.labels["class"]), classes.index(one.labels["predicted"])
            assert one.value == confusion[at]


def _scored(rows: int = 300, seed: int = 3) -> tuple[dict[str, np.ndarray], np.ndarray]:
    random = np.random.default_rng(seed)
    scores = random.dirichlet([1, 1, 1], rows).round(2)
    scores[:, 2] = 1 - scores[:, 0] - scores[:, 1]
    scores = scores.clip(0, 1)
    label = np.array([random.choice(3, p=one / one.sum()) for one in scores])
    frame = {f"p{place}": scores[:, place] for place in range(3)}
    return {"y": np.array(NAMES, dtype=object)[label], **frame}, label


def test_scores_of_classes_are_scikit_learns() -> None:
    frame, label = _scored()
    scores = np.stack([frame[f"p{place}"] for place in range(3)], axis=1)
    task = Multiclass("y", scores=dict(zip(NAMES, ("p0", "p1", "p2"), strict=True)))
    metrics = evaluate(frame, task).metrics()
    assert metrics["accuracy"] == sk.accuracy_score(label, scores.argmax(axis=1))
    assert metrics["logloss"] == pytest.approx(sk.log_loss(label, scores))
    truth = np.eye(3)[label]
    assert metrics["auc.macro"] == pytest.approx(sk.roc_auc_score(truth, scores, average="macro"))
    assert metrics["brier"] == pytest.approx(((scores - truth) ** 2).sum(axis=1).mean())
    assert metrics["average_precision.macro"] == pytest.approx(
        sk.average_precision_score(truth, scores, average="macro")
    )


def test_one_column_of_lists_is_the_same() -> None:
    frame, _ = _scored(50)
    columns = Multiclass("y", scores=dict(zip(NAMES, ("p0", "p1", "p2"), strict=True)))
    lists = [list(row) for row in zip(*(frame[f"p{place}"] for place in range(3)), strict=True)]
    one = evaluate({"y": frame["y"], "p": lists}, Multiclass("y", scores="p", classes=NAMES))
    assert one.metrics() == evaluate(frame, columns).metrics()
    with pytest.raises(FrameError, match="lists of 3 scores"):
        evaluate({"y": ["cat"], "p": [[0.1]]}, Multiclass("y", scores="p", classes=NAMES))
    with pytest.raises(EvaluationError, match="need classes="):
        Multiclass("y", scores="p")


def test_a_class_that_the_model_does_not_know_costs_it() -> None:
    frame = {"y": ["cat", "new"], "a": [1.0, 0.5], "b": [0.0, 0.5]}
    metrics = evaluate(frame, Multiclass("y", scores={"cat": "a", "dog": "b"})).metrics()
    assert metrics["logloss"] == pytest.approx(52 * np.log(2) / 2)
    assert metrics["brier"] == pytest.approx((0 + 0.5 + 1) / 2)
    assert metrics["accuracy"] == 0.5


def test_a_class_is_the_same_as_number_and_as_number_with_missing_ones() -> None:
    metrics = evaluate({"y": [1, 2, None], "guess": [1.0, 2.0, 1.0]}, Multiclass("y", "guess"))
    assert metrics.metrics()["accuracy"] == 1
    assert metrics.metrics()["rows.skipped"] == 1


@given(st.lists(PAIRS, min_size=2, max_size=4))
@settings(max_examples=20)
def test_parts_merge_to_the_whole(parts: list[list[tuple[str, str]]]) -> None:
    task = Multiclass("y", "guess")
    each = [evaluate({"y": [a for a, _ in p], "guess": [b for _, b in p]}, task) for p in parts]
    merged = each[0]
    for one in each[1:]:
        merged = merged.merge(Evaluation.from_json(one.to_json()))
    rows = [row for part in parts for row in part]
    whole = evaluate({"y": [a for a, _ in rows], "guess": [b for _, b in rows]}, task)
    assert merged.metrics() == whole.metrics()


def test_bias_of_classes_and_the_most_predicted_one() -> None:
    frame = {"y": ["cat", "dog", "dog", "dog"], "guess": ["cat", "cat", "cat", "dog"]}
    metrics = evaluate(frame, Multiclass("y", "guess")).metrics()
    values = {(one.name, one.labels.get("class")): one.value for one in metrics}
    assert values["bias", "cat"] == 0.5
    assert values["bias.share", "cat"] == 2
    assert values["bias.share", "dog"] == pytest.approx(-2 / 3)
    assert metrics["prediction.top_share"] == 0.75

"""Multilabel classification against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as sk

from lupus.errors import EvaluationError
from lupus.evaluation import Evaluation, Multilabel, evaluate
from tests.library.evaluation.frames import FRAMES, same

NAMES = ("cat", "dog", "eel")


def _matrix(seed: int, rows: int = 40) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    label = (random.uniform(size=(rows, 3)) < (0.5, 0.3, 0.05)).astype(int)
    score = np.clip(label * 0.3 + random.uniform(size=(rows, 3)) * 0.7, 0, 1).round(2)
    return label, score


def _columns(label: np.ndarray, score: np.ndarray) -> dict[str, np.ndarray]:
    return {
        **{f"y_{name}": label[:, place] for place, name in enumerate(NAMES)},
        **{f"p_{name}": score[:, place] for place, name in enumerate(NAMES)},
    }


TASK = Multilabel({name: f"y_{name}" for name in NAMES}, scores={n: f"p_{n}" for n in NAMES})


@pytest.mark.parametrize("seed", range(3))
def test_every_metric_is_scikit_learns(seed: int) -> None:
    label, score = _matrix(seed)
    metrics = evaluate(_columns(label, score), TASK).metrics()
    guess = (score >= 0.5).astype(int)
    assert metrics["accuracy"] == sk.accuracy_score(label, guess)
    assert metrics["hamming_loss"] == pytest.approx(sk.hamming_loss(label, guess))
    seen = [place for place in range(3) if label[:, place].any() or guess[:, place].any()]
    for average in ("micro", "macro", "weighted"):
        theirs = sk.precision_recall_fscore_support(
            label[:, seen], guess[:, seen], average=average, zero_division=0
        )
        for name, value in zip(("precision", "recall", "f1"), theirs[:3], strict=True):
            assert metrics[f"{name}.{average}"] == pytest.approx(value)
    areas = [
        sk.roc_auc_score(label[:, place], score[:, place])
        for place in range(3)
        if 0 < label[:, place].sum() < len(label)
    ]
    assert metrics["auc.macro"] == pytest.approx(np.mean(areas))
    losses = [sk.log_loss(label[:, place], score[:, place], labels=[0, 1]) for place in range(3)]
    assert metrics["logloss.macro"] == pytest.approx(np.mean(losses))


@pytest.mark.parametrize("kind", FRAMES)
def test_lists_are_the_same_as_columns(kind: str) -> None:
    label, score = _matrix(5)
    guess = score >= 0.5

    def lists(members: np.ndarray) -> list[list[str]]:
        return [[name for name, there in zip(NAMES, row, strict=True) if there] for row in members]

    frame = FRAMES[kind]({"tags": [*lists(label), None], "guess": [*lists(guess), ["cat"]]})
    task = Multilabel("tags", "guess", classes=NAMES)
    ours = evaluate(frame, task).metrics()
    columns = evaluate(_columns(label, score), TASK).metrics()
    assert ours["rows.skipped"] == 1
    for name in ("accuracy", "hamming_loss", "f1.macro", "precision.micro", "labels.mean"):
        assert ours[name] == pytest.approx(columns[name]), name


def test_a_class_twice_in_a_list_counts_once_and_empty_sets_are_right() -> None:
    frame = {"tags": [["cat"], []], "guess": [["cat", "cat"], []]}
    metrics = evaluate(frame, Multilabel("tags", "guess")).metrics()
    assert metrics["accuracy"] == metrics["f1.macro"] == 1
    nothing = evaluate({"tags": [[]], "guess": [[]]}, Multilabel("tags", "guess")).metrics()
    assert nothing["accuracy"] == 1
    assert nothing["f1.macro"] is nothing["f1.micro"] is nothing["hamming_loss"] is None


def test_parts_merge_to_the_whole() -> None:
    label, score = _matrix(8)
    one = evaluate(_columns(label[:15], score[:15]), TASK)
    two = Evaluation.from_json(evaluate(_columns(label[15:], score[15:]), TASK).to_json())
    assert same(one.merge(two).metrics(), evaluate(_columns(label, score), TASK).metrics())


def test_tasks_that_make_no_sense_are_refused() -> None:
    with pytest.raises(EvaluationError, match="needs predictions= or scores="):
        Multilabel("tags")
    with pytest.raises(EvaluationError, match="needs a column in labels="):
        Multilabel("tags", scores={"cat": "p"})

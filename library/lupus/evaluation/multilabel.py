"""Classification where a row may have several classes, or none."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Optional, Union

import numpy as np
from numpy.typing import NDArray

from lupus.errors import EvaluationError
from lupus.evaluation.calibration import logloss, require_probabilities
from lupus.evaluation.classes import averages, by_class, tallies
from lupus.evaluation.columns import Column, Columns, flattened
from lupus.evaluation.distribution import DISTINCT, Distribution, auc, average_precision
from lupus.evaluation.state import Counts, State
from lupus.evaluation.task import Task, share
from lupus.evaluation.values import Floats, Ints, name_of, names, numbers, truth
from lupus.metric import Metric

Sets = Union[str, Mapping[str, str]]


@dataclass(frozen=True)
class Multilabel(Task):
    """Sets of classes: lists in one column, or a column of 0 and 1 for each class.

    Parameters
    ----------
    labels : str or mapping of str to str
        Column of lists of classes, or each class and its column.
    predictions : str or mapping of str to str, optional
        The same of predictions; by default the classes with ``score >= threshold``.
    scores : mapping of str to str, optional
        Each class and its column of scores; ``labels`` must have a column for it.
    classes : sequence of str, optional
        All classes, for the Hamming loss; by default those of ``labels``, or those that occur.
    threshold : float
        From which score on a class is predicted.
    probability : bool
        Whether scores are probabilities: only those have logloss and Brier score.
    each : bool
        Whether there are metrics for each class besides the averages.
    distinct : int
        Distinct scores up to which the areas are exact; above, scores are rounded to 13 bits.

    Raises
    ------
    EvaluationError
        Without predictions and without scores, or when scores come without columns of labels.

    Examples
    --------
    >>> from lupus.evaluation import evaluate
    >>> rows = {"tags": [["new", "red"], []], "guess": [["red"], []]}
    >>> evaluate(rows, Multilabel("tags", "guess")).metrics()["accuracy"]
    0.5
    """

    kind: ClassVar[str] = "multilabel"
    labels: Sets
    predictions: Optional[Sets] = None
    scores: Optional[Mapping[str, str]] = None
    classes: Sequence[str] = ()
    threshold: float = 0.5
    probability: bool = True
    each: bool = True
    distinct: int = DISTINCT

    def __post_init__(self) -> None:
        if self.predictions is None and not self.scores:
            raise EvaluationError("a multilabel task needs predictions= or scores=")
        if self.scores and (
            isinstance(self.labels, str) or not set(self.scores) <= set(self.labels)
        ):
            raise EvaluationError("each class with scores= needs a column in labels=")

    def columns(self) -> list[str]:
        """Columns that it reads."""
        read: list[str] = []
        for sets in (self.labels, self.predictions, self.scores):
            read += [sets] if isinstance(sets, str) else list((sets or {}).values())
        return read

    def tally(self, columns: Columns) -> State:
        """Count rows whose sets and scores are all there."""
        scores = {
            name: numbers(columns[column], column) for name, column in (self.scores or {}).items()
        }
        used = _there(columns, self.labels)
        if self.predictions is not None:
            used &= _there(columns, self.predictions)
        for score in scores.values():
            used &= np.isfinite(score)
        labelled = _sets(columns, self.labels, used)
        if self.predictions is None:
            predicted = _members(
                {name: one >= self.threshold for name, one in scores.items()}, used
            )
        else:
            predicted = _sets(columns, self.predictions, used)
        state = _counted(labelled, predicted, used)
        for name, score in scores.items():
            assert not isinstance(self.labels, str)
            label = truth(columns[self.labels[name]], self.labels[name])
            state = state.merge(self._scored(name_of(name), label[used], score[used]))
        return state

    def measures(self, state: State) -> Iterator[Metric]:
        """Give the metrics of what was counted."""
        hits, predicted, labelled = (
            {key[0]: rows for key, rows in state.counts[name].items()}
            for name in ("hits", "predicted", "labelled")
        )
        classes = tallies(hits, predicted, labelled)
        rows = state.sums["rows"] - state.sums["skipped"]
        different = sum(one.predicted + one.labelled - 2 * one.hits for one in classes.values())
        known = self.classes or (classes if isinstance(self.labels, str) else self.labels)
        yield Metric("rows", state.sums["rows"])
        yield Metric("rows.skipped", state.sums["skipped"])
        yield Metric("accuracy", share(state.sums["exact"], rows))
        yield Metric("hamming_loss", share(different, rows * len(known)))
        yield Metric("labels.mean", share(sum(labelled.values()), rows))
        yield Metric("predictions.mean", share(sum(predicted.values()), rows))
        yield from averages(classes)
        yield from self._of_scores(state, rows)
        if self.each:
            yield from by_class(classes, rows)

    def _scored(self, name: str, label: Floats, score: Floats) -> State:
        scores = {name: Distribution.of(score, label.astype(np.int64), 2, self.distinct)}
        if not self.probability:
            return State(scores=scores)
        assert self.scores is not None
        require_probabilities(score, self.scores[name])
        lost = logloss(np.where(label == 1, score, 1 - score))
        apart = float(np.sum((score - label) ** 2))
        return State(counts={"logloss": {(name,): lost}, "brier": {(name,): apart}}, scores=scores)

    def _of_scores(self, state: State, rows: float) -> Iterator[Metric]:
        if not self.scores:
            return
        each: dict[str, dict[str, Optional[float]]] = {
            "auc": {name: auc(one) for name, one in state.scores.items()},
            "average_precision": {
                name: average_precision(one) for name, one in state.scores.items()
            },
        }
        for name in ("logloss", "brier") if self.probability else ():
            each[name] = {key[0]: share(n, rows) for key, n in state.counts[name].items()}
        for name, values in each.items():
            defined = [value for value in values.values() if value is not None]
            yield Metric(f"{name}.macro", share(sum(defined), len(defined)))
            if self.each:
                for one, value in values.items():
                    yield Metric(name, value, {"class": one})


def _there(columns: Columns, sets: Sets) -> NDArray[np.bool_]:
    if isinstance(sets, str):
        return np.array([one is not None for one in columns[sets]], dtype=np.bool_)
    each = [~np.isnan(truth(columns[column], column)) for column in sets.values()]
    return np.asarray(np.logical_and.reduce(each), dtype=np.bool_)


def _sets(columns: Columns, sets: Sets, used: NDArray[np.bool_]) -> tuple[Ints, Column]:
    """Rows and names of their classes, each once."""
    if isinstance(sets, str):
        rows, classes, _ = flattened(columns[sets][used], sets)
        return rows, classes
    members = {name: truth(columns[column], column) == 1 for name, column in sets.items()}
    return _members(members, used)


def _members(
    members: Mapping[str, NDArray[np.bool_]], used: NDArray[np.bool_]
) -> tuple[Ints, Column]:
    rows = {name: np.flatnonzero(member[used]) for name, member in members.items()}
    classes = np.empty(len(rows), dtype=object)
    classes[:] = list(rows)
    lengths = [len(one) for one in rows.values()]
    return np.concatenate([np.empty(0, np.int64), *rows.values()]), np.repeat(classes, lengths)


def _counted(
    labelled: tuple[Ints, Column], predicted: tuple[Ints, Column], used: NDArray[np.bool_]
) -> State:
    codes, classes = names(np.concatenate([labelled[1], predicted[1]]))
    there = codes >= 0
    width = max(len(classes), 1)
    pairs = np.concatenate([labelled[0], predicted[0]]) * width + codes
    first = np.arange(len(pairs)) < len(labelled[0])
    label = np.unique(pairs[there & first])
    prediction = np.unique(pairs[there & ~first])
    both = np.intersect1d(label, prediction, assume_unique=True)
    rows = int(used.sum())
    sizes = [np.bincount(one // width, minlength=rows) for one in (label, prediction, both)]
    exact = (sizes[0] == sizes[2]) & (sizes[1] == sizes[2])
    sums = {"rows": float(len(used)), "skipped": float(len(used) - rows)}
    counts: dict[str, Counts] = {
        name: {
            (classes[place],): float(number)
            for place, number in enumerate(np.bincount(one % width, minlength=width))
            if number
        }
        for name, one in (("labelled", label), ("predicted", prediction), ("hits", both))
    }
    return State({**sums, "exact": float(exact.sum())}, counts=counts)

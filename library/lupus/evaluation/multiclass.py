"""Classification into one of several classes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Optional, Union

import numpy as np

from lupus.errors import EvaluationError, FrameError
from lupus.evaluation.calibration import (
    binned,
    calibration_error,
    logloss,
    require_probabilities,
)
from lupus.evaluation.classes import averages, by_class, of_confusion
from lupus.evaluation.columns import Columns
from lupus.evaluation.distribution import DISTINCT, Distribution, auc, average_precision
from lupus.evaluation.state import Counts, State
from lupus.evaluation.task import Task, share
from lupus.evaluation.values import MISSING, Floats, Ints, name_of, names, numbers
from lupus.metric import Metric


@dataclass(frozen=True)
class Multiclass(Task):
    """A label of several classes, and a prediction, scores of the classes, or both.

    Parameters
    ----------
    label : str
        Column of labels: text, numbers or booleans.
    prediction : str, optional
        Column of predicted classes; by default the class of the highest score, the first of equals.
    scores : mapping of str to str, or str, optional
        Each class and its column of scores, or one column of lists in the order of ``classes``.
    classes : sequence of str, optional
        Names of the classes of a column of lists.
    probability : bool
        Whether scores are probabilities: only those have logloss, Brier score and calibration.
    each : bool
        Whether there are metrics for each class besides the averages.
    confusion : bool
        Whether counts by label and prediction become metrics: as many as classes squared.
    bins : int
        Equally wide bins of the calibration error.
    distinct : int
        Distinct scores up to which the areas are exact; above, scores are rounded to 13 bits.

    Raises
    ------
    EvaluationError
        Without a prediction and without scores, or for a column of lists without classes.

    Examples
    --------
    >>> from lupus.evaluation import evaluate
    >>> rows = {"animal": ["cat", "dog", "dog"], "guess": ["cat", "cat", "dog"]}
    >>> print(evaluate(rows, Multiclass("animal", "guess", each=False)).metrics()[2:5])
    accuracy 0.6666666666666666
    prediction.top_share 0.6666666666666666
    precision.micro 0.6666666666666666
    """

    kind: ClassVar[str] = "multiclass"
    label: str
    prediction: Optional[str] = None
    scores: Union[Mapping[str, str], str, None] = None
    classes: Sequence[str] = ()
    probability: bool = True
    each: bool = True
    confusion: bool = False
    bins: int = 10
    distinct: int = DISTINCT

    def __post_init__(self) -> None:
        if not self.scores and self.prediction is None:
            raise EvaluationError("a multiclass task needs prediction= or scores=")
        if isinstance(self.scores, str) and not self.classes:
            raise EvaluationError("scores in one column of lists need classes=, in their order")
        if self.bins < 1 or self.distinct < 1:
            raise EvaluationError("bins and distinct must be at least 1")

    def columns(self) -> list[str]:
        """Columns that it reads."""
        read = [self.label] + ([] if self.prediction is None else [self.prediction])
        if isinstance(self.scores, str):
            return [*read, self.scores]
        return [*read, *(self.scores or {}).values()]

    def tally(self, columns: Columns) -> State:
        """Count rows whose label, prediction and scores are there and finite."""
        labels, classes = names(columns[self.label])
        used = labels != MISSING
        scores = self._scores(columns, len(labels))
        if scores is not None:
            used &= np.isfinite(scores).all(axis=1)
        if self.prediction is not None:
            predicted, guesses = names(columns[self.prediction])
            used &= predicted != MISSING
        else:
            assert scores is not None
            predicted = np.zeros(len(labels), dtype=np.int64)
            predicted[used] = np.argmax(scores[used], axis=1)
            guesses = self._names()
        sums = {"rows": float(len(used)), "skipped": float(len(used) - used.sum())}
        confusion = _pairs(labels[used], classes, predicted[used], guesses)
        state = State(sums, counts={"confusion": confusion})
        if scores is None:
            return state
        return state.merge(self._scored(labels[used], classes, scores[used]))

    def measures(self, state: State) -> Iterator[Metric]:
        """Give the metrics of what was counted."""
        confusion = state.counts["confusion"]
        classes = of_confusion(confusion)
        rows = state.sums["rows"] - state.sums["skipped"]
        yield Metric("rows", state.sums["rows"])
        yield Metric("rows.skipped", state.sums["skipped"])
        yield Metric("accuracy", share(sum(one.hits for one in classes.values()), rows))
        most = max((one.predicted for one in classes.values()), default=0.0)
        yield Metric("prediction.top_share", share(most, rows))
        yield from averages(classes)
        if self.scores:
            yield from self._of_scores(state, rows)
        if self.each:
            yield from by_class(classes, rows)
        if self.confusion:
            for (label, prediction), count in sorted(confusion.items()):
                yield Metric("confusion", float(count), {"class": label, "predicted": prediction})

    def _names(self) -> list[str]:
        given = self.classes if isinstance(self.scores, str) else (self.scores or {})
        return [name_of(one) for one in given]

    def _scores(self, columns: Columns, rows: int) -> Optional[Floats]:
        if not self.scores:
            return None
        if isinstance(self.scores, str):
            scores = _lists(columns[self.scores], self.scores, len(self.classes))
        else:
            each = [numbers(columns[name], name) for name in self.scores.values()]
            scores = np.stack(each, axis=1)
        if self.probability:
            where = self.scores if isinstance(self.scores, str) else ", ".join(self.scores.values())
            require_probabilities(scores[np.isfinite(scores)], where)
        return scores.reshape(rows, scores.shape[1])

    def _scored(self, labels: Ints, classes: list[str], scores: Floats) -> State:
        known = self._names()
        place = np.array([known.index(one) if one in known else MISSING for one in classes] or [0])
        at = place[labels] if len(labels) else labels
        right = at[:, None] == np.arange(len(known))
        each = {
            name: Distribution.of(scores[:, column], right[:, column] * 1, 2, self.distinct)
            for column, name in enumerate(known)
        }
        if not self.probability:
            return State(scores=each)
        top = np.argmax(scores, axis=1) if len(scores) else at
        sums = {
            "logloss": logloss((scores * right).sum(axis=1)),
            "brier": float(np.sum((scores - right) ** 2) + np.sum(at == MISSING)),
        }
        confidence = scores[np.arange(len(scores)), top]
        bins = binned(confidence, (top == at).astype(np.float64), self.bins)
        return State(sums, counts={"bins": bins}, scores=each)

    def _of_scores(self, state: State, rows: float) -> Iterator[Metric]:
        for name, area in (("auc", auc), ("average_precision", average_precision)):
            areas = {one: area(scores) for one, scores in state.scores.items()}
            defined = [value for value in areas.values() if value is not None]
            yield Metric(f"{name}.macro", share(sum(defined), len(defined)))
            if self.each:
                for one, value in areas.items():
                    yield Metric(name, value, {"class": one})
        if self.probability:
            yield Metric("logloss", share(state.sums["logloss"], rows))
            yield Metric("brier", share(state.sums["brier"], rows))
            yield Metric("ece", calibration_error(state.counts["bins"]))


def _pairs(labels: Ints, classes: list[str], predicted: Ints, guesses: list[str]) -> Counts:
    pairs = np.bincount(labels * len(guesses) + predicted)
    return {
        (classes[at // len(guesses)], guesses[at % len(guesses)]): float(pairs[at])
        for at in np.flatnonzero(pairs).tolist()
    }


def _lists(column: np.ndarray, name: str, length: int) -> Floats:
    scores = np.full((len(column), length), np.nan)
    for row, values in enumerate(column):
        if values is None:
            continue
        if not np.ndim(values) or len(values) != length:
            raise FrameError(
                f"column {name!r} must hold lists of {length} scores, one a class, not {values!r}"
            )
        scores[row] = numbers(np.asarray(values), name)
    return scores

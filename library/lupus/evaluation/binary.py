"""Binary classification."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Optional, Union

import numpy as np

from lupus.errors import EvaluationError
from lupus.evaluation.calibration import (
    binned,
    calibration_error,
    logloss,
    require_probabilities,
)
from lupus.evaluation.classes import RATES, Tally
from lupus.evaluation.columns import Columns
from lupus.evaluation.distribution import (
    DISTINCT,
    Distribution,
    auc,
    auc_error,
    average_precision,
)
from lupus.evaluation.state import State
from lupus.evaluation.task import Task, share
from lupus.evaluation.values import Floats, numbers, truth
from lupus.metric import Metric


@dataclass(frozen=True)
class Binary(Task):
    """A label of two classes, and a score, a prediction, or both.

    Parameters
    ----------
    label : str
        Column of labels: 0 and 1, False and True, or anything when ``positive`` says which.
    score : str, optional
        Column of scores, higher for the positive class.
    prediction : str, optional
        Column of predicted classes; by default ``score >= threshold``.
    positive : str, int or bool, optional
        The positive class where classes are not 0 and 1.
    threshold : float
        From which score on the positive class is predicted.
    probability : bool
        Whether scores are probabilities: only those have logloss, Brier score and calibration.
    bins : int
        Equally wide bins of the calibration error.
    distinct : int
        Distinct scores up to which the areas are exact; above, scores are rounded to 13 bits.

    Raises
    ------
    EvaluationError
        Without a score and without a prediction.

    Examples
    --------
    >>> from lupus.evaluation import evaluate
    >>> rows = {"clicked": [0, 1, 1, 0], "p": [0.1, 0.8, 0.4, 0.4]}
    >>> metrics = evaluate(rows, Binary("clicked", "p")).metrics()
    >>> metrics["auc"], metrics["recall"]
    (0.875, 0.5)
    """

    kind: ClassVar[str] = "binary"
    label: str
    score: Optional[str] = None
    prediction: Optional[str] = None
    positive: Union[str, int, bool, None] = None
    threshold: float = 0.5
    probability: bool = True
    bins: int = 10
    distinct: int = DISTINCT

    def __post_init__(self) -> None:
        if self.score is None and self.prediction is None:
            raise EvaluationError("a binary task needs score= or prediction=, the name of a column")
        if self.bins < 1 or self.distinct < 1:
            raise EvaluationError("bins and distinct must be at least 1")

    def columns(self) -> list[str]:
        """Columns that it reads."""
        return [name for name in (self.label, self.score, self.prediction) if name is not None]

    def tally(self, columns: Columns) -> State:
        """Count rows whose label, score and prediction are there and finite."""
        label = truth(columns[self.label], self.label, self.positive)
        used = np.isfinite(label)
        score, predicted = None, None
        if self.score is not None:
            score = numbers(columns[self.score], self.score)
            used &= np.isfinite(score)
        if self.prediction is not None:
            predicted = truth(columns[self.prediction], self.prediction, self.positive)
            used &= np.isfinite(predicted)
        label = label[used]
        score = None if score is None else score[used]
        if predicted is not None:
            predicted = predicted[used]
        else:
            assert score is not None
            predicted = (score >= self.threshold).astype(np.float64)
        sums = {
            "rows": len(used),
            "skipped": len(used) - len(label),
            "positives": float(label.sum()),
            "predicted": float(predicted.sum()),
            "hits": float(np.dot(label, predicted)),
        }
        return State(sums) if score is None else State(sums).merge(self._scored(label, score))

    def measures(self, state: State) -> Iterator[Metric]:
        """Give the metrics of what was counted."""
        sums = state.sums
        rows = sums["rows"] - sums["skipped"]
        tally = Tally(sums["hits"], sums["predicted"], sums["positives"])
        false_positives = tally.predicted - tally.hits
        false_negatives = tally.labelled - tally.hits
        true_negatives = rows - tally.hits - false_positives - false_negatives
        yield Metric("rows", float(sums["rows"]))
        yield Metric("rows.skipped", float(sums["skipped"]))
        yield Metric("true_positives", float(tally.hits))
        yield Metric("false_positives", float(false_positives))
        yield Metric("false_negatives", float(false_negatives))
        yield Metric("true_negatives", float(true_negatives))
        yield Metric("label.share", share(tally.labelled, rows))
        yield Metric("prediction.share", share(tally.predicted, rows))
        yield Metric("accuracy", share(tally.hits + true_negatives, rows))
        for rate in RATES:
            yield Metric(rate, getattr(tally, rate))
        if self.score is not None:
            yield from self._of_scores(state, rows)

    def _scored(self, label: Floats, score: Floats) -> State:
        scores = Distribution.of(score, label.astype(np.int64), 2, self.distinct)
        if not self.probability:
            return State(scores={"score": scores})
        assert self.score is not None
        require_probabilities(score, self.score)
        sums = {
            "logloss": logloss(np.where(label == 1, score, 1 - score)),
            "brier": float(np.sum((score - label) ** 2)),
            "score": float(score.sum()),
        }
        bins = {"bins": binned(score, label, self.bins)}
        return State(sums, counts=bins, scores={"score": scores})

    def _of_scores(self, state: State, rows: float) -> Iterator[Metric]:
        scores = state.scores["score"]
        yield Metric("auc", auc(scores))
        if scores.rounded:
            yield Metric("auc.error", auc_error(scores))
        yield Metric("average_precision", average_precision(scores))
        if self.probability:
            sums = state.sums
            yield Metric("logloss", share(sums["logloss"], rows))
            yield Metric("brier", share(sums["brier"], rows))
            yield Metric("ece", calibration_error(state.counts["bins"]))
            yield Metric("score.mean", share(sums["score"], rows))
            yield Metric("bias", share(sums["score"] - sums["positives"], rows))
            yield Metric("bias.share", share(sums["score"] - sums["positives"], sums["positives"]))

"""Precision, recall and F1 of classes, and their averages: one definition for every task."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Optional

from lupus.evaluation.state import Counts
from lupus.evaluation.task import share
from lupus.metric import Metric


@dataclass(frozen=True)
class Tally:
    """Rows of one class: in label and prediction, in the prediction, in the label."""

    hits: float
    predicted: float
    labelled: float

    @property
    def precision(self) -> Optional[float]:
        """Hits of what was predicted; None when nothing was."""
        return share(self.hits, self.predicted)

    @property
    def recall(self) -> Optional[float]:
        """Hits of what was there; None when nothing was."""
        return share(self.hits, self.labelled)

    @property
    def f1(self) -> Optional[float]:
        """Twice the hits of what was predicted and what was there; None when neither was."""
        return share(2 * self.hits, self.predicted + self.labelled)


RATES = ("precision", "recall", "f1")


def of_confusion(confusion: Counts) -> dict[str, Tally]:
    """Give tallies by class of counts by label and prediction, sorted by class."""
    hits: dict[str, float] = {}
    labelled: dict[str, float] = {}
    predicted: dict[str, float] = {}
    for (label, prediction), rows in confusion.items():
        labelled[label] = labelled.get(label, 0) + rows
        predicted[prediction] = predicted.get(prediction, 0) + rows
        if label == prediction:
            hits[label] = rows
    return tallies(hits, predicted, labelled)


def tallies(
    hits: Mapping[str, float], predicted: Mapping[str, float], labelled: Mapping[str, float]
) -> dict[str, Tally]:
    """Give tallies of classes that are in labels or predictions, sorted by class."""
    return {
        name: Tally(hits.get(name, 0), predicted.get(name, 0), labelled.get(name, 0))
        for name in sorted({*predicted, *labelled}, key=natural)
        if predicted.get(name, 0) or labelled.get(name, 0)
    }


def averages(classes: Mapping[str, Tally]) -> Iterator[Metric]:
    """Give micro, macro and weighted averages over classes that are in labels or predictions."""
    each = list(classes.values())
    whole = Tally(
        sum(one.hits for one in each),
        sum(one.predicted for one in each),
        sum(one.labelled for one in each),
    )
    for rate in RATES:
        values = [getattr(one, rate) or 0.0 for one in each]
        weighted = sum(value * one.labelled for value, one in zip(values, each))
        yield Metric(f"{rate}.micro", getattr(whole, rate))
        yield Metric(f"{rate}.macro", share(sum(values), len(values)))
        yield Metric(f"{rate}.weighted", share(weighted, whole.labelled))


def by_class(classes: Mapping[str, Tally], rows: float) -> Iterator[Metric]:
    """Give counts, precision, recall, F1 and bias with a label ``class``."""
    for name, one in classes.items():
        labels = {"class": name}
        yield Metric("labels", float(one.labelled), labels)
        yield Metric("predictions", float(one.predicted), labels)
        for rate in RATES:
            yield Metric(rate, getattr(one, rate), labels)
        yield Metric("bias", share(one.predicted - one.labelled, rows), labels)
        yield Metric("bias.share", share(one.predicted - one.labelled, one.labelled), labels)


def natural(name: str) -> tuple[int, float, str]:
    """Order of classes: numbers by size, then text."""
    try:
        return (0, float(name), name)
    except ValueError:
        return (1, 0.0, name)

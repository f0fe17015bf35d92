"""Regression: how far predicted numbers are from the true ones."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from lupus.errors import EvaluationError
from lupus.evaluation.columns import Columns
from lupus.evaluation.state import Moments, State
from lupus.evaluation.task import Task, share
from lupus.evaluation.values import Floats, numbers
from lupus.metric import Metric

CONSTANT = 1e-12  # deviation beside the mean from which on labels vary


@dataclass(frozen=True)
class Regression(Task):
    """A number and what was predicted for it.

    Parameters
    ----------
    label, prediction : str
        Columns of true and predicted numbers.
    quantiles : mapping of str to float, optional
        Columns of predicted quantiles and which quantile each is, such as ``{"p90": 0.9}``.

    Raises
    ------
    EvaluationError
        If a quantile is not between 0 and 1.

    Examples
    --------
    >>> from lupus.evaluation import evaluate
    >>> rows = {"sold": [10.0, 20.0], "expected": [12.0, 18.0]}
    >>> evaluate(rows, Regression("sold", "expected")).metrics()["mape"]
    0.15000000000000002
    """

    kind: ClassVar[str] = "regression"
    label: str
    prediction: str
    quantiles: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, quantile in self.quantiles.items():
            if not 0 < quantile < 1:
                raise EvaluationError(
                    f"quantile of column {name!r} must be between 0 and 1: {quantile}"
                )

    def columns(self) -> list[str]:
        """Columns that it reads."""
        return [self.label, self.prediction, *self.quantiles]

    def tally(self, columns: Columns) -> State:
        """Count rows whose numbers are all there and finite."""
        every = {name: numbers(columns[name], name) for name in self.columns()}
        used = np.logical_and.reduce([np.isfinite(one) for one in every.values()])
        label, prediction = every[self.label][used], every[self.prediction][used]
        error = prediction - label
        zero = label == 0
        sums = {
            "rows": float(len(used)),
            "skipped": float(len(used) - used.sum()),
            "error": float(error.sum()),
            "absolute": float(np.abs(error).sum()),
            "squared": float(np.dot(error, error)),
            "label": float(label.sum()),
            "size": float(np.abs(label).sum()),
            "zeros": float(zero.sum()),
            "percentage": float(np.sum(np.abs(error[~zero] / label[~zero]))),
        }
        for name, quantile in self.quantiles.items():
            sums[f"pinball {name}"] = _pinball(label, every[name][used], quantile)
            sums[f"below {name}"] = float(np.sum(label <= every[name][used]))
        peaks = {"absolute": float(np.abs(error).max())} if len(error) else {}
        moments = {"label": Moments.of(label), "prediction": Moments.of(prediction)}
        return State(sums, peaks, moments=moments)

    def measures(self, state: State) -> Iterator[Metric]:
        """Give the metrics of what was counted."""
        sums = state.sums
        rows = sums["rows"] - sums["skipped"]
        mse = share(sums["squared"], rows)
        label = state.moments["label"]
        least = CONSTANT * label.mean
        constant = label.squares <= rows * least * least
        yield Metric("rows", sums["rows"])
        yield Metric("rows.skipped", sums["skipped"])
        yield Metric("mae", share(sums["absolute"], rows))
        yield Metric("mse", mse)
        yield Metric("rmse", None if mse is None else float(np.sqrt(mse)))
        yield Metric("r2", None if constant else 1 - sums["squared"] / label.squares)
        yield Metric("mape", share(sums["percentage"], rows - sums["zeros"]))
        yield Metric("mape.skipped", sums["zeros"])
        yield Metric("wape", share(sums["absolute"], sums["size"]))
        yield Metric("max_error", state.peaks.get("absolute"))
        yield Metric("bias", share(sums["error"], rows))
        yield Metric("bias.share", share(sums["error"], sums["label"]))
        for name in ("label", "prediction"):
            yield Metric(f"{name}.mean", state.moments[name].mean if rows else None)
        for name, quantile in self.quantiles.items():
            labels = {"quantile": f"{quantile:g}"}
            yield Metric("quantile_loss", share(sums[f"pinball {name}"], rows), labels)
            yield Metric("quantile_coverage", share(sums[f"below {name}"], rows), labels)


def _pinball(label: Floats, predicted: Floats, quantile: float) -> float:
    apart = label - predicted
    return float(np.sum(np.maximum(quantile * apart, (quantile - 1) * apart)))

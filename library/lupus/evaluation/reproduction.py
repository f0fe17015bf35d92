"""Whether predictions made online come out the same offline."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Union

import numpy as np
from numpy.typing import NDArray

from lupus.errors import EvaluationError
from lupus.evaluation.columns import Column, Columns
from lupus.evaluation.groups import group_codes
from lupus.evaluation.state import State
from lupus.evaluation.task import Task, share
from lupus.evaluation.values import MISSING, Floats, Ints, names, numbers
from lupus.metric import Metric

SIDE = "lupus_side"
ONLINE, OFFLINE = 0, 1


@dataclass(frozen=True)
class Reproduction(Task):
    """Predictions of both sides, one below the other; ``reproduce`` makes such a frame.

    Parameters
    ----------
    key : str or sequence of str
        Columns that tell which prediction is which.
    prediction : str
        Column of predictions: numbers, or text, which must be equal.
    tolerance : float
        By how much numbers may differ.
    relative : float
        By which share of the offline number they may differ besides.
    side : str
        Column that is 0 online and 1 offline.

    Raises
    ------
    EvaluationError
        If a tolerance is negative or there is no key.
    """

    kind: ClassVar[str] = "reproduction"
    key: Union[str, Sequence[str]]
    prediction: str
    tolerance: float = 1e-6
    relative: float = 0.0
    side: str = SIDE

    def __post_init__(self) -> None:
        if not self.key:
            raise EvaluationError("key= needs at least one column")
        if not (self.tolerance >= 0 and self.relative >= 0):
            raise EvaluationError("tolerance and relative must be 0 or more")

    def together(self) -> list[str]:
        """Columns whose equal rows must be counted at once."""
        return [self.key] if isinstance(self.key, str) else list(self.key)

    def columns(self) -> list[str]:
        """Columns that it reads."""
        return [*self.together(), self.prediction, self.side]

    def tally(self, columns: Columns) -> State:
        """Count keys; of a key that is there twice on a side all predictions must be the same."""
        side = numbers(columns[self.side], self.side)
        keys = [names(columns[name]) for name in self.together()]
        used = np.logical_and.reduce([codes != MISSING for codes, _ in keys])
        code, there = group_codes([(codes[used], values) for codes, values in keys])
        value, text = _comparable(columns[self.prediction], self.prediction)
        value = value[used]
        online = _spans(code, value, side[used] == ONLINE, len(there))
        offline = _spans(code, value, side[used] == OFFLINE, len(there))
        both = (online.rows > 0) & (offline.rows > 0)
        apart = np.maximum(
            _distance(online.low[both], offline.low[both]),
            _distance(online.high[both], offline.high[both]),
        )
        size = np.abs(np.where(np.isfinite(offline.low[both]), offline.low[both], 0))
        allowed = 0.0 if text else self.tolerance + self.relative * size
        sums = {
            "rows": float(len(used)),
            "skipped": float(len(used) - used.sum()),
            "keys": float(len(there)),
            "both": float(both.sum()),
            "same": float(np.sum(apart <= allowed)),
            "only_online": float(np.sum(online.rows * (offline.rows == 0) > 0)),
            "only_offline": float(np.sum(offline.rows * (online.rows == 0) > 0)),
            "no_prediction": float(np.sum((online.rows == 0) & (offline.rows == 0))),
            "twice_online": float(np.sum(online.rows > 1)),
            "twice_offline": float(np.sum(offline.rows > 1)),
        }
        if text:
            return State(sums)
        sums["apart"] = float(apart[np.isfinite(apart)].sum())
        return State(sums, {"apart": float(apart.max())} if len(apart) else {})

    def measures(self, state: State) -> Iterator[Metric]:
        """Give the metrics of what was counted."""
        sums = state.sums
        yield Metric("rows", sums["rows"])
        yield Metric("rows.skipped", sums["skipped"])
        yield Metric("keys", sums["keys"])
        yield Metric("reproduction_rate", share(sums["same"], sums["both"]))
        yield Metric("missing.online", share(sums["only_offline"], sums["keys"]))
        yield Metric("missing.offline", share(sums["only_online"], sums["keys"]))
        yield Metric("missing.both", share(sums["no_prediction"], sums["keys"]))
        yield Metric("duplicates.online", share(sums["twice_online"], sums["keys"]))
        yield Metric("duplicates.offline", share(sums["twice_offline"], sums["keys"]))
        if "apart" in sums:
            yield Metric("difference.mean", share(sums["apart"], sums["both"]))
            yield Metric("difference.max", state.peaks.get("apart"))


@dataclass(frozen=True)
class _Spans:
    """Of each key: predictions that are there, the lowest and the highest."""

    rows: Ints
    low: Floats
    high: Floats


def _spans(code: Ints, value: Floats, side: NDArray[np.bool_], keys: int) -> _Spans:
    there = side & ~np.isnan(value)
    low, high = np.full(keys, np.inf), np.full(keys, -np.inf)
    np.minimum.at(low, code[there], value[there])
    np.maximum.at(high, code[there], value[there])
    return _Spans(np.bincount(code[there], minlength=keys), low, high)


def _distance(one: Floats, two: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.where(one == two, 0.0, np.abs(one - two))  # infinite ones may be equal


def _comparable(column: Column, name: str) -> tuple[Floats, bool]:
    """Give numbers, or numbers that stand for texts, and whether they do."""
    if column.dtype.kind == "O" and any(isinstance(value, str) for value in column):
        codes, _ = names(column)
        return np.where(codes == MISSING, np.nan, codes.astype(np.float64)), True
    return numbers(column, name), False

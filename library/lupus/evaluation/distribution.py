"""How many rows have which value: exact as long as there are few values, then finely rounded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from lupus.evaluation.values import Floats, Ints

DISTINCT = 100_000
_BITS = 13


@dataclass(frozen=True)
class Distribution:
    """Sorted distinct values and how many rows of each of several kinds have them.

    Above ``distinct`` values all are rounded once to 13 significant bits (0.012 %), of the distance
    to the nearer end where they are between 0 and 1. Whether that happens, and to which value,
    depends on the values alone: parts merge in any order to the same distribution.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Ascending.
    rows : ndarray, shape (n, kinds)
        Rows of each kind, such as negative and positive.
    distinct : int
        Most values that are kept as they are.
    rounded : bool
        Whether values were rounded.
    """

    values: Floats
    rows: Ints
    distinct: int = DISTINCT
    rounded: bool = False

    @classmethod
    def of(
        cls, values: Floats, kind: Optional[Ints] = None, kinds: int = 1, distinct: int = DISTINCT
    ) -> "Distribution":
        """Count finite values; ``kind`` is each row's kind."""
        there, codes = np.unique(values + 0.0, return_inverse=True)  # -0.0 becomes 0.0
        codes = codes.reshape(-1) * kinds + (0 if kind is None else kind)
        rows = np.bincount(codes, minlength=len(there) * kinds).reshape(-1, kinds)
        return cls(there, rows.astype(np.int64), distinct).small()

    def merge(self, other: "Distribution") -> "Distribution":
        """Count the rows of both."""
        one, two = self, other
        if one.rounded != two.rounded:
            one, two = one.round(), two.round()
        values, codes = np.unique(np.concatenate([one.values, two.values]), return_inverse=True)
        rows = np.zeros((len(values), one.rows.shape[1]), dtype=np.int64)
        codes = codes.reshape(-1)
        rows[codes[: len(one.values)]] += one.rows
        rows[codes[len(one.values) :]] += two.rows
        limit = min(self.distinct, other.distinct)
        return Distribution(values, rows, limit, one.rounded).small()

    def to_dict(self) -> dict[str, Any]:
        """Give what JSON can hold."""
        return {
            "values": self.values.tolist(),
            "rows": self.rows.T.tolist(),
            "distinct": self.distinct,
            "rounded": self.rounded,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Distribution":
        """Read what ``to_dict`` gave."""
        values = np.array(document["values"], dtype=np.float64)
        rows = np.array(document["rows"], dtype=np.int64)
        return cls(
            values,
            rows.reshape(len(rows), len(values)).T,
            int(document["distinct"]),
            bool(document["rounded"]),
        )

    def small(self) -> "Distribution":
        """Give the same, rounded if there are too many values."""
        return self if self.rounded or len(self.values) <= self.distinct else self.round()

    def round(self) -> "Distribution":
        """Give the same with values rounded."""
        if self.rounded:
            return self
        values, codes = np.unique(_rounded(self.values), return_inverse=True)
        rows = np.zeros((len(values), self.rows.shape[1]), dtype=np.int64)
        np.add.at(rows, codes.reshape(-1), self.rows)
        return Distribution(values, rows, self.distinct, rounded=True)


def auc(scores: Distribution) -> Optional[float]:
    """Area under the ROC curve; None without a negative or without a positive row.

    It is the probability that a random positive row scores above a random negative one, where
    equal scores count one half.
    """
    negative, positive = _kinds(scores)
    pairs = negative.sum() * positive.sum()
    if not pairs:
        return None
    below = np.cumsum(negative) - negative
    return float(np.dot(positive, below + negative / 2) / pairs)


def auc_error(scores: Distribution) -> float:
    """By how much rounding may have moved the area at most; 0 where nothing was rounded."""
    negative, positive = _kinds(scores)
    pairs = negative.sum() * positive.sum()
    return float(np.dot(negative, positive) / pairs / 2) if scores.rounded and pairs else 0.0


def average_precision(scores: Distribution) -> Optional[float]:
    """Sum of precision times gain in recall over falling thresholds; None without a positive row.

    Rows of equal score pass a threshold together; nothing is interpolated.
    """
    negative, positive = _kinds(scores)
    if not positive.sum():
        return None
    found = np.cumsum(positive[::-1])
    predicted = found + np.cumsum(negative[::-1])
    return float(np.dot(positive[::-1], found / np.maximum(predicted, 1)) / positive.sum())


def _kinds(scores: Distribution) -> tuple[Floats, Floats]:
    rows = scores.rows.astype(np.float64)
    return rows[:, 0], rows[:, 1]


def _rounded(values: Floats) -> NDArray[np.float64]:
    upper = (values > 0.5) & (values <= 1)
    mantissa, exponent = np.frexp(np.where(upper, 1 - values, values))
    near = np.ldexp(np.round(np.ldexp(mantissa, _BITS)), exponent - _BITS)
    rounded: Floats = np.where(upper, 1 - near, near) + 0.0
    return rounded

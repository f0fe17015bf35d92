"""One judged cell with all that its verdict follows from, as facts and back."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from detectors.bands import Bands
from detectors.decision import Decision
from detectors.explain.account import plain
from detectors.explain.explanation import Scalar
from detectors.finish import OutputRules, decide
from detectors.series import Floats

_BANDS = ("expected", "lower", "upper")
_NUMBERS = (*_BANDS, "baseline_size", "centre", "score", "difference")
_FLAGS = ("insufficient", "spreadless", "member")


@dataclass(frozen=True, slots=True)
class Cell:
    """A value and its bands as the detector gave them; None where it gave none.

    Attributes
    ----------
    value : float
        NaN without data.
    expected, lower, upper, baseline_size, insufficient, spreadless, centre, member, score, \
difference, severity
        As in `Bands`.
    is_last : bool
        Whether the slot is the last one that the series reports.
    """

    value: float
    expected: float
    lower: float
    upper: float
    baseline_size: float | None = None
    insufficient: bool | None = None
    spreadless: bool | None = None
    centre: float | None = None
    member: bool | None = None
    score: float | None = None
    difference: float | None = None
    severity: int | None = None
    is_last: bool = False

    @classmethod
    def of(cls, values: Floats, bands: Bands, column: int, is_last: bool) -> "Cell":
        """Cut one judged column out of the bands of one series, values of shape (1, m)."""

        def at(name: str) -> Scalar:
            array = getattr(bands, name)
            if array is None:
                return None
            item: Scalar = np.broadcast_to(array, values.shape)[0, column].item()
            return item

        given = {item.name: at(item.name) for item in fields(cls)[1:-1]}
        return cls(value=float(values[0, column]), is_last=is_last, **given)  # type: ignore[arg-type]

    @classmethod
    def read(cls, fact: Callable[[str], Scalar]) -> "Cell":
        """Look the fields up as facts. What is NaN was written as none, which judges alike."""
        given = {item.name: fact(item.name) for item in fields(cls)}
        for name in ("value", *_BANDS):
            given[name] = np.nan if given[name] is None else given[name]
        return cls(**given)  # type: ignore[arg-type]

    def fact(self, name: str) -> Scalar:
        """One field as a fact."""
        return plain(getattr(self, name))

    def decide(self, rules: OutputRules) -> Decision:
        """Judge the cell alone: arrays of shape (1, 1)."""

        def one(name: str, kind: type) -> object:
            value = getattr(self, name)
            return None if value is None else np.array([[value]], kind)

        bands = Bands(
            **{name: one(name, np.float64) for name in _NUMBERS},  # type: ignore[arg-type]
            **{name: one(name, np.bool_) for name in _FLAGS},  # type: ignore[arg-type]
            severity=one("severity", np.int8),  # type: ignore[arg-type]
        )
        return decide(rules, np.array([[self.value]]), [0 if self.is_last else None], bands)

"""The one shape in which every detector answers."""

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from detectors.series import Floats

if TYPE_CHECKING:
    from detectors.auto import Choice
    from detectors.decision import Decision

Codes = NDArray[np.int8]
Flags = NDArray[np.bool_]


class Severity(IntEnum):
    """How far beyond its bound an anomaly is; the int8 codes of `Result.severity`."""

    NONE = 0
    WARNING = 1
    MAJOR = 2
    CRITICAL = 3


class Direction(IntEnum):
    """The side on which a point left its band; the int8 codes of `Result.direction`."""

    DOWN = -1
    NONE = 0
    UP = 1


class Reason(IntEnum):
    """Why a row says what it says; the int8 codes of `Result.reason`.

    NO_DATA and INSUFFICIENT_HISTORY rows were not judged; all others were.
    """

    OK = 0
    NO_DATA = 1
    INSUFFICIENT_HISTORY = 2
    ZERO_VARIANCE = 3
    BELOW_MIN_CHANGE = 4
    NOT_CONSECUTIVE = 5


@dataclass(frozen=True, slots=True)
class Change:
    """A lasting change of a series' level or slope.

    Attributes
    ----------
    time : datetime64[ms]
        UTC; the first point of the new regime.
    kind : "level" or "slope"
    size : float
        In units of the value; of a slope, units a day.
    confidence : float
        From 0 to 1: one less the share of series without any change in which as much is found.
    earliest, latest : datetime64[ms]
        The dates between them are 95 % sure to hold the true one.
    """

    time: np.datetime64
    kind: Literal["level", "slope"]
    size: float
    confidence: float
    earliest: np.datetime64
    latest: np.datetime64


@dataclass(frozen=True, eq=False, slots=True)
class Block:
    """What the results of s series over the same m slots are rows of; columns of shape (s, m)."""

    times: NDArray[np.datetime64]
    values: Floats
    decision: "Decision"
    expected_trend: Floats | None = None

    def part(self, row: int, columns: slice) -> "Block":
        """Copy some columns of one row."""
        cut = (slice(row, row + 1), columns)
        trend = self.expected_trend
        return Block(
            self.times[cut].copy(),
            self.values[cut].copy(),
            self.decision.part(cut),
            None if trend is None else trend[cut].copy(),
        )


@dataclass(eq=False, repr=False, slots=True)
class Result:
    """One row for every checked point and every expected step without one, in time order.

    Columns are views, of memory that the results of one call share: copy what you write to, and
    what you keep of few of them. Constant columns may be broadcast (read-only, stride 0), `values`
    may be a read-only view of the series' own, and what follows from other columns is made for all
    the results that share memory when it is first read.

    Attributes
    ----------
    times : ndarray of datetime64[ms], shape (n,)
        UTC; a point's own timestamp, or the grid's for a step without a point.
    values : ndarray of float64, shape (n,)
        The point's value; not finite where there is no data.
    expected, lower, upper : ndarray of float64, shape (n,)
        Centre and bounds after all floors and clips. NaN where the row was not judged, and for a
        bound that does not exist.
    score : ndarray of float64, shape (n,)
        1 is the bound; above 1 exactly where `is_anomaly`, but for `no_data="anomaly"`, where it
        is NaN as on every row that was not judged. At most 1e6.
    is_anomaly : ndarray of bool, shape (n,)
    severity, direction, reason : ndarray of int8, shape (n,)
        Codes of `Severity`, `Direction` and `Reason`. `direction` names the side of every point
        beyond its bound, also of one held back by `consecutive`.
    expected_trend : ndarray of float64, shape (n,), or None
        A second centre that follows the trend, where a detector has one.
    changes : tuple of Change
        What the anomalies of a detector of changes are, in time order: one for each of them.
    chosen : Choice or None
        The detector that `auto` took for the series, and why.
    """

    block: Block
    row: int
    first: int  # columns of the block that this series has rows for
    stop: int
    changes: tuple[Change, ...] = ()
    chosen: "Choice | None" = None

    def __len__(self) -> int:
        return self.stop - self.first

    def __repr__(self) -> str:
        return f"Result({len(self)} rows, {int(self.is_anomaly.sum())} anomalies)"

    @property
    def times(self) -> NDArray[np.datetime64]:  # noqa: D102 - said above, as of all columns
        return self.block.times[self.row, self.first : self.stop]

    @property
    def values(self) -> Floats:  # noqa: D102
        return self.block.values[self.row, self.first : self.stop]

    @property
    def expected(self) -> Floats:  # noqa: D102
        return self.block.decision.expected[self.row, self.first : self.stop]

    @property
    def lower(self) -> Floats:  # noqa: D102
        return self.block.decision.lower[self.row, self.first : self.stop]

    @property
    def upper(self) -> Floats:  # noqa: D102
        return self.block.decision.upper[self.row, self.first : self.stop]

    @property
    def score(self) -> Floats:  # noqa: D102
        return self.block.decision.score[self.row, self.first : self.stop]

    @property
    def is_anomaly(self) -> Flags:  # noqa: D102
        return self.block.decision.is_anomaly[self.row, self.first : self.stop]

    @property
    def severity(self) -> Codes:  # noqa: D102
        return self.block.decision.severity[self.row, self.first : self.stop]

    @property
    def direction(self) -> Codes:  # noqa: D102
        return self.block.decision.direction[self.row, self.first : self.stop]

    @property
    def reason(self) -> Codes:  # noqa: D102
        return self.block.decision.reason[self.row, self.first : self.stop]

    @property
    def expected_trend(self) -> Floats | None:  # noqa: D102
        trend = self.block.expected_trend
        return None if trend is None else trend[self.row, self.first : self.stop]

    @property
    def judged(self) -> Flags:
        """Which rows got a verdict: all but no_data and insufficient_history; shape (n,)."""
        judged: Flags = ~np.isin(self.reason, (Reason.NO_DATA, Reason.INSUFFICIENT_HISTORY))
        return judged

    def __reduce__(self) -> tuple[type["Result"], tuple[Any, ...]]:
        """Pickle the own rows, and none of the others of the block."""
        own = self.block.part(self.row, slice(self.first, self.stop))
        return Result, (own, 0, 0, len(self), self.changes, self.chosen)

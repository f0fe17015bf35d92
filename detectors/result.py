"""The one shape in which every detector answers."""

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from detectors.series import Floats

if TYPE_CHECKING:
    from detectors.auto import Choice

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
class Result:
    """One row for every checked point and every expected step without one, in time order.

    Constant columns may be broadcast (read-only, stride 0), and `values` may be a read-only view of
    the series' own; copy before writing.

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

    times: NDArray[np.datetime64]
    values: Floats
    expected: Floats
    lower: Floats
    upper: Floats
    score: Floats
    is_anomaly: Flags
    severity: Codes
    direction: Codes
    reason: Codes
    expected_trend: Floats | None = None
    changes: tuple[Change, ...] = ()
    chosen: "Choice | None" = None

    def __len__(self) -> int:
        return len(self.times)

    @property
    def judged(self) -> Flags:
        """Which rows got a verdict: all but no_data and insufficient_history; shape (n,)."""
        judged: Flags = ~np.isin(self.reason, (Reason.NO_DATA, Reason.INSUFFICIENT_HISTORY))
        return judged

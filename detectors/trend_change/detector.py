"""The detector of trend changes: parameters, what is tested and what a season is."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from detectors.bands import Bands
from detectors.detector import MILLISECOND, Detector, elapsed
from detectors.errors import ParameterError
from detectors.frame import Frame
from detectors.grid import Grid
from detectors.instants import Instant, epoch_ms
from detectors.parameters import (
    OPTIONAL_LENGTH_SCHEMA,
    Length,
    dump_length,
    parameter,
    parse_optional_length,
    total,
)

if TYPE_CHECKING:
    from detectors.explain.account import Account

_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
_NEARLY_A_DAY, _LONGEST_DAY = timedelta(hours=23), timedelta(hours=25)  # as the clocks change
_FEWEST_POINTS = 24
_FEWEST_SEASONS = 3
_COST_PER_POINT = 300.0  # about fifteen scans of some sums each


@dataclass(frozen=True, kw_only=True)
class TrendChange(Detector):
    """Trend change: the points at which the level or the slope of a series changed for good.

    The series up to `end` is tested as a whole: season, trend and autocorrelation belong to the
    model, single outliers are pulled in beforehand, and a change is found where a step or a kink
    explains more than the best of all of them does in series without any. The anomaly is the first
    point of the new regime; score 1 is the smallest change that is found.

    A verdict depends on the whole series up to `end`, so it can change when more of it is known: a
    change is found some points after its date, and its date can still move.

    Parameters
    ----------
    window : int or duration, optional
        Points or time that are tested, counted back from `end`, at least the checked range. None:
        90 steps for steps of a day or more, 28 days for steps of an hour or more, else 7 days.
    period : int or duration, optional
        One season in points or as a length of time; 1 for none. None: a day for steps below one
        day, a week for daily steps, none for longer ones.
    min_segment : int
        Fewest points on each side of a change, and between two.
    max_changes : int
        Most changes that are found in one series.
    false_alarm_rate : float
        Share of the series without any change in which one is found nevertheless, 0.002 to 0.1.

    Notes
    -----
    `expected` is where the series would have gone without its latest change, `expected_trend` the
    path that was fitted. The bounds are as far from `expected` as the smallest level change that
    would be found at each point. The minimum changes are compared with the size of a level change,
    and of a slope change with what it has come to by its segment's end.

    The noise is taken for autoregressive of order one with coefficients up to 0.95; what drifts
    like a random walk has no level, and more is found in it than `false_alarm_rate` says.

    Examples
    --------
    >>> import numpy as np
    >>> from detectors import Series
    >>> from detectors.trend_change import TrendChange
    >>> times = np.datetime64("2026-09-01", "ms") + np.arange(90) * np.timedelta64(1, "D")
    >>> values = 100 + 10.0 * (np.arange(90) % 7) + np.sin(np.arange(90) * 2.3)
    >>> values[60:] += 5
    >>> result = TrendChange().detect(Series(times, values))
    >>> np.flatnonzero(result.is_anomaly)
    array([60])
    >>> result.changes[0].kind, round(result.changes[0].size, 1)
    ('level', 5.0)
    """

    type: ClassVar[str] = "trend_change"

    window: Length | None = parameter(
        None,
        OPTIONAL_LENGTH_SCHEMA,
        "Points or time that are tested, counted back from the end; null for 90 steps of a day or "
        "more, 28 days of hours or 7 days of minutes.",
        parse=parse_optional_length,
        dump=dump_length,
    )
    period: Length | None = parameter(
        None,
        OPTIONAL_LENGTH_SCHEMA,
        "One season, in points or as a duration; null for a day, or a week of daily points; 1 for "
        "none.",
        parse=parse_optional_length,
        dump=dump_length,
    )
    min_segment: int = parameter(
        7,
        {"type": "integer", "minimum": 3, "maximum": 100_000},
        "Fewest points on each side of a change.",
    )
    max_changes: int = parameter(
        5,
        {"type": "integer", "minimum": 1, "maximum": 20},
        "Most changes that are found in one series.",
    )
    false_alarm_rate: float = parameter(
        0.01,
        {"type": "number", "minimum": 0.002, "maximum": 0.1},
        "Share of the series without any change in which one is found nevertheless.",
    )

    def check(self) -> None:
        """Refuse a season or a window of no length."""
        for name in ("period", "window"):
            if getattr(self, name) is not None and not getattr(self, name):
                raise ParameterError(name, "must be longer than 0")
        if self.consecutive > 1:
            raise ParameterError(
                "consecutive", "a change is one point, so nothing would ever be found; give 1"
            )

    def bands(self, frame: Frame) -> Bands:
        """Test each series of the frame up to its last judged slot."""
        from detectors.trend_change import bands  # noqa: PLC0415 - numba is slow to import

        return bands.bands_of(self, frame)

    def account(self, frame: Frame, column: int) -> "Account":
        """Tell which stretch was tested, and of the change that begins at the point."""
        from detectors.trend_change.account import account_of  # noqa: PLC0415 - for those who ask

        return account_of(self, frame, column)

    def history(self, start: Instant, end: Instant, step: timedelta) -> timedelta:
        """Count the window back from `end`."""
        start_ms = epoch_ms("start", start, self.timezone)
        end_ms = epoch_ms("end", end, self.timezone)
        assert start_ms is not None
        assert end_ms is not None
        window = self._window(step)
        window = total(window, step) if isinstance(window, int) else window
        return max(elapsed(window, step) - (end_ms - start_ms) * MILLISECOND, timedelta())

    def cost(self, n: int, period: int) -> float:
        """Count the scans of one series; a season costs nothing more."""
        return _COST_PER_POINT * (n + period)

    def window_slots(self, grid: Grid) -> int:
        """Count the tested points on a grid."""
        step = grid.step_ms * MILLISECOND
        return _slots(self._window(step), step)

    def period_slots(self, grid: Grid) -> int:
        """Count the points in one season on a grid; 1 where there is none."""
        step = grid.step_ms * MILLISECOND
        if self.period is not None:
            return max(_slots(self.period, step), 1)
        if step < _NEARLY_A_DAY:
            return max(round(_DAY / step), 1)
        return 7 if step <= _LONGEST_DAY else 1

    def fewest_points(self, period: int) -> int:
        """Count the points that a series needs to be tested."""
        own = max(_FEWEST_POINTS, _FEWEST_SEASONS * period)
        given = own if self.min_points is None else self.min_points
        return max(given, 2 * self.min_segment, 2 * period)

    def _window(self, step: timedelta) -> Length:
        if self.window is not None:
            return self.window
        if step >= _NEARLY_A_DAY:
            return 90
        return 28 * _DAY if step >= _HOUR else 7 * _DAY


def _slots(length: Length, step: timedelta) -> int:
    return length if isinstance(length, int) else round(length / step)

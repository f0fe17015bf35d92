"""The detector around seasonal hybrid ESD: parameters, periods and gaps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from detectors.bands import Bands
from detectors.detector import MILLISECOND, Detector
from detectors.errors import DetectorError, ParameterError
from detectors.frame import Frame
from detectors.grid import Grid
from detectors.instants import Instant, epoch_ms
from detectors.parameters import (
    LENGTH_SCHEMA,
    OPTIONAL_LENGTH_SCHEMA,
    Length,
    dump_length,
    parameter,
    parse_length,
    parse_optional_length,
    total,
)
from detectors.result import Result
from detectors.seasonal_esd.chunks import with_spare_day
from detectors.seasonal_esd.timestamps import prepared
from detectors.series import Series

if TYPE_CHECKING:
    from detectors.explain.account import Account

_DAY = timedelta(days=1)
_WEEK = timedelta(weeks=1)
_NEARLY_A_DAY, _LONGEST_DAY = timedelta(hours=23), timedelta(hours=25)  # as the clocks change
_HISTORY_PERIODS = 10
_LEAST_HISTORY = timedelta(days=28)
_COST_PER_POINT = 60.0  # sixteen rounds of smoothing
_COST_OF_SEVERAL = 5e3  # statsmodels smooths all seasons at the shortest one's steps, twice
_A_WEEK_OF_DAYS = 7.0
_MOST_PERIODS = 5


def _parse_periods(name: str, value: Any) -> tuple[Length, ...] | None:
    if value is None:
        return None
    given = list(value) if np.iterable(value) and not isinstance(value, str) else []
    if not 1 <= len(given) <= _MOST_PERIODS:
        raise ParameterError(
            name, f'give a list of one to {_MOST_PERIODS} seasons such as ["1d", "7d"] or [24, 168]'
        )
    return tuple(parse_length(name, one) for one in given)


def _dump_periods(periods: tuple[Length, ...]) -> list[int | str]:
    return [dump_length(one) for one in periods]


@dataclass(frozen=True, kw_only=True)
class SeasonalESD(Detector):
    """Seasonal hybrid ESD: unusual beside the season and the overall level, tested as a whole.

    A robust decomposition takes the season off, the median takes the level off, and a generalised
    ESD test with median and median absolute deviation finds what is extreme among the rest. The
    trend stays in: on a series that moves, set `longterm`.

    A verdict depends on the whole series up to `end`, so it can change when more of it is known.

    Parameters
    ----------
    period : int or duration, optional
        One season in points or as a length of time. None: a day for steps below one day, a week
        for daily steps.
    periods : list of int or duration, optional
        Several seasons at once, such as a day and a week of hourly points, instead of `period`.
        Each needs more than two periods of points. One alone is the same as `period`.
    max_anomalies : float
        Largest share of points that can be anomalies, at most 0.49; at least one point.
    alpha : float
        Significance level of the test.
    longterm : int or duration, optional
        Test stretches of this many points or this length one by one. Whole weeks of daily points
        get one day more, so that two weeks hold more than two seasons. The last stretch reaches
        back to its full length.
    threshold : "med_max", "p95" or "p99", optional
        Keep anomalies at or above the median, 95 % or 99 % quantile of the days' largest values.
    compat : "twitter", optional
        Answer as Twitter's R package does, refusals included: AnomalyDetectionVec where `period`
        is given, AnomalyDetectionTs where it is not.

    Notes
    -----
    Gaps of up to 5 % of the shortest period, or one point, are filled linearly for the
    decomposition and take no part in the test; a longer one leaves the series without verdicts
    (insufficient_history), and so do two (longest) periods or less. Points that `holidays` or
    `exclude` keep out of the baseline are replaced by neighbours in the season and then compared
    with the outcome.

    Several seasons are found by statsmodels' MSTL, at some two hundred times the work of one; the
    expected value is the sum of them and the median.

    J. Hochenbaum, O. S. Vallis, A. Kejariwal, "Automatic Anomaly Detection in the Cloud Via
    Statistical Learning", arXiv:1704.07706 (2017).

    Examples
    --------
    >>> import numpy as np
    >>> from detectors import Series
    >>> from detectors.seasonal_esd import SeasonalESD
    >>> times = np.datetime64("2026-09-01", "ms") + np.arange(70) * np.timedelta64(1, "D")
    >>> values = 100 + 10.0 * (np.arange(70) % 7) + np.sin(np.arange(70) * 2.3)
    >>> values[50] += 40
    >>> result = SeasonalESD().detect(Series(times, values))
    >>> np.flatnonzero(result.is_anomaly)
    array([50])
    """

    type: ClassVar[str] = "seasonal_esd"

    period: Length | None = parameter(
        None,
        OPTIONAL_LENGTH_SCHEMA,
        "One season, in points or as a duration; null for a day, or a week of daily points.",
        parse=parse_optional_length,
        dump=dump_length,
    )
    periods: tuple[Length, ...] | None = parameter(
        None,
        {
            "anyOf": [
                {
                    "type": "array",
                    "items": LENGTH_SCHEMA,
                    "minItems": 1,
                    "maxItems": _MOST_PERIODS,
                    "uniqueItems": True,
                },
                {"type": "null"},
            ]
        },
        "Several seasons at once, each in points or as a duration, instead of `period`.",
        parse=_parse_periods,
        dump=_dump_periods,
    )
    max_anomalies: float = parameter(
        0.10,
        {"type": "number", "minimum": 0, "maximum": 0.49},
        "Largest share of points that can be anomalies.",
    )
    alpha: float = parameter(
        0.05,
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "Significance level of the test.",
    )
    longterm: Length | None = parameter(
        None,
        OPTIONAL_LENGTH_SCHEMA,
        "Test stretches of this length one by one, for series whose level moves.",
        parse=parse_optional_length,
        dump=dump_length,
    )
    threshold: Literal["med_max", "p95", "p99"] | None = parameter(
        None,
        {"type": ["string", "null"], "enum": ["med_max", "p95", "p99", None]},
        "Keep only anomalies at or above this quantile of the days' largest values.",
    )
    compat: Literal["twitter"] | None = parameter(
        None,
        {"type": ["string", "null"], "enum": ["twitter", None]},
        "Answer and refuse exactly as Twitter's R package does.",
    )

    def check(self) -> None:
        """Refuse periods of less than two points and stretches of two periods or less."""
        if self.period is not None and self.periods is not None:
            raise ParameterError("periods", "give either period or periods, not both")
        if self.compat is not None and self.periods is not None:
            raise ParameterError("periods", "the R package knows one season; give period")
        if self.compat is not None:
            self.refuse_given(
                ("min_points", "holidays", "exclude"), "the R package knows none of it"
            )
        for period in self._given:
            if period < 2 if isinstance(period, int) else period <= timedelta():
                raise ParameterError(self._named, "a season has at least 2 points")
        _check_different(self._given)
        if self.longterm is None:
            return
        if not self.longterm:
            raise ParameterError("longterm", "a stretch must be longer than two periods")
        for period in self._given:
            if isinstance(self.longterm, int) and isinstance(period, int):
                _check_stretch(self.longterm, period)

    def check_step(self, step: timedelta) -> None:
        """Refuse a step that has no season."""
        self.periods_slots(Grid("ms", step // MILLISECOND, 0, self.timezone))

    @property
    def _given(self) -> tuple[Length, ...]:
        if self.periods is not None:
            return self.periods
        return () if self.period is None else (self.period,)

    @property
    def _named(self) -> str:
        return "period" if self.periods is None else "periods"

    def bands(self, frame: Frame) -> Bands:
        """Test each series of the frame up to its last judged slot."""
        from detectors.seasonal_esd import bands  # noqa: PLC0415 - numba is slow to import

        return bands.bands_of(self, frame)

    def account(self, frame: Frame, column: int) -> "Account":
        """Tell of season and level at the point, and at which step the test removed it."""
        if self.compat is not None:
            return super().account(frame, column)
        from detectors.seasonal_esd.account import account_of  # noqa: PLC0415 - for those who ask

        return account_of(self, frame, column)

    def accepted(self, series: Series) -> Series:
        """As it is, or as the R package reads timestamps and values."""
        return series if self.compat is None else prepared(series)

    def try_many(
        self,
        series: Sequence[Series],
        start: Instant | None = None,
        end: Instant | None = None,
        *,
        step: timedelta | None = None,
    ) -> list[Result | DetectorError]:
        """As the base does, after what the R package does to timestamps and refuses."""
        if self.compat is None:
            return super().try_many(series, start, end, step=step)
        readings = [_reading(one) for one in series]
        accepted = [one for one in readings if isinstance(one, Series)]
        answers = iter(super().try_many(accepted, start, end, step=step))
        return [next(answers) if isinstance(one, Series) else one for one in readings]

    def history(self, start: Instant, end: Instant, step: timedelta) -> timedelta:
        """Ten periods and at least 28 days, counted back from `end`."""
        start_ms = epoch_ms("start", start, self.timezone)
        end_ms = epoch_ms("end", end, self.timezone)
        assert start_ms is not None
        assert end_ms is not None
        period = max(_duration(one, step) for one in self._given or (_inferred(step),))
        needed = max(_HISTORY_PERIODS * period, _LEAST_HISTORY)
        if self.longterm is not None:
            needed = max(needed, _duration(self.longterm, step) + _DAY)
        return max(needed - (end_ms - start_ms) * MILLISECOND, timedelta())

    def cost(self, n: int, period: int) -> float:
        """Count rounds of smoothing over all points and over the edges of two wide windows."""
        if len(self._given) > 1:
            return _COST_OF_SEVERAL * n * _range(self._given)
        return _COST_PER_POINT * (n + 3.0 * period)

    def period_slots(self, grid: Grid) -> int:
        """Points in one season on a grid, the longest of several."""
        return self.periods_slots(grid)[-1]

    def periods_slots(self, grid: Grid) -> tuple[int, ...]:
        """Points in each season on a grid, ascending."""
        step = grid.step_ms * MILLISECOND
        slots = sorted(_slots(one, step) for one in self._given or (_inferred(step),))
        if slots[0] < 2:
            raise ParameterError(self._named, f"a season has at least 2 points; the step is {step}")
        _check_different(slots)
        return tuple(slots)

    def stretch_slots(self, grid: Grid) -> int | None:
        """Points in one stretch on a grid; None to test all points together."""
        if self.longterm is None:
            return None
        daily = grid.unit == "day" and grid.step == 1
        slots = _slots(with_spare_day(self.longterm, daily), grid.step_ms * MILLISECOND)
        _check_stretch(slots, self.period_slots(grid))
        return slots


def _check_different(periods: Sequence[Length]) -> None:
    if len(set(periods)) < len(periods):
        raise ParameterError("periods", "two seasons are of equal length; give each once")


def _check_stretch(slots: int, period: int) -> None:
    if slots <= 2 * period:
        raise ParameterError(
            "longterm", f"{slots} points are not more than two periods of {period} points"
        )


def _inferred(step: timedelta) -> timedelta:
    if step < _NEARLY_A_DAY:
        return _DAY
    if step <= _LONGEST_DAY:
        return _WEEK
    raise ParameterError("period", f"give one for points {step} apart; only days have a week")


def _range(periods: Sequence[Length]) -> float:
    """Longest beside shortest, or a guess where only a step can tell."""
    counts = [one for one in periods if isinstance(one, int)]
    times = [one for one in periods if isinstance(one, timedelta)]
    if counts and times:
        return _A_WEEK_OF_DAYS
    return max(counts) / min(counts) if counts else max(times) / min(times)


def _slots(length: Length, step: timedelta) -> int:
    return length if isinstance(length, int) else round(length / step)


def _duration(length: Length, step: timedelta) -> timedelta:
    return total(length, step) if isinstance(length, int) else length


def _reading(series: Series) -> Series | DetectorError:
    try:
        return prepared(series)
    except DetectorError as error:
        return error

"""The detector around seasonal hybrid ESD: parameters, periods and gaps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal

from detectors.bands import Bands
from detectors.detector import MILLISECOND, Detector
from detectors.errors import DetectorError, ParameterError
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
from detectors.result import Result
from detectors.seasonal_esd.chunks import with_spare_day
from detectors.seasonal_esd.timestamps import prepared
from detectors.series import Series

_DAY = timedelta(days=1)
_WEEK = timedelta(weeks=1)
_NEARLY_A_DAY, _LONGEST_DAY = timedelta(hours=23), timedelta(hours=25)  # as the clocks change
_HISTORY_PERIODS = 10
_LEAST_HISTORY = timedelta(days=28)
_COST_PER_POINT = 60.0  # sixteen rounds of smoothing


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
    Gaps of up to 5 % of a period, or one point, are filled linearly for the decomposition and take
    no part in the test; a longer one leaves the series without verdicts (insufficient_history),
    and so do two periods or less. Points that `holidays` or `exclude` keep out of the baseline are
    replaced by neighbours in the season and then compared with the outcome.

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
        if self.period is not None and (
            self.period < 2 if isinstance(self.period, int) else self.period <= timedelta()
        ):
            raise ParameterError("period", "a season has at least 2 points")
        if self.longterm is None:
            return
        if not self.longterm:
            raise ParameterError("longterm", "a stretch must be longer than two periods")
        if isinstance(self.longterm, int) and isinstance(self.period, int):
            _check_stretch(self.longterm, self.period)

    def bands(self, frame: Frame) -> Bands:
        """Test each series of the frame up to its last judged slot."""
        from detectors.seasonal_esd import bands  # noqa: PLC0415 - numba is slow to import

        return bands.bands_of(self, frame)

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
        period = self.period if self.period is not None else _inferred(step)
        needed = max(_HISTORY_PERIODS * _duration(period, step), _LEAST_HISTORY)
        if self.longterm is not None:
            needed = max(needed, _duration(self.longterm, step) + _DAY)
        return max(needed - (end_ms - start_ms) * MILLISECOND, timedelta())

    def cost(self, n: int, period: int) -> float:
        """Count rounds of smoothing over all points and over the edges of two wide windows."""
        return _COST_PER_POINT * (n + 3.0 * period)

    def period_slots(self, grid: Grid) -> int:
        """Points in one season on a grid."""
        step = grid.step_ms * MILLISECOND
        slots = _slots(self.period if self.period is not None else _inferred(step), step)
        if slots < 2:
            raise ParameterError("period", f"a season has at least 2 points; the step is {step}")
        return slots

    def stretch_slots(self, grid: Grid) -> int | None:
        """Points in one stretch on a grid; None to test all points together."""
        if self.longterm is None:
            return None
        daily = grid.unit == "day" and grid.step == 1
        slots = _slots(with_spare_day(self.longterm, daily), grid.step_ms * MILLISECOND)
        _check_stretch(slots, self.period_slots(grid))
        return slots


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


def _slots(length: Length, step: timedelta) -> int:
    return length if isinstance(length, int) else round(length / step)


def _duration(length: Length, step: timedelta) -> timedelta:
    return total(length, step) if isinstance(length, int) else length


def _reading(series: Series) -> Series | DetectorError:
    try:
        return prepared(series)
    except DetectorError as error:
        return error

"""The detector Window: its parameters and its bands."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from detectors.bands import Bands
from detectors.detector import Detector, elapsed
from detectors.errors import ParameterError
from detectors.frame import Frame
from detectors.grid import Grid
from detectors.instants import Instant
from detectors.parameters import (
    LENGTH_SCHEMA,
    OPTIONAL_LENGTH_SCHEMA,
    Length,
    Needs,
    dump_length,
    parameter,
    parse_length,
    parse_optional_length,
    total,
)
from detectors.season import Season, hours_of_keys, key_count, keys_of
from detectors.series import Floats, Millis
from detectors.wall_clock import DAY_MS, MINUTE_MS
from detectors.window.room import most_points, too_small
from detectors.window.sliding import Slide
from detectors.window.spans import Stepping, spans_of
from detectors.window.widths import (
    pooled_factors,
    residual_inflations,
    robust_factors,
    student_factors,
)

if TYPE_CHECKING:
    from detectors.explain.account import Account
    from detectors.window.statistics import Statistics

_DEFAULT_K = {"z": 3.0, "robust": 3.5, "quantile": 2.0, "pct": 0.0}
_NUMERICAL_FLOOR = 1e-12
_FEWEST_POINTS = 10
_FEWEST_PER_KEY = 3
_MINUTELY_MS = 15 * MINUTE_MS
_SLOWER_POINTS = 20
_WEEKLY_SEASONS = ("day_of_week", "hour_of_week")
# Work per point against one simple pass, measured at default windows.
_COST = {"z": 10.0, "robust": 100.0, "quantile": 100.0, "pct": 10.0}
_MILLISECOND = timedelta(milliseconds=1)
_DAY = timedelta(days=1)
_LARGEST_TABLED = 256
_PCT = Needs("method pct", lambda window: window.method == "pct")


@dataclass(frozen=True, kw_only=True)
class Window(Detector):
    """Compare a point with the points of a window before it.

    The baseline of t is [t - window, t - gap); t is never in its own baseline. Bounds of "z" and
    "robust" are prediction intervals: few points widen them so that noise raises as many false
    alarms as k normal deviations do.

    Parameters
    ----------
    window : duration or count of steps, optional
        Length of the baseline. Default 28 d for daily data, 7 d for hourly, 24 h for steps up to
        15 minutes, 20 steps for slower data, 8 weeks with a season of day_of_week or hour_of_week.
    gap : duration or count of steps
        How much directly before t is left out.
    season : "none", "hour_of_day", "day_of_week" or "hour_of_week"
        Only points with the same key in `timezone` give the centre.
    spread : "pooled", "per_hour" or "per_key"
        With a season: one spread from all keys' residuals, one from those of the same hour of the
        day, or one per key. "z" draws those of the hours towards their mean, as far as chance alone
        makes them differ.
    method : "z", "robust", "pct" or "quantile"
        z: mean and standard deviation; robust: median and MAD; pct: `centre` +- p %; quantile:
        median and k times the distances to the 5 % and 95 % quantiles (a side without any width
        takes the other side's).
    k : float, optional
        Width of the band; default 3 for z, 3.5 for robust, 2 for quantile.
    p : float
        Half-width of pct in percent of |centre|.
    centre : "mean" or "median"
        Centre of pct.
    min_points : int, optional
        Default max(10, a quarter of the window), at most the window; 3 same-key points with a
        season.
    baseline : "rolling" or "before_range"
        before_range: one baseline for the whole range, the window before its first step; for
        what-if questions, as verdicts then depend on the request.
    step_by : "point" or "day", optional
        Whether t in the interval above is the point or its local midnight, so that a day's points
        share one baseline; default day for steps shorter than a day.

    Raises
    ------
    ParameterError
        A parameter is out of range, or `gap` leaves nothing of `window`.

    Examples
    --------
    >>> import numpy as np
    >>> from detectors import Series, Window
    >>> days = np.arange("2026-01-01", "2026-03-02", dtype="datetime64[D]")
    >>> values = 100 + np.sin(np.arange(60.0))
    >>> values[-1] = 80
    >>> result = Window(method="robust").detect(Series(days, values))
    >>> result.times[result.is_anomaly]
    array(['2026-03-01T00:00:00.000'], dtype='datetime64[ms]')
    """

    type: ClassVar[str] = "window"

    window: Length | None = parameter(
        None,
        OPTIONAL_LENGTH_SCHEMA,
        "Length of the baseline, a duration or a number of steps; null chooses by the step.",
        parse=parse_optional_length,
        dump=dump_length,
    )
    gap: Length = parameter(
        0,
        LENGTH_SCHEMA,
        "How much directly before a point is left out of its baseline.",
        parse=parse_length,
        dump=dump_length,
    )
    season: Season = parameter(
        "none",
        {"type": "string", "enum": ["none", "hour_of_day", "day_of_week", "hour_of_week"]},
        "Compare only with points of the same hour or day.",
    )
    spread: Literal["pooled", "per_hour", "per_key"] = parameter(
        "pooled",
        {"type": "string", "enum": ["pooled", "per_hour", "per_key"]},
        "With a season: one spread for all hours or days, one for each hour of the day whatever "
        "the weekday, or one for each hour or day of the season.",
        needs=Needs(
            "a season, and method z, robust or quantile",
            lambda window: window.season != "none" and window.method != "pct",
        ),
    )
    method: Literal["z", "robust", "pct", "quantile"] = parameter(
        "z",
        {"type": "string", "enum": ["z", "robust", "pct", "quantile"]},
        "How centre and width come from the baseline.",
    )
    k: float | None = parameter(
        None,
        {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 30},
        "Width in deviations; null: 3 for z, 3.5 for robust, 2 for quantile.",
        needs=Needs("method z, robust or quantile", lambda window: window.method != "pct"),
    )
    p: float = parameter(
        30.0,
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1e6},
        "Half-width of pct in percent.",
        needs=_PCT,
    )
    centre: Literal["mean", "median"] = parameter(
        "mean", {"type": "string", "enum": ["mean", "median"]}, "Centre of pct.", needs=_PCT
    )
    baseline: Literal["rolling", "before_range"] = parameter(
        "rolling",
        {"type": "string", "enum": ["rolling", "before_range"]},
        "A baseline before each point, or one before the whole range (for what-if questions).",
    )
    step_by: Literal["point", "day"] | None = parameter(
        None,
        {"type": ["string", "null"], "enum": ["point", "day", None]},
        "Whether a rolling baseline ends at the point or at its local midnight; null: midnight "
        "for steps shorter than a day.",
        needs=Needs("baseline rolling", lambda window: window.baseline == "rolling"),
    )

    def check(self) -> None:
        """Refuse an empty window, a gap that leaves nothing of it, and hours that no key has."""
        if self.spread == "per_hour" and self.season == "day_of_week":
            raise ParameterError("spread", "per_hour needs season hour_of_day or hour_of_week")
        if self.window is None:
            return
        if self.window in (0, timedelta(0)):
            raise ParameterError("window", "must be longer than nothing")
        if type(self.window) is type(self.gap) and not self.gap < self.window:  # type: ignore[operator]
            raise ParameterError("gap", f"must be shorter than the window, {self.window}")
        if isinstance(self.window, int) and isinstance(self.gap, int):
            self._check_room(self.window, self.window - self.gap, self._fewest_of(self.window))

    def check_step(self, step: timedelta) -> None:
        """Refuse a window that never holds the points that a verdict needs."""
        step_ms = step // _MILLISECOND
        window = self.length(step_ms)
        most = most_points(window, self.gap, self.season, step_ms)
        fewest = self.fewest_points(Grid("ms", step_ms, 0, self.timezone))
        self._check_room(window, most, fewest, step_ms)

    def _check_room(
        self, window: Length, most: int, fewest: int, step_ms: int | None = None
    ) -> None:
        if most < fewest:
            given, asked = self.window is not None, self.min_points is not None
            raise too_small(window, given, self.gap, self.season, most, fewest, asked, step_ms)

    def _check_frame(self, frame: Frame) -> None:
        try:
            self.check_step(frame.grid.step_ms * _MILLISECOND)
        except ParameterError:
            # Of a few points the step is no more than a guess.
            known = np.isfinite(frame.values).sum(axis=1).max(initial=0)
            if frame.request.step_ms is not None or known >= _FEWEST_POINTS:
                raise

    @np.errstate(over="ignore")  # bounds beyond the largest number
    def bands(self, frame: Frame) -> Bands:
        """Turn the statistics of each judged slot's baseline into bands."""
        self._check_frame(frame)
        slide = self._slide(frame.grid)
        if slide is not None:
            factors = self._factors(slide.longest(frame), self.fewest_points(frame.grid))
            return slide.bands(frame, factors, by_spread=self.method == "z")
        found, which = self._distinct(frame)
        below, above = self.half_widths(found)
        floor = _NUMERICAL_FLOOR * found.size
        if self.method == "quantile":
            below, above = (
                np.where(below > floor, below, above),
                np.where(above > floor, above, below),
            )
        insufficient = (found.points < self.fewest_points(frame.grid)) | np.isnan(below + above)
        return Bands(
            expected=np.where(insufficient, np.nan, found.centre)[:, which],
            lower=(found.centre - below)[:, which],
            upper=(found.centre + above)[:, which],
            baseline_size=found.size[:, which],
            insufficient=insufficient[:, which],
            spreadless=(np.maximum(below, above) <= floor)[:, which],
        )

    def statistics(self, frame: Frame) -> "Statistics":
        """Describe the baseline of each judged slot."""
        slide = self._slide(frame.grid)
        if slide is not None:
            return slide.statistics(frame)
        found, which = self._distinct(frame)
        return type(found)(*(column[:, which] for column in found))

    def _distinct(self, frame: Frame) -> tuple["Statistics", slice | Millis]:
        """Describe each baseline once where neighbours share one; and whose is which column's."""
        # Only here: numba is slow to import, and a kernel to compile.
        from detectors.window.statistics import Statistics  # noqa: PLC0415

        values, keys = frame.baseline_values, self.keys(frame)
        window = self.length(frame.grid.step_ms)
        stepping = self.stepping(frame.grid.step_ms)
        spans = spans_of(frame, window, self.gap, stepping, self.timezone)
        marks = np.array([spans.first, spans.stop, keys[frame.judged]])
        new = np.append(True, (marks[:, 1:] != marks[:, :-1]).any(axis=0))[: marks.shape[1]]
        which = slice(None) if new.all() else np.cumsum(new) - 1
        first, stop, own_keys = (np.ascontiguousarray(row) for row in marks[:, new])
        shape = (len(values), len(first))
        found = Statistics(*(np.empty(shape) for _ in Statistics._fields))
        baselines = (values, keys, self._pools, own_keys, first, stop)
        if self._by_mean:
            from detectors.window.moments import moments  # noqa: PLC0415

            moments(*baselines, self.spread == "per_hour", found)
            return found, which
        from detectors.window.statistics import MODES  # noqa: PLC0415

        mode = MODES[self.method]
        if self.season == "none":
            from detectors.window.sorted_windows import sorted_windows  # noqa: PLC0415

            sorted_windows(values, first, stop, mode, found)
            return found, which
        from detectors.window.ranks import ranks  # noqa: PLC0415

        ranks(*baselines, mode, residual_inflations(_LARGEST_TABLED), found)
        return found, which

    def _slide(self, grid: Grid) -> Slide | None:
        """How windows slide, where they do and sums tell all about them."""
        if not self._by_mean or self.season != "none" or self.stepping(grid.step_ms) != "point":
            return None
        return Slide.of(grid, self.length(grid.step_ms), self.gap)

    def _factors(self, longest: int, fewest: int) -> Floats:
        """Half-widths in spreads, in |mean| for pct, by the number of points; NaN for too few."""
        points = np.arange(longest + 1.0)
        if self.method == "pct":
            factors = np.full(longest + 1, self.p / 100)
        else:
            by_freedom = student_factors(self.width, _round_up(points))
            freedom = np.maximum(points - 1, 0).astype(np.int64)
            factors = by_freedom[freedom] * np.sqrt(1 + 1 / np.maximum(points, 1))
        factors[: max(fewest, 1)] = np.nan
        return factors

    @property
    def _by_mean(self) -> bool:
        return self.method == "z" or (self.method == "pct" and self.centre == "mean")

    def half_widths(self, found: "Statistics") -> tuple[Floats, Floats]:
        """Distances of the bounds below and above the centre; NaN where nothing can be said."""
        if self.method == "pct":
            half = self.p / 100 * np.abs(found.centre)
            return half, half
        k = self.width
        if self.method == "quantile":
            return k * found.below, k * found.above
        half = found.below * (
            self._student(k, found) if self.method == "z" else self._small_sample(k, found)
        )
        return half, half

    @property
    def width(self) -> float:
        """`k`, or the method's default."""
        return _DEFAULT_K[self.method] if self.k is None else self.k

    def _student(self, k: float, found: "Statistics") -> Floats:
        factors = student_factors(k, _round_up(found.freedom))[found.freedom.astype(np.int64)]
        factor: Floats = factors * np.sqrt(1 + 1 / np.maximum(found.points, 1))
        return factor

    def _small_sample(self, k: float, found: "Statistics") -> Floats:
        count = found.points.astype(np.int64)
        if len(self._pools) == self._pools[-1] + 1:
            factor: Floats = k * robust_factors(k, _round_up(found.points))[count]
            return factor
        return k * pooled_factors(k, count, found.freedom.astype(np.int64))

    @property
    def _pools(self) -> Millis:
        """Which of the season's keys share a spread: the number of each one's pool."""
        if self.spread == "per_hour":
            return hours_of_keys(self.season)
        each = np.arange(key_count(self.season))
        return each if self.spread == "per_key" else np.zeros_like(each)

    def keys(self, frame: Frame) -> Millis:
        """Give the season's key of each slot."""
        if frame.grid.unit == "ms":
            return keys_of(frame.wall, self.season)
        return keys_of(frame.wall // DAY_MS * DAY_MS, self.season)

    def length(self, step_ms: int) -> Length:
        """Give the window's length for points so far apart."""
        if self.window is not None:
            return self.window
        if self.season in _WEEKLY_SEASONS:
            return timedelta(weeks=8)
        if step_ms > DAY_MS:
            return _SLOWER_POINTS
        if step_ms == DAY_MS:
            return timedelta(days=28)
        return timedelta(hours=24) if step_ms <= _MINUTELY_MS else timedelta(days=7)

    def stepping(self, step_ms: int) -> Stepping:
        """Tell where the baseline of a point so far from the next one ends."""
        if self.baseline == "before_range":
            return "range"
        # A slot of a day or more is its own midnight.
        return "point" if step_ms >= DAY_MS or self.step_by == "point" else "day"

    def fewest_points(self, grid: Grid) -> int:
        """Count the points of history, or of one season key, that a verdict needs."""
        window = self.length(grid.step_ms)
        slots = window if isinstance(window, int) else grid.count(window // _MILLISECOND)
        return self._fewest_of(slots)

    def _fewest_of(self, slots: int) -> int:
        if self.min_points is not None:
            return self.min_points
        if self.season != "none":
            return _FEWEST_PER_KEY
        return max(1, min(slots, max(_FEWEST_POINTS, slots // 4)))

    def account(self, frame: Frame, column: int) -> "Account":
        """Tell which points of the window were used, and what centre and spread they have."""
        from detectors.window.account import account_of  # noqa: PLC0415 - for those who ask

        return account_of(self, frame, column)

    def lead_in(self, grid: Grid) -> int:
        """No run reaches back before a range that is judged by one baseline."""
        return 0 if self.baseline == "before_range" else super().lead_in(grid)

    def history(self, start: Instant, end: Instant, step: timedelta) -> timedelta:
        """Add up lead-in, window and, with a baseline by day, the day so far."""
        step_ms = step // _MILLISECOND
        window = self.length(step_ms)
        length = total(window, step) if isinstance(window, int) else window
        by_day = self.stepping(step_ms) == "day"
        return super().history(start, end, step) + elapsed(length, step) + by_day * _DAY

    def cost(self, n: int, period: int) -> float:
        """Work that grows with the points; the windows' lengths are those of the defaults."""
        return n * _COST[self.method]


def _round_up(counts: Floats) -> int:
    """Largest count, rounded up so that few different tables are made."""
    largest = int(counts.max(initial=1.0))
    return max(_LARGEST_TABLED, 1 << largest.bit_length())

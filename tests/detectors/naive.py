"""Slow and obvious versions of Threshold and Window: one point at a time, plain Python."""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from scipy import stats

from detectors import Threshold, Window
from detectors.calendar import on_holiday
from detectors.detector import Detector
from detectors.instants import moment_ms
from detectors.window.widths import pooled_factors, residual_inflations, robust_factors

DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - wall times have no zone
ABOVE_ONE = math.nextafter(1.0, 2.0)


@dataclass
class Row:
    """One checked point; a bound that does not exist is NaN."""

    expected: float = math.nan
    lower: float = math.nan
    upper: float = math.nan
    score: float = math.nan
    is_anomaly: bool = False
    severity: int = 0
    direction: int = 0
    reason: str = "insufficient_history"


def threshold(times: list[int], values: list[float], detector: Threshold) -> list[Row]:
    """Judge points (epoch milliseconds) against fixed bounds; plain numbers as bounds only."""
    rows = []
    for time, value in zip(times, values, strict=True):
        if not math.isfinite(value):
            rows.append(Row(reason="no_data"))
            continue
        lower, upper = detector.lower, detector.upper
        hour = hour_of_week(local(time, detector.timezone))
        for key, bounds in (detector.season or {}).items():
            first, _, last = key.partition("-")
            if int(first) <= hour <= int(last or first):
                lower, upper = bounds.get("lower"), bounds.get("upper")
        assert not isinstance(lower, dict)
        assert not isinstance(upper, dict)
        rows.append(_threshold_row(value, lower, upper, detector))
    return rows


def _threshold_row(
    value: float, lower: float | None, upper: float | None, detector: Threshold
) -> Row:
    if lower is not None and upper is not None:
        row = banded(value, (lower + upper) / 2, lower, upper, detector)
    elif lower is None and upper is None:
        return Row(score=0.0, reason="ok")
    else:
        bound = lower if lower is not None else upper
        assert bound is not None
        sign = 1 if upper is not None else -1
        score = max(0.0, 1 + sign * (value - bound) / (abs(bound) or 1.0))
        row = Row(bound, math.nan, math.nan, min(score, 1e6), score > 1, 0, 0, "ok")
        row.lower, row.upper = (bound, math.nan) if sign < 0 else (math.nan, bound)
        row.direction = sign if row.is_anomaly else 0
    row.severity = ("warning", "major", "critical").index(detector.severity) + 1
    row.severity *= row.is_anomaly
    return row


def window(times: list[int], values: list[float], detector: Window, step: timedelta) -> list[Row]:
    """Judge points (epoch milliseconds, on the grid) against the points before them."""
    rows = []
    points = list(zip(times, values, strict=True))
    for time, value in points:
        if not math.isfinite(value):
            rows.append(Row(reason="no_data"))
            continue
        inside = _baseline(time, detector, step)
        key = _key(time, detector, step)
        baseline: dict[int, list[float]] = {}
        for other, x in points:
            if math.isfinite(x) and inside(other) and _usable(other, detector):
                baseline.setdefault(_key(other, detector, step), []).append(x)
        rows.append(_window_row(value, key, baseline, detector))
    return rows


def _baseline(time: int, detector: Window, step: timedelta) -> Callable[[int], bool]:
    """Whether another time is in [t - window, t - gap), everything in the clock that counts."""
    wall = step >= DAY or detector.step_by != "point"

    def position(other: int) -> datetime:
        return local(other, detector.timezone) if wall else EPOCH + timedelta(milliseconds=other)

    t = position(time)
    if step >= DAY or detector.step_by != "point":
        t = _midnight(t)
    assert detector.window is not None
    back, gap = (
        length * step if isinstance(length, int) else length
        for length in (detector.window, detector.gap)
    )
    return lambda other: t - back <= _dated(position(other), step) < t - gap


def _dated(position: datetime, step: timedelta) -> datetime:
    return _midnight(position) if step >= DAY else position


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _key(time: int, detector: Window, step: timedelta) -> int:
    moment = _dated(local(time, detector.timezone), step)
    return {
        "none": 0,
        "hour_of_day": moment.hour,
        "day_of_week": moment.weekday(),
        "hour_of_week": hour_of_week(moment),
    }[detector.season]


def _usable(time: int, detector: Detector) -> bool:
    if detector.holidays is not None:
        wall = (local(time, detector.timezone) - EPOCH) // timedelta(milliseconds=1)
        if on_holiday(np.array([wall]), detector.holidays)[0]:
            return False
    return not any(
        moment_ms(start, detector.timezone) <= time < moment_ms(end, detector.timezone)
        for start, end in detector.exclude
    )


def _window_row(value: float, key: int, baseline: dict[int, list[float]], detector: Window) -> Row:
    own = baseline.get(key, [])
    assert detector.min_points is not None
    if len(own) < detector.min_points:
        return Row()
    mean_based = detector.method == "z" or (detector.method == "pct" and detector.centre == "mean")
    centre_of = statistics.fmean if mean_based else statistics.median
    centre = centre_of(own)
    widths = _widths(key, baseline, centre, centre_of, detector)
    if widths is None:
        return Row()
    size = max(abs(x) for xs in baseline.values() for x in xs)
    below, above = widths
    if detector.method == "quantile":
        below, above = below or above, above or below
    row = banded(value, centre, centre - below, centre + above, detector, size)
    if max(below, above) <= 1e-12 * size:
        row.reason = "zero_variance" if row.reason == "ok" else row.reason
        if not detector.min_abs_change and not detector.min_rel_change:
            row.severity = min(row.severity, 1)
    return row


def _widths(
    key: int,
    baseline: dict[int, list[float]],
    centre: float,
    centre_of: Callable[[list[float]], float],
    detector: Window,
) -> tuple[float, float] | None:
    if detector.method == "pct":
        return (abs(centre) * detector.p / 100,) * 2
    own = baseline[key]
    pooled = detector.season != "none" and (
        detector.spread == "pooled"
        or (detector.spread == "per_hour" and detector.season == "hour_of_week")
    )
    sharing = {
        other: xs
        for other, xs in baseline.items()
        if detector.spread == "pooled" or other % 24 == key % 24
    }
    groups = [xs for xs in sharing.values() if len(xs) > 1] if pooled else [own]
    freedom: float = sum(len(xs) - 1 for xs in groups)
    if freedom < 1:
        return None
    k = detector.k or {"z": 3.0, "robust": 3.5, "quantile": 2.0}[detector.method]
    if detector.method == "z":
        squares = sum((x - centre_of(xs)) ** 2 for xs in groups for x in xs)
        if detector.spread == "per_hour":
            squares, freedom = _drawn_together(squares, freedom, baseline)
        t = float(stats.t.isf(stats.norm.sf(k), int(freedom)))
        return (t * math.sqrt(squares / freedom * (1 + 1 / len(own))),) * 2
    residuals = [residual for xs in groups for residual in _residuals(xs, pooled)]
    if detector.method == "quantile":
        low, high = np.quantile(residuals, [0.05, 0.95])
        return float(-k * low), float(k * high)
    spread = 1.4826 * statistics.median(abs(x) for x in residuals)
    if spread == 0:
        spread = 1.253314 * statistics.fmean(abs(x) for x in residuals)
    if not pooled:
        return (k * float(robust_factors(k, 256)[len(own)]) * spread,) * 2
    factor = float(pooled_factors(k, np.array([len(own)]), np.array([freedom]))[0])
    return (k * factor * spread,) * 2


def _drawn_together(
    squares: float, freedom: float, baseline: dict[int, list[float]]
) -> tuple[float, float]:
    """Lend an hour's spread what the mean of all hours' variances is worth to it."""
    by_hour: dict[int, list[float]] = {}
    freedoms: dict[int, int] = {}
    for key, xs in baseline.items():
        mean = statistics.fmean(xs)
        by_hour.setdefault(key % 24, []).extend((x - mean) ** 2 for x in xs)
        freedoms[key % 24] = freedoms.get(key % 24, 0) + len(xs) - 1
    hours = [hour for hour in by_hour if freedoms[hour] and math.fsum(by_hour[hour])]
    if len(hours) < 2:
        return squares, freedom
    logs = [math.log(math.fsum(by_hour[hour]) / freedoms[hour]) for hour in hours]
    chance = statistics.fmean(
        1 / h + 1 / (2 * h**2) + 1 / (6 * h**3) for h in (freedoms[hour] / 2 for hour in hours)
    )
    own = statistics.variance(logs) - chance
    total = sum(freedoms.values())
    lent = min(1 + 2 / own if own > 0 else math.inf, total - freedom)
    mean_variance = math.fsum(math.fsum(one) for one in by_hour.values()) / total
    return squares + lent * mean_variance, freedom + lent


def _residuals(xs: list[float], pooled: bool) -> list[float]:
    median = statistics.median(xs)
    residuals = sorted(x - median for x in xs)
    if pooled:
        if len(xs) % 2:
            del residuals[len(xs) // 2]
        residuals = [x * float(residual_inflations(256)[len(xs)]) for x in residuals]
    return residuals


def banded(
    value: float,
    expected: float,
    lower: float,
    upper: float,
    detector: Detector,
    size: float = 0.0,
) -> Row:
    """Apply the common rules of bounds, scores and severities to one point."""
    small = max(detector.min_abs_change, detector.min_rel_change * abs(expected))
    half_below = max(expected - lower, 1e-12 * size)
    half_above = max(upper - expected, 1e-12 * size)
    outside = value < expected - half_below or value > expected + half_above
    half_below, half_above = max(half_below, small), max(half_above, small)
    row = Row(expected, expected - half_below, expected + half_above, 0.0, False, 0, 0, "ok")
    side = 1 if value > expected else -1
    if side == {"up": -1, "down": 1}.get(detector.direction):
        return row
    half = half_above if side > 0 else half_below
    distance = side * (value - expected)
    row.score = min(distance / half if half else distance * math.inf if distance else 0.0, 1e6)
    row.is_anomaly = value > row.upper or value < row.lower
    row.score = max(row.score, ABOVE_ONE) if row.is_anomaly else min(row.score, 1.0)
    if row.is_anomaly:
        row.direction = side
        row.severity = 1 + sum(row.score > at for at in detector.severity_at.values())
    elif outside:
        row.reason = "below_min_change"
    return row


def local(time: int, timezone: str) -> datetime:
    """Wall time, without a zone."""
    moment = datetime.fromtimestamp(time / 1000, UTC).astimezone(ZoneInfo(timezone))
    return moment.replace(tzinfo=None)


def hour_of_week(moment: datetime) -> int:
    """Hours since Monday 00:00."""
    return moment.weekday() * 24 + moment.hour

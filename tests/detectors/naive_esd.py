"""Slow, obvious versions of the decomposition and of the test, straight from their definitions.

The decomposition computes in the kind of number that it is given: long doubles bound the errors of
the fast one.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

Floats = NDArray[np.float64]


def tricube(distance: Floats, bandwidth: float) -> Floats:
    weights = (1 - (distance / bandwidth) ** 3) ** 3
    weights[distance <= 0.001 * bandwidth] = 1.0
    weights[distance > 0.999 * bandwidth] = 0.0
    return weights


def loess_at(y: Floats, at: float, window: int, degree: int, robustness: Floats) -> float:
    """Value at position `at` (points are 1..n) of a local fit of degree 0 or 1."""
    n = len(y)
    left = int(np.clip(np.floor(at) - (window + 1) // 2 + 1, 1, max(n - window + 1, 1)))
    near = np.arange(left, min(left + window - 1, n) + 1).astype(y.dtype)
    bandwidth = max(at - near[0], near[-1] - at)
    if window > n:
        bandwidth += (window - n) // 2
    inside = near.astype(np.int64) - 1
    weights = tricube(np.abs(near - at), bandwidth) * robustness[inside]
    if weights.sum() <= 0:
        return np.nan
    weights = weights / weights.sum()
    if degree == 1:
        mean = (weights * near).sum()
        variance = (weights * (near - mean) ** 2).sum()
        if np.sqrt(variance) > 0.001 * (n - 1):
            weights = weights * ((at - mean) / variance * (near - mean) + 1)
    return (weights * y[inside]).sum()  # type: ignore[no-any-return]


def loess(y: Floats, window: int, degree: int, jump: int, robustness: Floats) -> Floats:
    """Fits at every jump-th point and the last, straight lines between them."""
    n = len(y)
    at = list(range(1, n + 1, min(jump, n - 1)))
    if at[-1] != n:
        at.append(n)
    fits = [loess_at(y, i, window, degree, robustness) for i in at]
    fits = [y[i - 1] if np.isnan(fit) else fit for i, fit in zip(at, fits, strict=True)]
    lines: list[Any] = []
    for start, stop, a, b in zip(at, at[1:], fits, fits[1:], strict=False):
        lines.append(a + (b - a) / (stop - start) * np.arange(stop - start))
    return np.append(np.concatenate(lines), fits[-1])


def next_odd(x: float) -> int:
    return int(x) + 1 - int(x) % 2


def periodic_stl(y: Floats, period: int, outer: int = 15) -> tuple[Floats, Floats]:
    n = len(y)
    seasonal_window = 10 * n + 1
    trend_window = next_odd(np.ceil(1.5 * period / (1 - 1.5 / seasonal_window)))
    low_window = next_odd(period)
    jumps = [int(np.ceil(w / 10)) for w in (seasonal_window, trend_window, low_window)]
    ones, robustness = np.ones_like(y), np.ones_like(y)
    trend, seasonal = np.zeros_like(y), np.zeros_like(y)
    for iteration in range(outer + 1):
        course = np.empty(n + 2 * period, y.dtype)
        for phase in range(period):
            part, rho = (y - trend)[phase::period], robustness[phase::period]
            k = len(part)
            smooth = loess(part, seasonal_window, 0, jumps[0], rho)
            before = loess_at(part, 0, seasonal_window, 0, rho)
            after = loess_at(part, k + 1, seasonal_window, 0, rho)
            before = smooth[0] if np.isnan(before) else before
            after = smooth[-1] if np.isnan(after) else after
            course[phase::period] = [before, *smooth, after]
        low = course
        for width in (period, period, 3):
            low = np.convolve(low, np.full(width, y.dtype.type(1) / width), mode="valid")
        seasonal = course[period:-period] - loess(low, low_window, 1, jumps[2], ones)
        trend = loess(y - seasonal, trend_window, 1, jumps[1], robustness)
        if iteration < outer:
            distance = np.abs(y - seasonal - trend)
            limit = 6 * np.median(distance)
            with np.errstate(invalid="ignore", divide="ignore"):
                robustness = (1 - (distance / limit) ** 2) ** 2
            robustness[distance <= 0.001 * limit] = 1.0
            robustness[distance > 0.999 * limit] = 0.0
    for phase in range(period):
        seasonal[phase::period] = seasonal[phase::period].mean()
    return seasonal, trend


@dataclass
class NaiveExtremes:
    rows: list[int]
    scores: list[float]
    half_width: float
    centre: float
    reach: float
    deviates: list[float]
    critical: list[float]


def spread_of(left: Floats, nothing: float, fall_back: bool) -> float:
    distance = np.abs(left - np.median(left))
    scale = 1.4826 * float(np.median(distance))
    if scale > nothing or (scale == 0 and not fall_back):
        return scale
    scale = 1.253314 * float(distance.mean())
    return scale if scale > nothing else 0.0


def naive_extremes(
    residuals: Floats, steps: int, alpha: float, tails: int, nothing: float, fall_back: bool
) -> NaiveExtremes:
    """Remove the farthest again and again, sorting everything anew at each step."""
    n = len(residuals)
    left = list(range(n))
    rows: list[int] = []
    deviates: list[float] = []
    critical: list[float] = []
    centres: list[float] = []
    scales: list[float] = []
    for i in range(1, steps + 2):
        values = residuals[left]
        centres.append(float(np.median(values)))
        scales.append(spread_of(values, nothing, fall_back))
        quantile = student.isf(alpha / ((1 if tails else 2) * (n - i + 1)), n - i - 1)
        critical.append(
            float(quantile * (n - i) / np.sqrt((n - i - 1 + quantile**2) * (n - i + 1)))
        )
        if scales[-1] == 0 or i > steps:
            break
        signed = values - centres[-1]
        distance = np.abs(signed) if tails == 0 else tails * signed
        farthest = int(np.argmax(distance))
        deviates.append(float(distance[farthest]) / scales[-1])
        rows.append(left.pop(farthest))
    m = max((i + 1 for i, d in enumerate(deviates) if d > critical[i]), default=0)
    last = max(m - 1, 0)
    return NaiveExtremes(
        rows=rows[:m],
        scores=[max(deviates[j] / critical[j] for j in range(i, m)) for i in range(m)],
        half_width=critical[last] * scales[last],
        centre=centres[m],
        reach=critical[m] * scales[m],
        deviates=deviates,
        critical=critical,
    )

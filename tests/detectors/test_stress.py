"""Numbers at the edges of floating point, through every registered detector.

Warnings are errors here, as in all tests: none may reach the caller.
"""

from typing import Any

import numpy as np
import pytest

from detectors import Result, Series, detector_from_dict
from detectors.catalog import detector_types
from detectors.detector import Detector
from detectors.series import Floats
from detectors.wall_clock import MINUTE_MS
from tests.detectors.cases import MONDAY_MS, daily

N = 120
FIRST_JUDGED = 108

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "window": [
        {"method": method, **season}
        for method in ("z", "robust", "quantile", "pct")
        for season in ({}, {"season": "day_of_week"})
    ]
    + [{"method": "robust", "season": "day_of_week", "spread": "per_key"}],
    "prophet": [{}, {"scaling": "absmax"}, {"growth": "flat"}],
    "seasonal_esd": [
        {},
        {"longterm": 50},
        {"threshold": "p95"},
        {"period": 2},
        {"periods": [7, 14]},
    ],
}
"""What else is tried beside the defaults; a new detector joins with its defaults."""

EVERYTHING = [
    pytest.param(
        type_,
        variant,
        id="-".join([type_, *map(str, variant.values())]),
        marks=[pytest.mark.slow] if "periods" in variant else [],
    )
    for type_ in detector_types()
    for variant in VARIANTS.get(type_, [{}])
]

OWN_MEMBERSHIP = ("seasonal_esd", "trend_change")
"""Types whose anomalies are not simply the values beyond the bounds."""

WHOLE_NUMBERS = 2.0**-10
"""The plain series are multiples of it, so that 2**40 can be added to them without rounding."""


def plain(n: int = N, seed: int = 0) -> Floats:
    """A season of 7 and noise, both of some tens, one spike and one dip."""
    rng = np.random.default_rng(seed)
    values = 30 * np.sin(np.arange(n) * 2 * np.pi / 7) + rng.uniform(-25, 25, n)
    values[[n - 3, n - 9]] += 400, -400
    rounded: Floats = np.round(values / WHOLE_NUMBERS) * WHOLE_NUMBERS
    return rounded


def with_values(places: dict[int, float]) -> Floats:
    values = plain()
    for place, value in places.items():
        values[place] = value
    return values


LARGEST = float(np.finfo(np.float64).max)
LEAST = float(np.nextafter(0.0, 1.0))

EDGES: dict[str, Floats] = {
    "far": plain() + 2.0**40,
    "tiny": plain() * 1e-12,
    "huge": plain() * 1e298,
    "hugest": plain() / 500 * LARGEST,
    "subnormal": np.round(plain()) * LEAST,
    "nearly subnormal": plain() * 1e-306,
    "ties": np.round(plain() / 50) * 50,
    "two values": np.where(np.arange(N) % 3 == 0, 0.1, 0.3),
    "constant": np.full(N, 1 / 3),
    "zeros of both signs": np.where(np.arange(N) % 2 == 0, -0.0, 0.0),
    "nearly constant": 1e6 + 1e-10 * plain(),
    "one step of rounding": np.where(np.arange(N) % 2 == 0, 1.0, np.nextafter(1.0, 2.0)),
    "an outlier in the history": with_values({N // 2: 1e300}),
    "the largest numbers in the history": with_values({60: LARGEST, 61: -LARGEST}),
    "the largest number at the end": with_values({N - 1: LARGEST}),
    "the largest numbers in turns": np.where(np.arange(N) % 2 == 0, LARGEST, -LARGEST),
    "the least number": with_values(dict.fromkeys(range(N), 0.0) | {N - 2: LEAST}),
    "no data": np.full(N, np.nan),
    "little data": with_values(dict.fromkeys(range(1, N), np.nan)),
    "infinity": with_values({60: np.inf, 61: -np.inf, N - 1: np.inf}),
}


def detector_for(
    type_: str, values: Floats, unit: float = 1.0, zero: float = 0.0, **parameters: Any
) -> Detector:
    """A detector of a type; thresholds in the same unit as the values."""
    suited: dict[str, Any] = {}
    if type_ == "threshold":
        suited = {"lower": zero - 100 * unit, "upper": zero + 100 * unit}
    return detector_from_dict({"type": type_, **suited, **parameters})


def judge(type_: str, values: Floats, **parameters: Any) -> Result:
    detector = detector_for(type_, values, **parameters)
    times = daily(len(values))
    return detector.detect(Series(times, values), int(times[FIRST_JUDGED]))


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize(("type_", "variant"), EVERYTHING)
def test_every_verdict_is_sound(type_: str, variant: dict[str, Any], edge: str) -> None:
    result = judge(type_, EDGES[edge], **variant)
    judged = result.judged
    assert len(result) == N - FIRST_JUDGED
    assert np.isfinite(result.score[judged]).all()
    assert ((result.score[judged] >= 0) & (result.score[judged] <= 1e6)).all()
    assert np.isnan(result.score[~judged]).all()
    assert np.isfinite(result.expected[judged]).all()
    assert not np.isnan(result.lower[judged]).any()
    assert not np.isnan(result.upper[judged]).any()
    assert ((result.score > 1) == result.is_anomaly).all()
    assert ((result.severity > 0) == result.is_anomaly)[judged].all()
    if type_ not in OWN_MEMBERSHIP:
        beyond = (result.values > result.upper) | (result.values < result.lower)
        assert (beyond == result.is_anomaly)[judged].all()


@pytest.mark.parametrize("power", [-30, 3, 900, -900])
@pytest.mark.parametrize(("type_", "variant"), EVERYTHING)
def test_the_unit_of_the_values_changes_nothing(
    type_: str, variant: dict[str, Any], power: int
) -> None:
    """By powers of two, which round nothing: every score is the same to the last bit."""
    unit = 2.0**power
    near, far = judge(type_, plain(), **variant), judge(type_, plain() * unit, unit=unit, **variant)
    assert near.is_anomaly.any() or type_ == "trend_change"
    for column in ("is_anomaly", "severity", "direction", "reason", "score"):
        assert getattr(far, column).tolist() == getattr(near, column).tolist(), column
    for column in ("expected", "lower", "upper"):
        assert (getattr(far, column) == getattr(near, column) * unit).all(), column


@pytest.mark.parametrize(("type_", "variant"), EVERYTHING)
def test_up_and_down_are_alike(type_: str, variant: dict[str, Any]) -> None:
    near, far = judge(type_, plain(), **variant), judge(type_, -plain(), **variant)
    if variant.get("threshold"):
        return  # keeps the largest values, not the farthest
    assert far.is_anomaly.tolist() == near.is_anomaly.tolist()
    assert far.direction.tolist() == (-near.direction).tolist()
    # Prophet's prior of the offset is about the least value, so not alike; hardly felt.
    lopsided = type_ in ("prophet", "auto")
    np.testing.assert_allclose(far.score, near.score, rtol=1e-3 if lopsided else 1e-9)


@pytest.mark.parametrize("zero", [2.0**20, -(2.0**40)])
@pytest.mark.parametrize(("type_", "variant"), EVERYTHING)
def test_the_zero_of_the_values_changes_nothing(
    type_: str, variant: dict[str, Any], zero: float
) -> None:
    """The values stay exact; 2**40 leaves 12 bits for what varies, and the scores keep them."""
    if variant.get("method") == "pct" or variant.get("scaling") == "absmax":
        return  # they are about shares of the value itself
    near, far = judge(type_, plain(), **variant), judge(type_, plain() + zero, zero=zero, **variant)
    for column in ("is_anomaly", "severity", "direction", "reason"):
        assert getattr(far, column).tolist() == getattr(near, column).tolist(), column
    resolution = abs(zero) * 2.0**-52
    np.testing.assert_allclose(far.score, near.score, rtol=resolution, atol=resolution)
    for column in ("expected", "lower", "upper"):
        moved = getattr(far, column) - zero
        np.testing.assert_allclose(moved, getattr(near, column), rtol=0, atol=16 * resolution)


@pytest.mark.slow
@pytest.mark.parametrize("type_", detector_types())
def test_a_million_points_are_judged(type_: str) -> None:
    n = 1_000_000
    values = plain(n)
    times = MONDAY_MS + MINUTE_MS * np.arange(n, dtype=np.int64)
    detector = detector_for(type_, values)
    result = detector.detect(Series(times, values), int(times[-60]))
    assert result.judged.all()
    assert np.isfinite(result.score).all()
    if type_ != "trend_change":
        assert {51, 57} <= set(np.flatnonzero(result.is_anomaly).tolist())


@pytest.mark.slow
@pytest.mark.parametrize("period", [2, 3, 7, 60, 168, 1_440, 10_080])
def test_seasons_of_any_length_are_taken_off(period: int) -> None:
    n = 3 * period + 100
    rng = np.random.default_rng(0)
    values = np.tile(rng.uniform(-100, 100, period), 4 + 100 // period)[:n] + rng.uniform(-1, 1, n)
    values[-5] += 40
    times = MONDAY_MS + MINUTE_MS * np.arange(n, dtype=np.int64)
    detector = detector_from_dict({"type": "seasonal_esd", "period": period})
    result = detector.detect(Series(times, values))
    assert result.judged.all()
    assert result.is_anomaly[-5]

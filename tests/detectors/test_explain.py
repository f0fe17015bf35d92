"""Explanations: replaying a trace gives the row that the detector gave, whatever the detector."""

import json
from typing import Any

import numpy as np
import pytest

from detectors import ParameterError, Reason, Result, Series
from detectors.catalog import detector_types
from detectors.detector import Detector
from detectors.errors import PointError
from detectors.explain import KINDS, Explanation, replay
from tests.detectors.cases import LEVEL, daily, detector_of, hourly, noise, planted, unusual

SEEDS = range(4)


@pytest.fixture(params=detector_types())
def type_(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def parameters(random: np.random.Generator) -> dict[str, Any]:
    """Common parameters that every detector has, so that every gate closes on something."""
    excluded = ["2025-10-01", "2025-10-09"]
    chosen: dict[str, Any] = {
        "direction": str(random.choice(["both", "up", "down"])),
        "min_abs_change": float(random.choice([0.0, 4.0, 15.0])),
        "min_rel_change": float(random.choice([0.0, 0.0, 0.2])),
        "clip_lower": [None, LEVEL - 20][random.integers(2)],
        "clip_upper": [None, LEVEL + 6.5][random.integers(2)],
        "consecutive": int(random.choice([1, 2, 3])),
        "max_gap": int(random.choice([0, 1, 2])),
        "no_data": str(random.choice(["ignore", "warn", "anomaly"])),
        "severity_at": {"major": float(random.uniform(1, 3)), "critical": 4.0},
        "exclude": [[], [excluded]][random.integers(2)],
        "holidays": [None, ["2025-09-20", "2026-01-27"]][random.integers(2)],
        "timezone": str(random.choice(["UTC", "Asia/Tokyo", "America/New_York"])),
    }
    return chosen


def unruly(random: np.random.Generator, hourly_too: bool) -> Series:
    """Noise with outliers, runs of them, missing steps, NaN, infinities and equal stretches."""
    times = hourly(24 * 24) if hourly_too and random.integers(2) else daily()
    n = len(times)
    spread = float(random.choice([0.0, 1.0, 3.0]))
    values = LEVEL + random.standard_t(2, n) * spread
    for at in random.integers(n - 30, n - 4, 3) if spread else (n - 6,):
        values[at : at + random.integers(1, 4)] += random.choice([-30, 12, 30])
    values[random.integers(0, n, 4)] = random.choice([np.nan, np.inf, -np.inf])
    keep = np.sort(random.choice(n, n - random.integers(0, 6), replace=False))
    return Series(times[keep], values[keep])


def check(detector: Detector, one: Series, start: Any, end: Any, result: Result) -> None:
    for i, time in enumerate(result.times):
        explanation = detector.explain(one, time, start, end)
        sent = json.loads(json.dumps(explanation.to_dict(), allow_nan=False))
        assert Explanation.from_dict(sent) == explanation
        assert [step.kind for step in explanation.steps] == list(KINDS)
        found = replay(Explanation.from_dict(sent))
        wanted = (
            bool(result.is_anomaly[i]),
            int(result.severity[i]),
            int(result.direction[i]),
            int(result.reason[i]),
        )
        told = (found.is_anomaly, found.severity, found.direction, found.reason)
        assert told == wanted, explanation
        np.testing.assert_equal(found.score, result.score[i], str(explanation))
        for side in ("lower", "upper"):
            bound = explanation.step("bound").fact(side)
            np.testing.assert_equal(np.nan if bound is None else bound, getattr(result, side)[i])


@pytest.mark.parametrize("seed", SEEDS)
def test_replaying_a_trace_gives_the_row_of_the_result(type_: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    detector = detector_of(type_, **parameters(random))
    one = unruly(random, type_ != "prophet")
    last = int(one.epoch_ms[-1])
    start, end = int(one.epoch_ms[-7]), last + 2 * int(np.diff(one.epoch_ms).min()) + 1
    check(detector, one, start, end, detector.detect(one, start, end))


@pytest.mark.parametrize(
    ("more", "decided_by", "reason"),
    [
        ({}, "bound", Reason.OK),
        ({"direction": "down"}, "direction", Reason.OK),
        ({"min_abs_change": 40.0}, "minimum_change", Reason.BELOW_MIN_CHANGE),
        ({"consecutive": 2}, "consecutive", Reason.NOT_CONSECUTIVE),
    ],
)
def test_the_verdict_names_the_gate_that_decided(
    type_: str, more: dict[str, Any], decided_by: str, reason: Reason
) -> None:
    if (type_, decided_by) == ("trend_change", "consecutive"):
        pytest.skip("a change is one point: consecutive is refused")
    one, detector = Series(daily(), unusual(type_)), detector_of(type_, **more)
    verdict = detector.explain(one, daily()[-3], daily()[-10]).step("verdict")
    if (type_, decided_by) == ("seasonal_esd", "direction"):
        decided_by = "bound"  # its test looks at the watched side only
    assert verdict.fact("decided_by") == decided_by
    assert verdict.fact("reason") == reason.name.lower()
    assert verdict.fact("is_anomaly") is (decided_by == "bound" and not more)
    check(detector, one, daily()[-10], daily()[-1] + 1, detector.detect(one, daily()[-10]))


@pytest.mark.parametrize("needed", [2, 3])
def test_points_in_a_row_are_counted_across_a_gap(type_: str, needed: int) -> None:
    """Up, up, no data, up: the third counts whether the gap may be one step or not."""
    values = noise(150)
    values[[-5, -4, -2]] += 30
    times = np.delete(daily(), -3)
    one = Series(times, np.delete(values, -3))
    for gap in (0, 1):
        detector = detector_of(type_, consecutive=needed, max_gap=gap)
        result = detector.detect(one, times[-5], int(times[-1]) + 1)
        check(detector, one, times[-5], int(times[-1]) + 1, result)
        if type_ == "threshold":
            counted = [
                detector.explain(one, times[at], times[-5]).step("consecutive").fact("in_a_row")
                for at in (-4, -3, -2)
            ]
            assert counted == [1, 2, min(needed, 3) if gap else 1]
            assert result.is_anomaly.sum() == (4 - needed if gap else 3 - needed)


def test_a_baseline_without_spread_is_explained_and_replayed(type_: str) -> None:
    values = np.full(150, LEVEL)
    values[-3] += 30
    one, detector = Series(daily(), values), detector_of(type_)
    result = detector.detect(one, daily()[-5])
    check(detector, one, daily()[-5], daily()[-1] + 1, result)
    says = detector.explain(one, daily()[-3], daily()[-5]).step("baseline").says
    assert ("no spread at all" in says) == (result.reason[2] == Reason.ZERO_VARIANCE)


def test_a_step_without_data_is_explained_by_the_policy(type_: str) -> None:
    one = Series(daily(), planted())
    end = int(daily()[-1]) + 2 * 86_400_000 + 1
    for policy in ("ignore", "warn", "anomaly"):
        detector = detector_of(type_, no_data=policy)
        check(detector, one, daily()[-1], end, detector.detect(one, daily()[-1], end))
    missing = detector_of(type_).explain(one, end - 1, daily()[-1], end)
    assert missing.step("value").says == "There is no value for Fri 2026-01-30 (UTC)."
    assert "a warning" in missing.step("missing").says


def test_too_little_history_is_explained_and_replayed(type_: str) -> None:
    one = Series(daily(12), noise(12))
    detector = detector_of(type_, on_insufficient="skip")
    check(detector, one, int(daily(12)[3]), int(daily(12)[-1]) + 1,
          detector.detect(one, daily(12)[3], int(daily(12)[-1]) + 1))  # fmt: skip


def test_a_time_without_a_row_is_refused_with_the_nearest_ones(type_: str) -> None:
    one = Series(daily(), planted())
    detector = detector_of(type_)
    with pytest.raises(PointError, match="2025-09-05T12") as caught:
        detector.explain(one, int(daily()[4]) + 12 * 3_600_000)
    assert "2025-09-05T00" in str(caught.value)
    assert "2025-09-06T00" in str(caught.value)
    with pytest.raises(PointError, match="nearest are at 2025-09-11T00"):
        detector.explain(one, int(daily()[4]), start=int(daily()[10]))
    with pytest.raises(PointError, match="no points"):
        detector.explain(Series([], []), int(daily()[4]))
    with pytest.raises(ParameterError, match="time"):
        detector.explain(one, "yesterday")

"""Threshold: fixed bounds and the severities that people give them."""

from typing import Any

import numpy as np
import pytest

from detectors import ParameterError, Reason, Severity, Threshold
from tests.detectors import naive
from tests.detectors.cases import daily, hourly, noise, series


def threshold(**parameters: Any) -> Threshold:
    """A Threshold of parameters as a request spells them."""
    return Threshold(**parameters)


@pytest.mark.parametrize(
    "parameters",
    [
        {"lower": 99.0},
        {"upper": 100.5},
        {"lower": 99.0, "upper": 100.5},
        {"lower": 99.0, "upper": 100.5, "direction": "up"},
        {"lower": 99.0, "upper": 100.5, "min_abs_change": 1.0, "severity": "warning"},
        {"lower": 100.0, "upper": 100.0},
        {"upper": 0.0},
        {"lower": 0},
        {"upper": -50.0, "severity": "critical"},
        {
            "season": {"0-23": {"lower": 99.5}, "24-47": {"upper": 100.0, "lower": 99}},
            "lower": 99.9,
        },
        {"season": {"100-167": {"upper": 100.0}}, "timezone": "America/New_York"},
    ],
)
def test_verdicts_equal_the_obvious_ones(parameters: dict[str, Any]) -> None:
    detector = threshold(**parameters)
    times, values = hourly(24 * 8), noise(24 * 8)
    values[[3, 4]] = np.nan, np.inf
    values[[30, 31, 32, 33]] = 0, -300, 300, 100
    result = detector.detect(series(times, values))
    rows = naive.threshold(times.tolist(), values.tolist(), detector)
    for i, row in enumerate(rows):
        assert Reason(result.reason[i]).name.lower() == row.reason
        assert result.is_anomaly[i] == row.is_anomaly
        assert result.severity[i] == row.severity
        assert result.direction[i] == row.direction
        if row.reason != "no_data":
            assert result.score[i] == pytest.approx(row.score, rel=1e-12)
            np.testing.assert_allclose(
                [result.lower[i], result.upper[i], result.expected[i]],
                [row.lower, row.upper, row.expected],
            )


def test_the_bound_itself_is_normal() -> None:
    values = [1.0, np.nextafter(1.0, 0), 2.0, np.nextafter(2.0, 3)]
    result = Threshold(lower=1.0, upper=2.0).detect(series(daily(4), values))
    assert result.is_anomaly.tolist() == [False, True, False, True]
    assert (result.score[[1, 3]] > 1).all()
    assert (result.score[[0, 2]] <= 1).all()


def test_each_severity_has_its_bound() -> None:
    detector = threshold(
        lower={"warning": 0.35, "critical": 0.25}, upper={"major": 0.8, "critical": 0.9}
    )
    values = [0.4, 0.35, 0.3, 0.25, 0.2, 0.8, 0.85, 0.95]
    result = detector.detect(series(daily(8), values))
    assert result.severity.tolist() == [0, 0, 1, 1, 3, 0, 2, 3]
    assert result.lower[0] == 0.35
    assert result.upper[0] == 0.8


def test_severity_is_major_unless_given() -> None:
    assert Threshold(upper=1.0).detect(series(daily(1), [9.0])).severity[0] == Severity.MAJOR


def test_the_score_of_one_bound_counts_bounds_beyond_it() -> None:
    result = Threshold(upper=10.0).detect(series(daily(4), [5.0, 10.0, 15.0, 40.0]))
    assert result.score.tolist() == [0.5, 1.0, 1.5, 4.0]
    assert result.expected.tolist() == [10.0] * 4
    assert np.isnan(result.lower).all()
    below = Threshold(lower=0.0).detect(series(daily(3), [-2.0, 0.0, 0.5]))
    assert below.score.tolist() == [3.0, 1.0, 0.5]


def test_hours_without_bounds_are_never_anomalous() -> None:
    detector = threshold(season={"9-17": {"lower": 5.0}})
    result = detector.detect(series(hourly(48), np.zeros(48)))
    assert np.flatnonzero(result.is_anomaly).tolist() == list(range(9, 18))


def test_constant_columns_are_broadcast() -> None:
    result = Threshold(lower=0.0, upper=1.0).detect(series(daily(100), np.ones(100)))
    assert result.lower.strides == (0,)
    assert result.expected.strides == (0,)


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({}, "lower"),
        ({"lower": 2, "upper": 1}, "lower"),
        ({"lower": "low"}, "lower"),
        ({"lower": True}, "lower"),
        ({"upper": float("inf")}, "upper"),
        ({"upper": {}}, "upper"),
        ({"upper": {"terrible": 1}}, "upper"),
        ({"upper": {"warning": 2, "critical": 1}}, "upper"),
        ({"lower": {"warning": 1, "critical": 2}}, "lower"),
        ({"season": {}}, "season"),
        ({"season": {"168": {"lower": 1}}}, "season"),
        ({"season": {"5-3": {"lower": 1}}}, "season"),
        ({"season": {"monday": {"lower": 1}}}, "season"),
        ({"season": {"1-5": {"lower": 1}, "5": {"lower": 2}}}, "season"),
        ({"season": {"1": {"middle": 1}}}, "season"),
        ({"season": {"1": {"lower": 3, "upper": 2}}}, "season.1"),
        ({"upper": 1, "severity": "mild"}, "severity"),
    ],
)
def test_contradictions_are_refused(parameters: dict[str, Any], field: str) -> None:
    with pytest.raises(ParameterError) as caught:
        threshold(**parameters)
    assert caught.value.field == field

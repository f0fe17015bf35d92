"""The common output rules, seen through a detector that says exactly what its bands are."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

import numpy as np
import pytest

from detectors import Direction, Reason, Result, Series, Severity
from detectors.bands import Bands
from detectors.detector import Detector
from detectors.frame import Frame
from tests.detectors.cases import daily

NAN = float("nan")
ABOVE_ONE = np.nextafter(1.0, 2.0)


@dataclass(frozen=True, kw_only=True)
class Stated(Detector):
    """Bands from -1 to 1, or what the test states."""

    type: ClassVar[str] = "stated"
    stated: Bands | None = None

    def bands(self, frame: Frame) -> Bands:
        return self.stated or flat()

    def cost(self, n: int, period: int) -> float:
        return float(n)


def flat(**more: Any) -> Bands:
    one = np.ones((1, 1))
    return Bands(expected=0 * one, lower=-one, upper=one, **more)


def judge(values: list[float], stated: Bands | None = None, **parameters: Any) -> Result:
    detector = Stated(stated=stated, **parameters)
    return detector.detect(Series(daily(len(values)), values))


def reasons(result: Result) -> list[str]:
    return [Reason(code).name.lower() for code in result.reason]


def test_codes_are_those_of_the_public_names() -> None:
    assert [Reason(code).name for code in range(6)] == [
        "OK", "NO_DATA", "INSUFFICIENT_HISTORY", "ZERO_VARIANCE", "BELOW_MIN_CHANGE",
        "NOT_CONSECUTIVE",
    ]  # fmt: skip
    assert (Severity.WARNING, Severity.MAJOR, Severity.CRITICAL) == (1, 2, 3)
    assert (Direction.DOWN, Direction.NONE, Direction.UP) == (-1, 0, 1)


def test_score_counts_half_widths_and_severity_follows() -> None:
    result = judge([0, 0.5, 1, 1.5, 2, 2.5, 3, -3.5, 1e9])
    assert result.score.tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 1e6]
    assert result.severity.tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 3]
    assert result.direction.tolist() == [0, 0, 0, 1, 1, 1, 1, -1, 1]


def test_membership_is_decided_by_the_bound_and_the_score_follows() -> None:
    upper = np.array([[0.1 + 0.2]])
    bands = Bands(expected=np.array([[0.1]]), lower=np.array([[NAN]]), upper=upper)
    result = judge([float(upper[0, 0]), float(np.nextafter(upper[0, 0], 1))], bands)
    assert result.is_anomaly.tolist() == [False, True]
    assert result.score[0] <= 1
    assert result.score[1] >= ABOVE_ONE


def test_a_missing_bound_is_never_crossed() -> None:
    bands = Bands(expected=np.zeros((1, 1)), lower=np.full((1, 1), NAN), upper=np.ones((1, 1)))
    result = judge([-1e12, 2.0], bands)
    assert result.score.tolist() == [0.0, 2.0]
    assert np.isnan(result.lower).all()


def test_insufficient_cells_are_not_judged() -> None:
    result = judge([5, 5], flat(insufficient=np.array([[True, False]])))
    assert reasons(result) == ["insufficient_history", "ok"]
    assert np.isnan(result.score[0])
    assert result.is_anomaly.tolist() == [False, True]


@pytest.mark.parametrize(
    ("parameters", "severity"),
    [({}, 1), ({"min_abs_change": 1.0}, 3), ({"min_rel_change": 0.1}, 3)],
)
def test_without_spread_it_is_a_warning_unless_a_change_is_named(
    parameters: dict[str, float], severity: int
) -> None:
    bands = Bands(
        expected=np.full((1, 1), 10.0),
        lower=np.full((1, 1), 10.0),
        upper=np.full((1, 1), 10.0),
        baseline_size=np.full((1, 1), 10.0),
        spreadless=np.ones((1, 1), bool),
    )
    result = judge([10, 10 + 2e-11, 20], bands, **parameters)
    assert result.is_anomaly.tolist() == [False, not parameters, True]
    assert result.severity[2] == severity
    assert reasons(result)[2] == "zero_variance"


def test_a_share_of_nothing_names_no_change() -> None:
    zero = np.zeros((1, 1))
    bands = Bands(zero, zero, zero, baseline_size=zero, spreadless=np.ones((1, 1), bool))
    assert judge([0, 2], bands, min_rel_change=0.5).severity.tolist() == [0, 1]
    assert judge([0, 2], bands, min_abs_change=0.5).severity.tolist() == [0, 3]


def test_the_numerical_floor_follows_the_size_of_the_baseline() -> None:
    bands = Bands(*(np.full((1, 1), 1e9),) * 3, baseline_size=np.full((1, 1), 1e9))
    result = judge([1e9 + 0.0005, 1e9 + 0.002], bands)
    assert result.is_anomaly.tolist() == [False, True]
    assert result.upper[0] == pytest.approx(1e9 + 0.001)


def test_minimum_changes_widen_the_band() -> None:
    result = judge([1.5, 2.5, -1.5, 0.5], min_abs_change=2.0)
    assert reasons(result) == ["below_min_change", "ok", "below_min_change", "ok"]
    assert result.upper.tolist() == [2.0] * 4
    assert result.score.tolist() == [0.75, 1.25, 0.75, 0.25]


def test_nothing_is_said_about_small_changes_on_a_side_not_watched() -> None:
    result = judge([1.5, -1.5], min_abs_change=2.0, direction="down")
    assert reasons(result) == ["ok", "below_min_change"]


def test_clips_end_the_band() -> None:
    result = judge([0.7, -0.7], clip_lower=-0.5, clip_upper=0.6)
    assert (result.lower[0], result.upper[0]) == (-0.5, 0.6)
    assert result.is_anomaly.tolist() == [True, True]


def test_runs_are_on_one_side_and_start_again_after_a_normal_point() -> None:
    result = judge([2, 2, -2, -2, 0, 2, 2, 2], consecutive=2)
    assert np.flatnonzero(result.is_anomaly).tolist() == [1, 3, 6, 7]
    assert reasons(result)[0] == "not_consecutive"
    assert result.direction.tolist() == [1, 1, -1, -1, 0, 1, 1, 1]
    assert result.severity[0] == 0


@pytest.mark.parametrize(
    ("max_gap", "anomalous"), [(1, [2, 7]), (0, []), ("1d", [2, 7]), ("48h", [2, 5, 7])]
)
def test_silence_neither_extends_nor_breaks_a_short_run(max_gap: Any, anomalous: list[int]) -> None:
    values = [2, NAN, 2, NAN, NAN, 2, NAN, 2]
    result = judge(values, consecutive=2, max_gap=max_gap)
    assert np.flatnonzero(result.is_anomaly).tolist() == anomalous


def test_a_detector_may_decide_membership_itself() -> None:
    member = np.array([[True, False, True, True]])
    score = np.array([[0.5, 7.0, 4.0, 4.0]])
    result = judge([0.1, 0.9, -2, 2], flat(member=member, score=score), direction="up")
    assert result.is_anomaly.tolist() == [True, False, False, True]
    assert result.score.tolist() == [ABOVE_ONE, 1.0, 0.0, 4.0]
    small = judge([0.1, 0.9, -2, 2], flat(member=member, score=score), min_abs_change=0.5)
    assert small.is_anomaly.tolist() == [False, False, True, True]
    assert reasons(small)[0] == "below_min_change"


def test_a_detector_may_state_severities_and_a_trend() -> None:
    stated = flat(severity=np.array([[1, 3]], np.int8), expected_trend=np.array([[0.25, 0.5]]))
    result = judge([5, 0], stated)
    assert result.severity.tolist() == [1, 0]
    assert result.expected_trend is not None
    assert result.expected_trend.tolist() == [0.25, 0.5]


def test_only_the_last_expected_step_warns() -> None:
    result = judge([NAN, 0, NAN])
    assert result.severity.tolist() == [0, 0, Severity.WARNING]
    assert not result.is_anomaly.any()
    assert judge([NAN, 0, 0]).severity.tolist() == [0, 0, 0]


def test_the_base_needs_no_history_but_its_runs() -> None:
    day = timedelta(days=1)
    assert Stated().history(0, 1, day) == timedelta()
    spare = day + timedelta(hours=2)
    assert Stated(consecutive=3).history(0, 1, day) == 4 * day + spare
    assert Stated(consecutive=3, max_gap=day / 4).history(0, 1, day) == 2.5 * day + spare
    assert Stated(consecutive=3).history(0, 1, 30 * day) > 4 * 31 * day, "months have up to 31 days"

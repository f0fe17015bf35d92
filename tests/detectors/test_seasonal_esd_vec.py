"""The public function: what it refuses, and its rules in small."""

from typing import Any

import numpy as np
import pytest

from detectors.errors import (
    DetectorError,
    InsufficientHistoryError,
    ParameterError,
    SeriesError,
)
from detectors.seasonal_esd import seasonal_hybrid_esd
from detectors.series import Floats


def weekly(n: int = 140, spikes: dict[int, float] | None = None) -> Floats:
    values = 10.0 * (np.arange(n) % 7) + np.random.default_rng(0).normal(size=n)
    for row, size in (spikes or {}).items():
        values[row] += size
    return values


def found(values: Any, **changes: Any) -> list[int]:
    return seasonal_hybrid_esd(values, **{"period": 7, **changes}).tolist()  # type: ignore[no-any-return]


def test_direction_chooses_the_side() -> None:
    values = weekly(spikes={50: 30, 90: -30})
    assert found(values) == [50, 90]
    assert found(values, direction="up") == [50]
    assert found(values, direction="down") == [90]


def test_rows_keep_their_numbers_behind_leading_nan() -> None:
    values = weekly(spikes={50: 30})
    values[:10] = np.nan
    values[-5:] = np.nan
    assert found(values) == [50]


def test_at_least_one_row_can_be_an_anomaly() -> None:
    assert found(weekly(spikes={50: 30, 60: 20}), max_anomalies=0) == [50]


def test_more_anomalies_than_allowed_are_cut_to_the_most_extreme() -> None:
    values = weekly(spikes={20: 30, 50: 60, 90: 45})
    assert found(values, max_anomalies=2 / 140 + 1e-9) == [50, 90]


def test_a_slope_hides_anomalies_from_the_whole_and_not_from_chunks() -> None:
    values = weekly(700, spikes={352: 25}) + np.arange(700) * 0.3
    assert found(values) == []
    assert 352 in found(values, chunk=35)


def test_the_last_chunk_reaches_back_to_its_full_length() -> None:
    values = weekly(100, spikes={97: 40})
    assert 97 in found(values, chunk=30), "10 rows alone would be refused"
    assert found(values, chunk=1000) == found(values)


def test_threshold_keeps_the_values_that_reach_it() -> None:
    values = weekly(spikes={50: 60, 84: 25})  # row 84 is a valley: high for its day, not for a week
    assert found(values) == [50, 84]
    for limit in ("med_max", "p95", "p99"):
        assert found(values, threshold=limit) == [50]


def test_a_missing_value_makes_the_median_unknown_and_quantiles_impossible() -> None:
    values = weekly(spikes={50: 60})
    values[0] = np.nan
    assert found(values, threshold="med_max") == []
    with pytest.raises(SeriesError, match="p95"):
        found(values, threshold="p95")


def test_constant_and_almost_constant_series_have_no_anomalies() -> None:
    assert found(np.full(100, 5.0)) == []
    assert found(np.full(100, 1e9 + 1 / 3)) == []
    assert found(5 + 1e-15 * np.arange(100.0)) == []


def test_numbers_of_any_kind_are_read() -> None:
    values = np.round(weekly(spikes={50: 30}))
    assert (
        found(values.astype(np.int32)) == found(values.tolist()) == found(values.astype(np.float32))
    )


def test_scale_and_offset_change_nothing() -> None:
    values = weekly(spikes={50: 30, 90: -30})
    for changed in (values * 1e-12, values * 1e12, values + 1e9, values - 1e9):
        assert found(changed) == [50, 90]


@pytest.mark.parametrize(
    ("values", "changes", "error", "says"),
    [
        (weekly(14), {}, InsufficientHistoryError, "more than two periods, 14"),
        (weekly(13), {}, InsufficientHistoryError, "13 values"),
        ([], {}, InsufficientHistoryError, "0 values"),
        (np.full(50, np.nan), {}, InsufficientHistoryError, "0 values"),
        (np.append(weekly(14), np.full(50, np.nan)), {}, InsufficientHistoryError, "14 values"),
        (np.insert(weekly(), 60, np.nan), {}, SeriesError, "1 values are missing"),
        (np.insert(weekly(), 60, np.inf), {}, SeriesError, "infinite"),
        (weekly(700), {"chunk": 14}, InsufficientHistoryError, "14 values"),
        (weekly(700), {"chunk": 20, "max_anomalies": 0.01}, InsufficientHistoryError, "raise max"),
        (weekly(50), {"chunk": 60, "threshold": "p95"}, InsufficientHistoryError, "60"),
        (
            np.append(weekly(20), np.full(80, np.nan)),
            {"max_anomalies": 0.49},
            InsufficientHistoryError,
            "lower max_anomalies",
        ),
        ([[1.0, 2.0]], {}, SeriesError, "one dimension"),
        (["a"], {}, SeriesError, "numbers"),
    ],
)
def test_what_r_refuses_is_refused(
    values: Any, changes: dict[str, Any], error: type[DetectorError], says: str
) -> None:
    with pytest.raises(error, match=says):
        found(values, **changes)


def test_49_rows_with_one_anomaly_round_to_none() -> None:
    """49 * (1 / 49) is below 1 in floating point; R refuses it, and so do we."""
    with pytest.raises(InsufficientHistoryError, match="not even one"):
        found(weekly(49), max_anomalies=0.001)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("period", 1),
        ("period", 7.0),
        ("period", True),
        ("period", None),
        ("max_anomalies", 0.5),
        ("max_anomalies", -0.1),
        ("max_anomalies", float("nan")),
        ("max_anomalies", "0.1"),
        ("alpha", 0),
        ("alpha", 1),
        ("alpha", float("nan")),
        ("direction", "pos"),
        ("direction", []),
        ("chunk", 0),
        ("chunk", 30.5),
        ("threshold", "p90"),
        ("threshold", "None"),
    ],
)
def test_parameters_out_of_range_are_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ParameterError) as caught:
        found(weekly(), **{field: value})
    assert caught.value.field == field
    assert "give" in caught.value.message

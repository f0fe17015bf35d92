"""What holds for every registered detector."""

import json
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import numpy as np
import pytest

from detectors import (
    Direction,
    InsufficientHistoryError,
    ParameterError,
    Reason,
    Result,
    Series,
    SeriesError,
    Severity,
    detector_from_dict,
)
from detectors.catalog import detector_class, detector_types
from detectors.parameters import parameters_of
from detectors.schema import json_schema
from tests.detectors.cases import (
    DAY,
    LEVEL,
    daily,
    detector_of,
    hourly,
    local_midnights,
    noise,
    same,
    series,
    unusual,
)

pytestmark = pytest.mark.parametrize("type_", detector_types())

NEEDS_HISTORY = tuple(type_ for type_ in detector_types() if type_ != "threshold")
UNBROKEN = ("seasonal_esd",)
"""Types that decompose a series as a whole and so judge none with a gap of several days."""
ZONES = ("Europe/Berlin", "America/New_York")


def judge(type_: str, one: Series, *range_: Any, **parameters: Any) -> Result:
    return detector_of(type_, **parameters).detect(one, *range_)


def test_what_is_planted_is_the_only_anomaly(type_: str) -> None:
    times = daily()
    result = judge(type_, series(times, unusual(type_)), int(times[-10]))
    assert result.times[result.is_anomaly].astype(np.int64).tolist() == [times[-3]]
    row = int(np.flatnonzero(result.is_anomaly)[0])
    assert result.score[row] > 1
    assert result.values[row] > result.upper[row] > result.expected[row] > result.lower[row]
    assert result.direction[row] == Direction.UP
    assert result.severity[row] > Severity.NONE


def test_all_columns_have_one_row_per_checked_point(type_: str) -> None:
    times = daily()
    result = judge(type_, series(times, unusual(type_)), int(times[-10]), int(times[-2]))
    assert result.times.astype(np.int64).tolist() == times[-10:-2].tolist()
    for column in ("values", "expected", "lower", "upper", "score"):
        assert getattr(result, column).shape == (8,)
        assert getattr(result, column).dtype == np.float64
    for column in ("severity", "direction", "reason"):
        assert getattr(result, column).dtype == np.int8
    assert result.is_anomaly.dtype == bool
    assert result.times.dtype == np.dtype("datetime64[ms]")


def test_an_empty_series_has_no_rows(type_: str) -> None:
    assert len(judge(type_, series([], []))) == 0
    assert len(judge(type_, series([], []), 0, 10**12)) == 0


def test_one_point_is_no_anomaly(type_: str) -> None:
    result = judge(type_, series(daily(1), [LEVEL]))
    assert len(result) == 1
    assert not result.is_anomaly.any()
    wanted = Reason.INSUFFICIENT_HISTORY if type_ in NEEDS_HISTORY else Reason.OK
    assert result.reason.tolist() == [wanted]


def test_a_range_without_points_has_no_rows(type_: str) -> None:
    one, first, last = series(daily(), unusual(type_)), int(daily()[0]), int(daily()[-1])
    assert len(judge(type_, one, last + 1)) == 0
    assert len(judge(type_, one, None, first)) == 0
    assert len(judge(type_, one, last, last)) == 0
    assert len(judge(type_, one, first - 10**9, first - 10**8)) == 0


def test_a_range_after_the_last_point_has_rows_without_data(type_: str) -> None:
    last = int(daily()[-1])
    result = judge(type_, series(daily(), unusual(type_)), last + 86_400_000, last + 3 * 86_400_000)
    assert result.reason.tolist() == [Reason.NO_DATA] * 2


def test_times_on_no_grid_are_an_error_of_their_series_only(type_: str) -> None:
    wild = series([0, 1, 2, 10**12], [LEVEL] * 4)
    good, bad = detector_of(type_).try_many([series(daily(), unusual(type_)), wild])
    assert isinstance(good, Result)
    assert isinstance(bad, SeriesError)
    with pytest.raises(SeriesError, match="too irregular"):
        judge(type_, wild)
    assert len(detector_of(type_).detect(wild, step=DAY))


def test_nan_and_infinity_are_no_data_whatever_stands_around_them(type_: str) -> None:
    values = unusual(type_)
    values[[-7, -5, -4]] = np.nan, np.inf, -np.inf
    result = judge(type_, series(daily(), values), int(daily()[-10]))
    silent = result.reason == Reason.NO_DATA
    assert np.flatnonzero(silent).tolist() == [3, 5, 6]
    assert np.isnan(result.score[silent]).all()
    assert np.isfinite(result.score[result.judged]).all()
    assert np.flatnonzero(result.is_anomaly).tolist() == ([] if type_ in UNBROKEN else [7])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_series_without_any_data_is_all_no_data(type_: str, bad: float) -> None:
    result = judge(type_, series(daily(40), np.full(40, bad)))
    assert (result.reason == Reason.NO_DATA).all()
    assert not result.is_anomaly.any()


def test_a_constant_series_has_no_anomaly(type_: str) -> None:
    result = judge(type_, series(daily(), np.full(150, LEVEL)))
    assert not result.is_anomaly.any()
    assert (result.score[result.judged] <= 1).all()


def test_a_step_after_a_constant_is_at_most_a_warning(type_: str) -> None:
    values = np.full(150, LEVEL)
    values[-1] *= 1.001
    result = judge(type_, series(daily(), values), int(daily()[-3]))
    assert (result.severity <= Severity.WARNING).all()


def test_missing_days_are_rows_without_data(type_: str) -> None:
    keep = np.delete(np.arange(150), [-8, -7, -5])
    result = judge(type_, series(daily()[keep], unusual(type_)[keep]), int(daily()[-10]))
    assert result.times.astype(np.int64).tolist() == daily()[-10:].tolist()
    assert np.flatnonzero(result.reason == Reason.NO_DATA).tolist() == [2, 3, 5]
    assert np.isnan(result.values[[2, 3, 5]]).all()
    assert np.flatnonzero(result.is_anomaly).tolist() == ([] if type_ in UNBROKEN else [7])


def test_steps_up_to_the_end_of_the_range_are_expected(type_: str) -> None:
    end = int(daily()[-1]) + 3 * 86_400_000
    one = series(daily(), noise(150))
    result = judge(type_, one, int(daily()[-2]), end)
    assert result.reason[-2:].tolist() == [Reason.NO_DATA] * 2
    assert result.severity.tolist() == [0, 0, 0, Severity.WARNING], "the last expected step warns"
    ignoring = judge(type_, one, int(daily()[-2]), end, no_data="ignore")
    assert not ignoring.severity.any()
    strict = judge(type_, one, int(daily()[-2]), end, no_data="anomaly")
    assert strict.is_anomaly.tolist() == [False, False, True, True]
    assert strict.severity[-2:].tolist() == [Severity.WARNING] * 2
    assert np.isnan(strict.score[-2:]).all()


@pytest.mark.parametrize("offset", [1e9, -1e9])
def test_a_large_offset_changes_no_verdict(type_: str, offset: float) -> None:
    start = int(daily()[-10])
    near = detector_of(type_).detect(series(daily(), unusual(type_)), start)
    values = unusual(type_) + offset
    far = detector_of(type_, level=LEVEL + offset).detect(series(daily(), values), start)
    assert far.is_anomaly.tolist() == near.is_anomaly.tolist()
    assert far.severity.tolist() == near.severity.tolist()
    np.testing.assert_allclose(far.score, near.score, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("first", ["2025-11-10", "2025-06-20"])  # 150 days: into and out of summer
def test_local_midnights_are_one_day_apart_across_a_change_of_clocks(
    type_: str, zone: str, first: str
) -> None:
    times = local_midnights(first, 150, zone)
    assert len(set(np.diff(times).tolist())) == 2, "the series crosses a change of the clocks"
    result = judge(type_, series(times, unusual(type_)), timezone=zone)
    assert result.times.astype(np.int64).tolist() == times.tolist()
    assert not (result.reason == Reason.NO_DATA).any()
    assert np.flatnonzero(result.is_anomaly).tolist() == [147]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("first", ["2026-03-01T00", "2025-10-15T00"])
def test_hours_have_no_gap_and_no_double_across_a_change_of_clocks(
    type_: str, zone: str, first: str
) -> None:
    times = hourly(30 * 24, int(np.datetime64(first, "ms").astype(np.int64)))
    values = unusual(type_, len(times)) + 3 * np.sin(np.arange(len(times)) * np.pi / 12)
    start = int(times[-24 * 7])
    result = judge(type_, series(times, values), start, timezone=zone)
    assert result.times.astype(np.int64).tolist() == times[-24 * 7 :].tolist()
    assert not (result.reason == Reason.NO_DATA).any()
    assert np.flatnonzero(result.is_anomaly).tolist() == [24 * 7 - 3]


def test_a_leap_day_is_a_day(type_: str) -> None:
    times = daily(150, int(np.datetime64("2023-10-05", "ms").astype(np.int64)))
    assert np.datetime64("2024-02-29") in times.astype("datetime64[ms]").astype("datetime64[D]")
    result = judge(type_, series(times, unusual(type_)), int(times[-10]))
    assert not (result.reason == Reason.NO_DATA).any()
    assert np.flatnonzero(result.is_anomaly).tolist() == [7]


def test_order_and_duplicates_of_the_input_do_not_matter(type_: str) -> None:
    times, values = daily(), unusual(type_)
    shuffled = np.random.default_rng(0).permutation(150)
    wrong = np.concatenate([times[:5], times[shuffled]])
    messy = series(wrong, np.concatenate([np.full(5, 1e6), values[shuffled]]))
    assert same(judge(type_, messy), judge(type_, series(times, values)))


def test_results_carry_the_original_timestamps(type_: str) -> None:
    times = hourly() + np.random.default_rng(0).integers(-60_000, 60_000, 720)
    result = judge(type_, series(times, noise(720)), int(times[600]), int(times[700]))
    assert result.times.astype(np.int64).tolist() == times[600:700].tolist()


def test_many_series_at_once_get_the_answers_of_each_alone(type_: str) -> None:
    gappy = np.delete(np.arange(150), [70, 71, -5])
    family = [
        series(daily(), unusual(type_, seed=1)),
        series([], []),
        series(daily()[gappy], unusual(type_, seed=2)[gappy]),
        series(daily(), np.full(150, LEVEL)),
        series(daily()[60:], unusual(type_, seed=3)[60:]),
        series(hourly(), unusual(type_, 720, seed=4)),
        series(daily(), unusual(type_, seed=5, at=-2, size=-20)),
        series(daily() + 3600_000, unusual(type_, seed=6)),
    ]
    detector = detector_of(type_)
    start = int(daily()[-10])
    alone = [detector.detect(one, start) for one in family]
    for order in (range(8), reversed(range(8)), (5, 2, 7, 0, 1, 3, 6, 4)):
        positions = list(order)
        together = detector.detect_many([family[i] for i in positions], start)
        assert all(same(together[j], alone[i]) for j, i in enumerate(positions))


def test_the_same_call_gives_the_same_answer(type_: str) -> None:
    one = series(daily(), unusual(type_))
    assert same(judge(type_, one), judge(type_, one))


def test_input_arrays_stay_untouched(type_: str) -> None:
    times, values = daily(), unusual(type_)
    values[-6] = np.nan
    one = series(times.copy(), values.copy())
    judge(type_, one, min_rel_change=0.01, clip_lower=0)
    assert np.array_equal(one.epoch_ms, times)
    assert np.array_equal(one.values, values, equal_nan=True)


@pytest.mark.parametrize("direction", ["up", "down", "both"])
def test_score_exceeds_one_exactly_where_a_point_is_anomalous(type_: str, direction: str) -> None:
    values = noise(150) + np.random.default_rng(3).standard_t(2, 150)
    result = judge(type_, series(daily(), values), direction=direction)
    judged = result.judged
    assert ((result.score > 1) == result.is_anomaly)[judged].all()
    assert (result.score[judged] >= 0).all()
    assert (result.score[judged] <= 1e6).all()
    assert np.isnan(result.score[~judged]).all()
    assert ((result.severity > 0) == result.is_anomaly)[judged].all()
    assert ((result.direction != 0) == result.is_anomaly)[judged].all()
    sides = {"up": {0, 1}, "down": {0, -1}, "both": {-1, 0, 1}}[direction]
    assert set(result.direction.tolist()) <= sides


def test_a_side_that_is_not_watched_scores_nothing(type_: str) -> None:
    start = int(daily()[-10])
    for size, unwatched, watched in ((30.0, "down", "up"), (-30.0, "up", "down")):
        one = series(daily(), unusual(type_, size=size))
        assert judge(type_, one, start, direction=unwatched).score[7] == 0
        assert judge(type_, one, start, direction=watched).is_anomaly[7]


@pytest.mark.parametrize("change", [{"min_abs_change": 40.0}, {"min_rel_change": 0.4}])
def test_changes_below_the_minimum_are_no_anomalies(type_: str, change: dict[str, float]) -> None:
    start = int(daily()[-10])
    result = judge(type_, series(daily(), unusual(type_, size=30)), start, **change)
    assert not result.is_anomaly.any()
    assert result.reason[7] == Reason.BELOW_MIN_CHANGE
    assert result.score[7] <= 1
    assert result.upper[7] >= result.values[7]
    assert judge(type_, series(daily(), unusual(type_, size=300)), start, **change).is_anomaly[7]


def test_bands_end_at_the_clips(type_: str) -> None:
    one = series(daily(), noise(150))
    result = judge(type_, one, int(daily()[-5]), clip_lower=99.5, clip_upper=100.5)
    assert (result.lower >= 99.4).all()
    assert (result.upper <= 100.6).all()


def test_severity_grows_with_the_score(type_: str) -> None:
    one = series(daily(), unusual(type_, size=30))
    start = int(daily()[-10])
    score = float(judge(type_, one, start).score[7])
    ladder = [
        ({"major": score + 1, "critical": score + 2}, Severity.WARNING),
        ({"major": 1.0, "critical": score + 1}, Severity.MAJOR),
        ({"major": 1.0, "critical": 1.0}, Severity.CRITICAL),
        ({"major": score, "critical": score}, Severity.WARNING),
    ]
    for severity_at, by_score in ladder:
        wanted = Severity.MAJOR if type_ == "threshold" else by_score  # it takes it explicitly
        assert judge(type_, one, start, severity_at=severity_at).severity[7] == wanted


def test_only_the_nth_point_of_a_run_is_anomalous(type_: str) -> None:
    if type_ == "trend_change":
        with pytest.raises(ParameterError, match="nothing would ever be found"):
            detector_from_dict({"type": type_, "consecutive": 2})
        return
    values = noise(150)
    values[-4:] += 60
    start, one = int(daily()[-10]), series(daily(), values)
    each = judge(type_, one, start).is_anomaly
    assert each.sum() >= 1
    result = judge(type_, one, start, consecutive=2)
    assert result.is_anomaly.tolist() == (each & np.append(False, each[:-1])).tolist()
    held_back = each & ~result.is_anomaly
    assert (result.reason[held_back] == Reason.NOT_CONSECUTIVE).all()
    assert (result.direction[held_back] == Direction.UP).all()
    assert (result.score[held_back] <= 1).all()
    assert (result.severity[held_back] == 0).all()


def test_too_little_history_is_an_error_on_request(type_: str) -> None:
    short = series(daily(3), noise(3))
    if type_ in NEEDS_HISTORY:
        assert (judge(type_, short).reason == Reason.INSUFFICIENT_HISTORY).all()
        with pytest.raises(InsufficientHistoryError, match="3 of 3"):
            judge(type_, short, on_insufficient="error")
    else:
        assert judge(type_, short, on_insufficient="error").judged.all()


def test_one_bad_series_costs_only_itself(type_: str) -> None:
    detector = detector_of(type_, on_insufficient="error")
    empty = np.full(150, np.nan)
    empty[-1] = LEVEL
    family = [series(daily(), unusual(type_)), series(daily(), empty), series(daily(), noise(150))]
    good, bad, fine = detector.try_many(family, int(daily()[-3]))
    assert isinstance(good, Result)
    assert isinstance(fine, Result)
    assert isinstance(bad, InsufficientHistoryError if type_ in NEEDS_HISTORY else Result)


def test_ranges_take_instants_of_any_kind_and_refuse_naive_ones(type_: str) -> None:
    one, day = series(daily(), unusual(type_)), daily()[-10:-1]
    moment = day.astype("datetime64[ms]")
    wanted = judge(type_, one, int(day[0]), int(day[-1]))
    assert len(wanted) == 8
    assert same(judge(type_, one, moment[0], moment[-1]), wanted)
    aware = [datetime.fromtimestamp(ms / 1000, UTC) for ms in (day[0], day[-1])]
    assert same(judge(type_, one, *aware), wanted)
    with pytest.raises(ParameterError, match="start"):
        judge(type_, one, aware[0].replace(tzinfo=None))
    with pytest.raises(ParameterError, match="end"):
        judge(type_, one, aware[1], aware[0])


def test_a_detector_survives_json_and_pickle(type_: str) -> None:
    detector = detector_of(
        type_,
        timezone="Asia/Tokyo",
        exclude=[["2025-11-01", "2025-11-08T00:00:00+09:00"]],
        holidays=["2025-12-25"],
        max_gap="36h",
        severity_at={"critical": 5},
        consecutive=2,
    )
    written = json.loads(json.dumps(detector.to_dict()))
    assert detector_from_dict(written) == detector
    assert pickle.loads(pickle.dumps(detector)) == detector


def test_the_schema_accepts_what_the_detector_writes(type_: str) -> None:
    schema = json_schema(detector_class(type_))
    jsonschema.Draft202012Validator.check_schema(schema)
    written = json.loads(json.dumps(detector_of(type_).to_dict()))
    jsonschema.validate(written, schema)
    for name, described in schema["properties"].items():
        if name != "type":
            jsonschema.validate(described["default"], described)
            assert described["description"].endswith(".")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**written, "wndow": 1}, schema)


def test_unknown_parameters_are_refused_by_name(type_: str) -> None:
    with pytest.raises(ParameterError, match="did you mean min_points") as caught:
        detector_of(type_, min_point=3)
    assert caught.value.field == "min_point"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("direction", "sideways"),
        ("timezone", "Mars/Olympus"),
        ("consecutive", 0),
        ("consecutive", True),
        ("min_abs_change", -1),
        ("min_rel_change", float("nan")),
        ("min_points", 2.5),
        ("max_gap", "soon"),
        ("max_gap", -1),
        ("severity_at", {"major": 3, "critical": 2}),
        ("severity_at", {"warning": 1}),
        ("no_data", "explode"),
        ("holidays", "Atlantis"),
        ("holidays", ["tomorrow"]),
        ("exclude", [["2025-01-01T00:00:00", "2025-01-02"]]),
        ("exclude", [["2025-01-05", "2025-01-02"]]),
        ("exclude", "2025-01-01"),
        ("on_insufficient", None),
        ("clip_lower", "low"),
    ],
)
def test_bad_values_are_refused_and_the_field_is_named(type_: str, field: str, value: Any) -> None:
    with pytest.raises(ParameterError) as caught:
        detector_of(type_, **{field: value})
    assert caught.value.field == field
    assert str(caught.value).startswith(field)


def test_every_parameter_is_declared_with_help(type_: str) -> None:
    declared = {item.name for item in parameters_of(detector_class(type_))}
    assert {"timezone", "direction", "min_points", "severity_at", "exclude"} <= declared
    assert detector_class(type_).type == type_


def test_history_is_a_length_and_cost_grows_with_the_points(type_: str) -> None:
    detector = detector_of(type_)
    start = datetime(2026, 1, 8, tzinfo=UTC)
    history = detector.history(start, start + 7 * DAY, DAY)
    assert timedelta() <= history < timedelta(days=4 * 366)
    assert 0 < detector.cost(100, 7) < detector.cost(1000, 7) <= 1e13

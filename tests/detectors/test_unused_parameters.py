"""A parameter without effect is refused beside the others, and left out of what was stored."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from detectors import ParameterError, Series, detector_from_dict
from detectors.catalog import detector_class, detector_from_stored, detector_types
from detectors.detector import Detector
from detectors.errors import UnusedParameterError
from detectors.schema import json_schema
from tests.detectors.cases import DAY, daily, detector_of, noise, same, series

DAY_LONG = timedelta(days=1)
HOUR_LONG = timedelta(hours=1)
THRESHOLD = {"type": "threshold", "lower": 1}

# A description, the parameter of it that has no effect, and what would give it one.
UNUSED: list[tuple[dict[str, Any], str, dict[str, Any] | None]] = [
    ({"type": "window", "p": 3.0}, "p", {"method": "pct"}),
    ({"type": "window", "centre": "median"}, "centre", {"method": "pct"}),
    ({"type": "window", "method": "pct", "k": 2}, "k", {"method": "robust"}),
    ({"type": "window", "spread": "per_key"}, "spread", {"season": "day_of_week"}),
    (
        {"type": "window", "method": "pct", "season": "day_of_week", "spread": "per_key"},
        "spread",
        {"method": "z"},
    ),
    (
        {"type": "window", "baseline": "before_range", "step_by": "day"},
        "step_by",
        {"baseline": "rolling"},
    ),
    ({"type": "window", "max_gap": 3}, "max_gap", {"consecutive": 2}),
    ({"type": "auto", "max_gap": "2d"}, "max_gap", {"consecutive": 2}),
    ({"type": "prophet", "cap": 3}, "cap", {"growth": "logistic"}),
    ({"type": "prophet", "floor": -1}, "floor", {"growth": "logistic", "cap": 3}),
    (
        {"type": "prophet", "growth": "flat", "n_changepoints": 3},
        "n_changepoints",
        {"growth": "linear"},
    ),
    (
        {"type": "prophet", "n_changepoints": 0, "changepoint_range": 0.5},
        "changepoint_range",
        {"n_changepoints": 5},
    ),
    (
        {"type": "prophet", "growth": "flat", "changepoint_prior_scale": 0.5},
        "changepoint_prior_scale",
        {"growth": "linear"},
    ),
    ({"type": "prophet", "holidays_prior_scale": 1}, "holidays_prior_scale", {"holidays": "DE"}),
    (
        {
            "type": "prophet", "seasonality_prior_scale": 1,
            "yearly": False, "weekly": False, "daily": False,
        },
        "seasonality_prior_scale",
        {"weekly": 2},
    ),
    ({**THRESHOLD, "min_points": 3}, "min_points", None),
    ({**THRESHOLD, "holidays": "DE"}, "holidays", None),
    ({**THRESHOLD, "exclude": [["2026-01-01", "2026-01-02"]]}, "exclude", None),
    ({**THRESHOLD, "on_insufficient": "error"}, "on_insufficient", None),
    ({**THRESHOLD, "severity_at": {"major": 4}}, "severity_at", None),
    (
        {"type": "threshold", "lower": {"major": 1}, "severity": "critical"},
        "severity",
        {"lower": 1},
    ),
    (
        {"type": "seasonal_esd", "compat": "twitter", "min_points": 9},
        "min_points",
        {"compat": None},
    ),
    ({"type": "seasonal_esd", "compat": "twitter", "holidays": "DE"}, "holidays", {"compat": None}),
]  # fmt: skip


@pytest.mark.parametrize(("given", "name", "beside"), UNUSED)
def test_it_is_refused_with_what_it_needs(
    given: dict[str, Any], name: str, beside: dict[str, Any] | None
) -> None:
    with pytest.raises(UnusedParameterError, match="has no effect") as caught:
        detector_from_dict(given)
    assert caught.value.field == name
    if beside is not None:
        used = detector_from_dict({**given, **beside})
        assert detector_from_dict(used.to_dict()) == used


@pytest.mark.parametrize(("given", "name", "beside"), UNUSED)
def test_what_was_stored_is_read_without_it(
    given: dict[str, Any], name: str, beside: dict[str, Any] | None
) -> None:
    without = {key: value for key, value in given.items() if key != name}
    assert detector_from_stored(given) == detector_from_dict(without)
    assert name in given, "the stored description stays as it is"


@pytest.mark.parametrize(("given", "name", "beside"), UNUSED)
def test_it_had_no_effect(
    given: dict[str, Any],
    name: str,
    beside: dict[str, Any] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An earlier version, which took it, said the same of every point."""
    values = noise(150)
    values[[60, -9, -3]] += [30, 30, 40]
    times = np.delete(daily(), [-5])
    one = Series(times, np.delete(values, -5))
    stored = detector_from_stored(given)
    monkeypatch.setattr(Detector, "refuse_given", lambda *_: None)
    asked = detector_from_dict(given)
    assert asked != stored
    start = int(daily()[-12])
    assert same(asked.detect(one, start), stored.detect(one, start))


def test_other_mistakes_in_what_was_stored_are_said() -> None:
    with pytest.raises(ParameterError, match="p: 'x' is not allowed"):
        detector_from_stored({"type": "window", "p": "x"})


@pytest.mark.parametrize("type_", detector_types())
def test_defaults_are_never_refused(type_: str) -> None:
    least = {"lower": 0.0} if type_ == "threshold" else {}
    written = detector_from_dict({"type": type_, **least}).to_dict()
    assert detector_from_dict(written).to_dict() == written


def test_schemas_say_what_a_parameter_needs() -> None:
    described = json_schema(detector_class("window"))["properties"]
    assert described["p"]["description"].endswith("Needs method pct.")
    assert described["max_gap"]["description"].endswith("Needs consecutive above 1.")


# Windows and histories that can never hold enough

FEW: list[tuple[dict[str, Any], timedelta | None, str, str]] = [
    ({"window": 5, "min_points": 20}, None, "window", "holds 5 points.*min_points asks for 20"),
    ({"window": 28, "gap": 20}, None, "window", "8 points.*gap of 20.*needs 10.*up to 8"),
    ({"window": 2, "season": "day_of_week"}, None, "window", "2 points of one day of week"),
    ({"window": "7d", "min_points": 8}, DAY_LONG, "window", "7d holds 7 points at a step of 1d"),
    ({"window": "14d", "season": "day_of_week"}, DAY_LONG, "window", "holds 2 points.*needs 3"),
    ({"min_points": 60}, DAY_LONG, "min_points", "default, 28d holds 28 points.*up to 28"),
    ({"gap": "25d"}, DAY_LONG, "gap", "default, 28d holds 3 points"),
    ({"season": "hour_of_week", "min_points": 9}, HOUR_LONG, "min_points", "8 points of one hour"),
    ({"window": "3d", "gap": 100}, HOUR_LONG, "window", "0 points.*: give a longer window$"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "step", "name", "words"), FEW)
def test_a_window_that_never_holds_enough_is_refused(
    given: dict[str, Any], step: timedelta | None, name: str, words: str
) -> None:
    def made() -> None:
        detector = detector_from_dict({"type": "window", **given})
        assert step is not None, "it is refused before a step is known"
        detector.check_step(step)

    with pytest.raises(ParameterError, match=words) as caught:
        made()
    assert caught.value.field == name


@pytest.mark.parametrize("season", ["hour_of_day", "day_of_week", "hour_of_week"])
@pytest.mark.parametrize("step", [timedelta(minutes=20), HOUR_LONG, timedelta(hours=5), DAY_LONG])
@pytest.mark.parametrize("window", ["30h", "6d", "7d", "15d", 40])
def test_no_window_that_can_judge_is_refused(season: str, step: timedelta, window: Any) -> None:
    """Whatever is refused has no verdict on months of points."""
    given = {"type": "window", "season": season, "window": window}
    detector = detector_from_dict(given)
    times = daily(1)[0] + np.arange(timedelta(days=40) // step) * (
        step // timedelta(milliseconds=1)
    )
    one = series(times, noise(len(times)))
    try:
        detector.check_step(step)
    except ParameterError:
        with pytest.raises(ParameterError, match=r"min_points|a verdict needs"):
            detector.detect(one)
        monkey = detector_of("window", season=season, window=window)
        object.__setattr__(monkey, "_check_frame", lambda *_: None)
        assert not monkey.detect(one).judged.any()


def test_a_step_that_is_a_guess_refuses_nothing() -> None:
    few = series(daily(3), noise(3))
    detector = detector_from_dict({"type": "window", "min_points": 60})
    assert not detector.detect(few).judged.any()
    with pytest.raises(ParameterError, match="min_points"):
        detector.detect(few, step=DAY)
    with pytest.raises(ParameterError, match="min_points"):
        detector.detect(series(daily(), noise(150)))


@pytest.mark.parametrize(
    ("given", "step", "name"),
    [
        ({"type": "prophet", "history_length": "60d"}, DAY_LONG, "history_length"),
        ({"type": "prophet"}, timedelta(days=30), "history_length"),
        ({"type": "seasonal_esd"}, timedelta(days=7), "period"),
        ({"type": "auto", "min_points": 800}, DAY_LONG, "min_points"),
    ],
)
def test_other_detectors_refuse_steps_too(given: Any, step: timedelta, name: str) -> None:
    detector = detector_from_dict(given)
    detector.check_step(HOUR_LONG if "min_points" not in given else timedelta(minutes=1))
    with pytest.raises(ParameterError) as caught:
        detector.check_step(step)
    assert caught.value.field == name

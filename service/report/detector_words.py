"""What a detector did, for readers who never saw one."""

from collections.abc import Iterator, Mapping
from typing import Any

from detectors.catalog import detector_class
from detectors.errors import DetectorError
from detectors.schema import json_schema
from service.clock import DAY_MS, HOUR_MS
from service.notifications.wording import number_text
from service.report.facts import MetricLook

Parameters = Mapping[str, Any]
_SEASONS = {
    "hour_of_day": "of the same hour of the day",
    "day_of_week": "of the same day of the week",
    "hour_of_week": "of the same hour of the week",
}
_UNITS = {"d": "days", "h": "hours", "w": "weeks", "m": "minutes"}
_UNSAID = ("type", "timezone")


def how_it_judged(detector: Parameters, look: MetricLook) -> str:
    """One or two sentences."""
    tell = {
        "threshold": _threshold,
        "window": _window,
        "prophet": _prophet,
        "seasonal_esd": _seasonal_esd,
        "trend_change": _trend_change,
        "auto": _auto,
    }.get(str(detector.get("type")))
    parts = [tell(detector, look)] if tell else []
    return " ".join([*parts, *_common(detector)])


def _threshold(given: Parameters, look: MetricLook) -> str:
    low, high = _bound(given.get("lower"), look), _bound(given.get("upper"), look)
    if low and high:
        return f"Values from {low} to {high} are normal."
    return f"Values of at least {low} are normal." if low else f"Values up to {high} are normal."


def _auto(given: Parameters, look: MetricLook) -> str:
    return "Each series is judged by the detector that suits its step and its history."


def _bound(bound: Any, look: MetricLook) -> str:
    if isinstance(bound, Mapping):
        bound = next(iter(bound.values()), None)
    return number_text(float(bound), look.pattern) if isinstance(bound, int | float) else ""


def _window(given: Parameters, look: MetricLook) -> str:
    span = f"{_window_span(given, look)} before it"
    if given.get("baseline") == "before_range":
        span = f"{_window_span(given, look)} before the whole range"
    season = _SEASONS.get(str(given.get("season")))
    if season:
        span += f", those {season}"
    return f"Each point is compared with {span}: normal is what lies within {_width(given)}."


def _window_span(given: Parameters, look: MetricLook) -> str:
    """How long the window is; its own choice follows `detectors/window/detector.py`."""
    window = given.get("window")
    if isinstance(window, int):
        return f"the {window:,} points"
    if isinstance(window, str):
        return f"the points of {_duration(window)}"
    if given.get("season") in ("day_of_week", "hour_of_week"):
        return "the points of 8 weeks"
    return {DAY_MS: "the points of 28 days", HOUR_MS: "the points of 7 days"}.get(
        look.step_ms or 0, "the points"
    )


def _duration(text: str) -> str:
    """``28 days`` of ``28d``."""
    number, unit = text[:-1], _UNITS.get(text[-1:])
    return f"{number} {unit}" if unit and number.isdecimal() else text


def _width(given: Parameters) -> str:
    k, method = given.get("k"), given.get("method")
    if method == "pct":
        return f"{given.get('p', 30):g} % of their {given.get('centre', 'mean')}"
    if method == "robust":
        return f"{k or 3.5:g} deviations of their median, so that single outliers do not matter"
    if method == "quantile":
        return f"the span of their middle nine tenths, made {k or 2:g} times wider"
    return f"{k or 3:g} standard deviations of their mean"


def _prophet(given: Parameters, look: MetricLook) -> str:
    share = float(given.get("interval_width", 0.997)) * 100
    return (
        "Each point is compared with a forecast made of the history before it: its trend and its "
        f"seasons. The expected range is made to hold {share:g} % of ordinary points."
    )


def _seasonal_esd(given: Parameters, look: MetricLook) -> str:
    share = float(given.get("max_anomalies", 0.1)) * 100
    return (
        "The usual pattern of a season is taken away, and what stands out from the rest of the "
        f"series is tested: at most {share:g} % of the points, with a significance level of "
        f"{given.get('alpha', 0.05):g}."
    )


def _trend_change(given: Parameters, look: MetricLook) -> str:
    share = float(given.get("false_alarm_rate", 0.01)) * 100
    return (
        "The series is tested as a whole for days from which its level or its slope is another "
        "one; an anomaly is the first point of what came after. Where nothing changed, a change "
        f"is found in {share:g} of 100 series."
    )


def _common(given: Parameters) -> Iterator[str]:
    side = given.get("direction")
    if side in ("up", "down"):
        yield f"Only {'rises' if side == 'up' else 'drops'} count."
    if (share := given.get("min_rel_change") or 0) > 0:
        yield f"Differences of up to {share * 100:g} % are ignored."
    if (least := given.get("min_abs_change") or 0) > 0:
        yield f"Differences of up to {least:g} are ignored."
    if (count := given.get("consecutive") or 1) > 1:
        yield f"A point counts from the {count}th unusual one in a row on."


def parameter_rows(detector: Parameters) -> list[tuple[str, str, str, bool]]:
    """Name, value, meaning, and whether it is not the default: those first."""
    try:
        known = json_schema(detector_class(detector.get("type")))["properties"]
    except DetectorError:
        known = {}
    rows = []
    for name in {**known, **detector}:
        if name not in _UNSAID:
            about = known.get(name, {})
            value = detector.get(name, about.get("default"))
            chosen = value != about.get("default")
            rows.append((name, _written(value), str(about.get("description", "")), chosen))
    return sorted(rows, key=lambda row: (not row[3], row[0]))


def _written(value: Any) -> str:
    if value is None:
        return "by itself"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_written(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_written, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)

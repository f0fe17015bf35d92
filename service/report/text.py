"""Values and anomalies in words."""

from service.notifications.wording import (
    bounds_text,
    change_percent,
    change_text,
    days_since,
    number_text,
    ordinal,
)
from service.report.facts import MetricLook
from storage.index import Anomaly

_LONGEST = 24  # letters; a format of thousandths makes 300 of a very large number


def value_text(value: float | None, look: MetricLook) -> str:
    """A value in the metric's format, with its unit."""
    text = _number(value, look)
    return f"{text} {look.unit}" if look.unit and value is not None else text


def _number(value: float | None, look: MetricLook) -> str:
    text = number_text(value, look.pattern)
    return text if value is None or len(text) <= _LONGEST else f"{value:.4g}"


def range_words(anomaly: Anomaly, look: MetricLook) -> str:
    """``0.40 to 0.44``, ``at least 0.40``; empty when nothing was expected."""
    unit = f" {look.unit}" if look.unit else ""
    bounds = bounds_text(anomaly.lower, anomaly.upper, lambda value: _number(value, look))
    return bounds and f"{bounds}{unit}"


def expected_words(anomaly: Anomaly, look: MetricLook) -> str:
    """``about 0.42``; empty where a fixed bound is all that was expected."""
    expected = anomaly.expected
    if expected is None or expected in (anomaly.lower, anomaly.upper):
        return ""
    return f"about {value_text(expected, look)}"


def change_words(anomaly: Anomaly) -> str:
    """``-26 %``: how far from what was expected."""
    return change_text(change_percent(anomaly.value, anomaly.expected)).replace(
        "-", "\N{MINUS SIGN}"
    )


def day_words(anomaly: Anomaly, timezone: str) -> str:
    """``3rd day``, from the second on."""
    day = days_since(anomaly.episode_start_ms, anomaly.ts_ms, timezone)
    return f"{ordinal(day)} day" if day > 1 else ""

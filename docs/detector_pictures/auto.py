"""Pictures of docs/detectors/auto.md."""

from dataclasses import replace

from detector_pictures.chart import Panel, strip
from detector_pictures.made import Case, orders, traffic


def draw() -> None:
    """Draw all."""
    case = orders(140, seed=4, growth=0.002)
    for row in (18, 45, 130):
        case = case.with_event([row], -260.0)
    parts = [("15 days before the range", 15, 30), ("40 days", 40, 56), ("115 days", 115, 140)]
    strip("auto", case, [
        Panel(f"{words}: {_chosen(case, first)}", {"type": "auto"},
              _part(case, first, last), start=first)
        for words, first, last in parts
    ])  # fmt: skip
    hours = traffic(30, seed=6)
    # At other hours each time: outages widen the band of their own hours.
    for day, hour in ((3, 13), (12, 10), (28, 17)):
        hours = hours.with_event(range(24 * day + hour, 24 * day + hour + 3), -50.0)
    parts = [("2 days of hours", 2, 5), ("10 days", 10, 14), ("25 days", 25, 30)]
    strip("auto_hourly", hours, [
        Panel(f"{words}: {_chosen(hours, 24 * first)}", {"type": "auto"},
              _part(hours, 24 * first, 24 * last), start=24 * first)
        for words, first, last in parts
    ])  # fmt: skip


def _chosen(case: Case, start: int) -> str:
    from detectors import Auto

    result = Auto().detect(case.series, case.times[start])
    assert result.chosen is not None
    own = result.chosen.parameters
    return str(own.get("season", own["type"]))


def _part(case: Case, first: int, last: int) -> Case:
    events = tuple(event for event in case.events if first <= event[0] < last)
    shown = max(0, last - 24 * 12)
    return replace(
        case, times=case.times[:last], values=case.values[:last], events=events, shown=shown
    )

"""Whether points that were sent once still stand, or others were sent over them since.

A job that ran again with other numbers, and then again with the first ones, sends the same content
as the first time: the service knows its key and would leave the second numbers there.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any, Optional

from lupus.client.points import Key, Points
from lupus.client.service import Service
from lupus.errors import RefusedError

MOST_POINTS, MOST_TIMES = 1000, 10  # of more it is cheaper to send them again
_LONGEST_QUERY = 3000
_PAGE = {"limit": 200, "max_points": 100_000}


def points_stand(service: Service, source: str, points: Points) -> bool:
    """Ask the service whether it still has exactly these values."""
    times = sorted(set(points.times))
    if len(points) > MOST_POINTS or len(times) > MOST_TIMES:
        return False
    try:
        return all(_stands_at(service, source, points, time) for time in times)
    except RefusedError:  # this caller may send and not read
        return False


def _stands_at(service: Service, source: str, points: Points, time: str) -> bool:
    rows = zip(points.code, points.times, points.values)
    wanted = {points.series[code]: value for code, at, value in rows if at == time}
    stored: dict[Key, float] = {}
    for names in _some(sorted({name for name, _ in wanted})):
        stored.update(_stored(service, source, names, time))
    return all(stored.get(key) == value for key, value in wanted.items())


def _some(names: Sequence[str]) -> Iterator[list[str]]:
    some: list[str] = []
    for name in names:
        if some and sum(map(len, some)) > _LONGEST_QUERY:
            yield some
            some = []
        some.append(name)
    yield some


def _stored(
    service: Service, source: str, names: Sequence[str], time: str
) -> Iterator[tuple[Key, float]]:
    query: dict[str, Any] = {
        "source": source,
        "metric": names,
        "start": time,
        "end": _after(time),
        **_PAGE,
    }
    cursor: Optional[str] = None
    while True:
        chart = service.get("points", query={**query, "cursor": cursor})
        start_ms = _milliseconds(chart["start"])
        for one in chart["items"]:
            if start_ms in one["times_ms"]:
                value = one["values"][one["times_ms"].index(start_ms)]
                yield (one["metric"], tuple(sorted(one["labels"].items()))), value
        cursor = chart["cursor"]
        if cursor is None:
            return


def _after(time: str) -> str:
    if "T" not in time:
        return (dt.date.fromisoformat(time) + dt.timedelta(days=1)).isoformat()
    moment = dt.datetime.fromisoformat(time.replace("Z", "+00:00")) + dt.timedelta(milliseconds=1)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _milliseconds(time: str) -> int:
    moment = dt.datetime.fromisoformat(time.replace("Z", "+00:00"))
    return round(moment.timestamp() * 1000)

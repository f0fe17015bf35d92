"""Cost of each detector against points of a series and against series."""

import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self

import numpy as np

from benchmarks.detectors.data import Floats
from benchmarks.detectors.examples import example
from detectors import Series

POINTS = (100, 1_000, 10_000, 100_000, 1_000_000)
SERIES = (1, 10, 100, 1_000, 10_000, 100_000)
POINTS_EACH = 100  # where series are counted

# A larger step that would probably take longer than this is left out, and the page says so.
MOST_SECONDS = 60.0
# Shorter work is done again and again for as long.
LEAST_SECONDS = 0.2
FIRST = np.datetime64("2000-01-01", "ms")

Against = Literal["points", "series"]


@dataclass(frozen=True)
class Curve:
    """Processor seconds of one call by the number of points or series."""

    type: str
    against: Against
    date: str
    load: float
    seconds: dict[str, float]  # JSON's keys are texts

    @property
    def name(self) -> str:
        return f"{self.type} against {self.against}"

    @property
    def exponent(self) -> float | None:
        """Power of growth over the largest tenfold step; 1 is in line."""
        if len(self.seconds) < 2:
            return None
        (_, before), (_, last) = list(self.seconds.items())[-2:]
        return math.log10(last / before)

    @classmethod
    def from_dict(cls, written: dict[str, Any]) -> Self:
        return cls(**written)


def measure_growth(type_: str, most_seconds: float = MOST_SECONDS) -> Iterator[Curve]:
    """Both curves of a detector."""
    against: tuple[tuple[Against, tuple[int, ...], Callable[..., Callable[[], object]]], ...] = (
        ("points", POINTS, _of_points),
        ("series", SERIES, _of_series),
    )
    for name, sizes, work_of in against:
        date, load = f"{datetime.now(UTC):%Y-%m-%d}", round(os.getloadavg()[0], 1)
        seconds: dict[str, float] = {}
        for size in sizes:
            seconds[str(size)] = _seconds(work_of(type_, size))
            if 10 * seconds[str(size)] > most_seconds:
                break
        yield Curve(type_, name, date, load, seconds)


def _of_points(type_: str, size: int) -> Callable[[], object]:
    """One hourly series, every point judged; Prophet fits all of it once."""
    series = Series(FIRST + _hours(size), _values(1, size, 24)[0])
    if type_ == "prophet":
        # Counted back from a midnight.
        detector = example(type_, history_length=size + 24)
        return lambda: detector.detect(series, series.times[-1])
    detector = example(type_, **({"period": 24} if type_ == "seasonal_esd" else {}))
    return lambda: detector.detect(series)


def _of_series(type_: str, size: int) -> Callable[[], object]:
    """Daily series of 100 points on one grid, every point judged; Prophet judges the last."""
    times = FIRST + 24 * _hours(POINTS_EACH)
    series = [Series(times, row) for row in _values(size, POINTS_EACH, 7)]
    start = times[-1] if type_ == "prophet" else None
    detector = example(type_)
    return lambda: detector.detect_many(series, start)


def _hours(count: int) -> Any:
    return np.arange(count) * np.timedelta64(3_600_000, "ms")


def _values(series: int, points: int, period: int) -> Floats:
    rng = np.random.default_rng(1)
    values = rng.standard_normal((series, points))
    values += 2 * np.sin(2 * np.pi * np.arange(points) / period)
    return values


def _seconds(work: Callable[[], object]) -> float:
    """Least processor seconds of a few calls after a first one."""
    begin = time.process_time()
    work()
    first = time.process_time() - begin
    taken: list[float] = []
    while not taken or (sum(taken) < LEAST_SECONDS and len(taken) < 50):
        begin = time.process_time()
        work()
        taken.append(time.process_time() - begin)
        if first > 10:
            break
    return min(taken)

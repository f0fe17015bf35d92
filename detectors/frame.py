"""Series that lie on one grid, as one matrix; detectors see nothing else of their input."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from detectors import memory
from detectors.calendar import Holidays, on_holiday
from detectors.errors import PointError, SeriesError
from detectors.grid import Grid, infer_grid
from detectors.instants import Moment, moment_ms
from detectors.result import Flags
from detectors.series import Floats, Millis, Series, address, adjacent_rows
from detectors.wall_clock import to_wall

# 8 MB of values: large enough for the system's large pages and for little work around each frame,
# small enough that what a detector works with beside its results is nothing beside many series.
_CELLS = 1 << 20
# More slots than this, and than this many for each point, are no grid but a mistake in the times.
_MOST_SLOTS = 2_000_000
_MOST_SLOTS_PER_POINT = 1_000
_NO_TIMES = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller of `detect` asked for.

    Attributes
    ----------
    start_ms, end_ms : int or None
        The checked range [start, end) in epoch milliseconds.
    step_ms : int or None
        The known step, where the caller knows it.
    """

    start_ms: int | None = None
    end_ms: int | None = None
    step_ms: int | None = None


@dataclass(frozen=True)
class Frame:
    """s series over the same n slots of one grid.

    Attributes
    ----------
    grid : Grid
    slots : ndarray of int64, shape (n,)
        Consecutive slot numbers.
    slot_times : ndarray of int64, shape (n,)
        UTC milliseconds at which each slot's point is expected.
    wall : ndarray of int64, shape (n,)
        The same in local wall milliseconds of the detector's time zone.
    usable : ndarray of bool, shape (n,)
        Slots that may be part of a baseline: outside holidays and excluded ranges.
    judged : slice
        Columns that get a verdict, including the lead-in before the reported ones.
    reported : slice
        Columns that the caller asked for.
    request : Request
    times : ndarray of int64, shape (s, n) or (1, n)
        Original timestamps, the expected ones for slots without a point.
    given : ndarray of float64, shape (s, n)
        Values as they came, infinities included.
    """

    grid: Grid
    slots: Millis
    slot_times: Millis
    wall: Millis
    usable: Flags
    judged: slice
    reported: slice
    request: Request
    times: Millis
    given: Floats

    @cached_property
    def values(self) -> Floats:
        """`given` with NaN where there is no data, shape (s, n)."""
        return _finite(self.given)

    @property
    def baseline_values(self) -> Floats:
        """`values` with NaN where a slot may not be part of a baseline, shape (s, n)."""
        if self.usable.all():
            return self.values
        return np.where(self.usable, self.values, np.nan)

    def reported_rows(self) -> list[tuple[int, int]]:
        """First and one-past-last reported column of each series."""
        if len(self.times) == 1:
            return [(self.reported.start, self.reported.stop)] * len(self.given)
        first = np.zeros(len(self.times), np.int64)
        stop = np.full(len(self.times), self.times.shape[1])
        if self.request.start_ms is not None:
            first = (self.times < self.request.start_ms).sum(axis=1)
        if self.request.end_ms is not None:
            stop = (self.times < self.request.end_ms).sum(axis=1)
        return list(zip(first.tolist(), np.maximum(first, stop).tolist(), strict=True))

    def reported_column(self, time_ms: int) -> int:
        """Find the column of a row of the first series by its time, or raise PointError."""
        first, stop = self.reported_rows()[0]
        times = self.times[0, first:stop]
        at = int(np.searchsorted(times, time_ms))
        if at < len(times) and times[at] == time_ms:
            return first + at
        asked, *near = (
            f"{one}Z"
            for one in (
                np.datetime64(time_ms, "ms"),
                *times[max(at - 1, 0) : at + 1].view("datetime64[ms]"),
            )
        )
        nearest = f"; the nearest are at {' and '.join(near)}" if near else "; it has none at all"
        raise PointError(f"the result has no row at {asked}{nearest}")

    def only(self, row: int) -> "Frame":
        """Keep one of the frame's series."""
        part = slice(row, row + 1)
        times = self.times if len(self.times) == 1 else self.times[part]
        return replace(self, given=self.given[part], times=times)


@dataclass(frozen=True, slots=True)
class _Timeline:
    """One distinct sequence of timestamps, placed on its grid."""

    grid: Grid
    slots: Millis  # of the points that won their slot
    rows: slice | Millis  # those points' rows in the series
    first: int
    last: int

    @property
    def is_whole(self) -> bool:
        """Whether there is a point in each slot, and no other point."""
        return isinstance(self.rows, slice) and len(self.slots) == self.last - self.first + 1

    @property
    def columns(self) -> slice | Millis:
        """Columns of the points in a frame of this timeline's span."""
        return slice(None) if self.is_whole else self.slots - self.first


@dataclass(frozen=True, slots=True)
class _Span:
    """What all frames of one grid and span have in common; arrays as in `Frame`."""

    slots: Millis
    slot_times: Millis
    wall: Millis
    usable: Flags

    @classmethod
    def of(cls, timeline: _Timeline, rules: "BaselineRules") -> "_Span":
        slots = np.arange(timeline.first, timeline.last + 1)
        slot_times = timeline.grid.times(slots)
        wall = to_wall(slot_times, rules.timezone)
        return cls(slots, slot_times, wall, _usable(slot_times, wall, rules))


@dataclass(frozen=True, slots=True)
class BaselineRules:
    """What a detector's common parameters say about its frames."""

    timezone: str
    holidays: Holidays | None
    exclude: tuple[tuple[Moment, Moment], ...]
    lead_in: Callable[[Grid], int]


def frames(
    series: Sequence[Series], request: Request, rules: BaselineRules
) -> Iterator[tuple[list[int], Frame | SeriesError]]:
    """Cut series into frames of one grid and span; yields the positions of a frame's series.

    Series without points are in no frame; one that lies on no grid comes with its error.
    """
    groups, errors = _grouped(series, request, rules.timezone)
    for position, error in errors.items():
        yield [position], error
    for members in groups:
        span = _Span.of(members[0][1], rules)
        height = max(1, _CELLS // len(span.slots))
        for i in range(0, len(members), height):
            part = members[i : i + height]
            yield (
                [position for position, _ in part],
                _frame(
                    [series[position] for position, _ in part],
                    [timeline for _, timeline in part],
                    span,
                    request,
                    rules,
                ),
            )


def _grouped(
    series: Sequence[Series], request: Request, timezone: str
) -> tuple[list[list[tuple[int, _Timeline]]], dict[int, SeriesError]]:
    """Positions and timelines by grid and span, and what was wrong with the others."""
    groups: dict[tuple[Grid, int, int], list[tuple[int, _Timeline]]] = {}
    errors: dict[int, SeriesError] = {}
    known: dict[bytes, _Timeline] = {}
    latest, timeline = _Latest(_NO_TIMES, 0), None
    for position, one in enumerate(series):
        if not one.epoch_ms.size:
            continue
        try:
            # Most often a series has the timestamps of the one before it, in one array with them.
            if timeline is None or not latest.has(one.epoch_ms):
                timeline = _known_timeline(one.epoch_ms, request, timezone, known)
                latest = _Latest(one.epoch_ms, address(one.epoch_ms))
        except SeriesError as error:
            errors[position] = error
            continue
        key = (timeline.grid, timeline.first, timeline.last)
        groups.setdefault(key, []).append((position, timeline))
    return list(groups.values()), errors


class _Latest(NamedTuple):
    """Timestamps of one series, and where they lie in memory."""

    times: Millis
    place: int

    def has(self, others: Millis) -> bool:
        """Whether another series has the same."""
        if others is self.times:
            return True
        if others.size != self.times.size:
            return False
        return address(others) == self.place or bool((others == self.times).all())


def _known_timeline(
    epoch_ms: Millis, request: Request, timezone: str, known: dict[bytes, _Timeline]
) -> _Timeline:
    """Place each distinct sequence of timestamps once."""
    content = epoch_ms.tobytes()
    if content not in known:
        known[content] = _timeline(epoch_ms, request, timezone)
    return known[content]


def _timeline(epoch_ms: Millis, request: Request, timezone: str) -> _Timeline:
    grid = infer_grid(epoch_ms, timezone, request.step_ms)
    slots = grid.slots(epoch_ms)
    wins = np.append(slots[1:] != slots[:-1], True)
    rows: slice | Millis = slice(None) if wins.all() else np.flatnonzero(wins)
    last = int(slots[-1])
    if request.end_ms is not None:
        last = max(last, _last_slot_before(request.end_ms, grid))
    width = last - int(slots[0]) + 1
    if width > max(_MOST_SLOTS, _MOST_SLOTS_PER_POINT * len(slots)):
        raise SeriesError(
            f"{len(slots)} points over {width} steps of {grid.step_ms} ms are too irregular for a "
            "grid; give the series' step"
        )
    return _Timeline(grid, slots[rows], rows, int(slots[0]), last)


def _last_slot_before(end_ms: int, grid: Grid) -> int:
    slots = grid.slots(np.array([end_ms])) + np.array([1, 0, -1, -2])
    return int(slots[grid.times(slots) < end_ms][0])


def _frame(
    series: Sequence[Series],
    timelines: Sequence[_Timeline],
    span: _Span,
    request: Request,
    rules: BaselineRules,
) -> Frame:
    one = timelines[0]
    alike = all(timeline is one for timeline in timelines)
    if alike and one.is_whole:
        times, given = series[0].epoch_ms[np.newaxis], adjacent_rows(series)
    else:
        times, given = _placed_times(series, timelines[: 1 if alike else None], span), None
    if given is None:
        given = memory.empty((len(series), len(span.slots)))
        for row, single, timeline in zip(given, series, timelines, strict=True):
            if not timeline.is_whole:
                row[:] = np.nan
            row[timeline.columns] = single.values[timeline.rows]
    reported = _reported(times, request)
    return Frame(
        grid=one.grid,
        slots=span.slots,
        slot_times=span.slot_times,
        wall=span.wall,
        usable=span.usable,
        judged=slice(max(0, reported.start - rules.lead_in(one.grid)), reported.stop),
        reported=reported,
        request=request,
        times=times,
        given=given,
    )


def _placed_times(series: Sequence[Series], timelines: Sequence[_Timeline], span: _Span) -> Millis:
    """Each point's own time in its slot, the expected one in the others; a row a timeline."""
    times = np.tile(span.slot_times, (len(timelines), 1))
    for row, single, timeline in zip(times, series, timelines, strict=False):
        row[timeline.columns] = single.epoch_ms[timeline.rows]
    return times


@np.errstate(over="ignore", invalid="ignore")
def _finite(given: Floats) -> Floats:
    """Put NaN in the place of infinities; their sum is finite where all values are."""
    if np.isfinite(given.sum()):
        return given
    infinite = np.isinf(given)
    return np.where(infinite, np.nan, given) if infinite.any() else given


def _usable(slot_times: Millis, wall: Millis, rules: BaselineRules) -> Flags:
    usable = np.ones(slot_times.shape, bool)
    if rules.holidays is not None:
        usable &= ~on_holiday(wall, rules.holidays)
    for start, end in rules.exclude:
        start_ms, end_ms = moment_ms(start, rules.timezone), moment_ms(end, rules.timezone)
        usable &= (slot_times < start_ms) | (slot_times >= end_ms)
    return usable


def _reported(times: Millis, request: Request) -> slice:
    """Columns in which at least one series has a row within the requested range."""
    first, stop = 0, times.shape[1]
    if request.start_ms is not None:
        first = int((times < request.start_ms).sum(axis=1).min())
    if request.end_ms is not None:
        stop = int((times < request.end_ms).sum(axis=1).max())
    return slice(first, max(first, stop))

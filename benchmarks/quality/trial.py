"""One family of series, one detector, one length of history: what it found and what it cost."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from benchmarks.quality.configurations import Description
from benchmarks.quality.events import KINDS, Kind, planted
from benchmarks.quality.history_bounds import HistoryBounds
from benchmarks.quality.metrics import STEP_MS, STEPS_PER_DAY, Family, Step
from detectors import Series, detector_from_dict
from detectors.detector import Detector
from detectors.result import Codes, Flags, Reason
from detectors.series import Floats
from service.accept_defaults import detector_with_defaults
from storage.source import SourceSpec

HORIZON: Mapping[Step, int] = {"daily": 60, "hourly": 24 * 14}
"""Points that are judged, after the history."""
# An alarm so many steps after an event's end still counts for it, and never as a false one.
GRACE = 2
MERGED = 3
# These test a series as a whole: in use they judge with what is known on the day of the request.
LOOKS: Mapping[str, Mapping[Step, tuple[int, int]]] = {
    "seasonal_esd": {"daily": (1, 1), "hourly": (24, 24)},
    "trend_change": {"daily": (7, 28), "hourly": (24, 24 * 14)},
}
"""Steps from one request to the next, and steps that each one asks about."""
EARLY = {"trend_change": 2}
"""Steps that a date may be too early."""
_YEAR_DAYS = 365.25


Judge = Detector | HistoryBounds


@dataclass(frozen=True, eq=False)
class Verdicts:
    """What a detector said of the horizon: shape (series, horizon)."""

    anomaly: Flags
    side: Codes
    judged: Flags
    silent: Flags
    """Steps without data, which a request warns of whose range ends there."""

    @property
    def starts(self) -> Flags:
        """First points of episodes."""
        earlier = np.zeros_like(self.anomaly)
        same_side = self.side[:, 1:] == self.side[:, :-1]
        earlier[:, 1:] = self.anomaly[:, :-1] & same_side
        return self.anomaly & ~earlier

    def episodes(self, gap: int) -> int:
        """Count episodes with up to so many steps between two points of one."""
        total = 0
        for side in np.unique(self.side[self.anomaly]):
            row, column = np.nonzero(self.anomaly & (self.side == side))
            far = (np.diff(row) > 0) | (np.diff(column) > gap + 1)
            total += 1 + int(far.sum())
        return total


@dataclass(frozen=True)
class Found:
    """Of the events of one kind: how many had an alarm, after how many steps, and what else."""

    events: int
    found: int
    delay: float | None
    """Median steps from an event's first point to its alarm; None without any."""
    others: int
    """Episodes that began outside the events."""
    points: int
    """Anomalous points, in the events and outside."""
    episodes: int
    merged: int
    """Episodes with up to `MERGED` steps between two points of one."""
    judged: float
    """Share of the horizon's points with data that got a verdict."""


@dataclass(frozen=True)
class Quiet:
    """Series without an event."""

    years: float
    """Judged series-years."""
    points: int
    episodes: int
    judged: float
    """Share of the horizon that got a verdict."""


def complete(description: Description, step: Step) -> Judge:
    """The detector as a request gets it that says no more; a threshold has its history's bounds."""
    if description == {"type": "threshold"}:
        return HistoryBounds()
    source = SourceSpec("benchmark", "UTC", steps_ms={"metric": STEP_MS[step]})
    return detector_from_dict(detector_with_defaults(description, (), ("metric",), source))


def quiet(family: Family, values: Floats, detector: Judge, history: int) -> Quiet:
    """Count alarms where nothing was planted."""
    said = verdicts(family, values, detector, history)
    days = said.judged.sum() / STEPS_PER_DAY[family.step]
    return Quiet(
        float(days / _YEAR_DAYS),
        int(said.anomaly.sum()),
        int(said.starts.sum()),
        float(said.judged.mean()),
    )


def found(
    family: Family, detector: Judge, history: int, longest: int, seed: int
) -> dict[Kind, Found]:
    """Plant each kind of event into the horizon of each series and look for it."""
    answers = {}
    for kind in KINDS:
        made = planted(family, kind, longest, seed)
        said = verdicts(family, made.values, detector, history)
        first = made.first - longest
        delays, others = [], 0
        for row, starts_at in enumerate(first.tolist()):
            begin = max(starts_at - EARLY.get(detector.type, 0), 0)
            stop = min(starts_at + made.points + GRACE, said.anomaly.shape[1])
            alarms = said.silent if kind == "missing" else said.anomaly
            hits = begin + np.flatnonzero(alarms[row, begin:stop])
            if len(hits):
                delays.append(max(int(hits[0]) - starts_at, 0))
            outside = said.starts[row].copy()
            outside[begin:stop] = False
            others += int(outside.sum())
        delay = float(np.median(delays)) if delays else None
        judged = float(said.judged[~said.silent].mean())
        answers[kind] = Found(
            events=len(first),
            found=len(delays),
            delay=delay,
            others=others,
            points=int(said.anomaly.sum()),
            episodes=said.episodes(0),
            merged=said.episodes(MERGED),
            judged=judged,
        )
    return answers


def verdicts(family: Family, values: Floats, detector: Judge, history: int) -> Verdicts:
    """Judge the last `HORIZON` points of each series, with so many points before them."""
    horizon = HORIZON[family.step]
    begin = values.shape[1] - horizon - history
    times, values = family.times[begin:], values[:, begin:]
    series = [Series(times[known], row[known]) for row in values for known in [~np.isnan(row)]]
    step = timedelta(milliseconds=STEP_MS[family.step])
    shape = (len(series), horizon)
    anomaly, judged, silent = (np.zeros(shape, bool) for _ in range(3))
    side = np.zeros(shape, np.int8)
    for first, stop in _ranges(detector, family.step, history, len(times)):
        start_ms, end_ms = int(times[first]), int(times[stop - 1]) + STEP_MS[family.step]
        known = _known(detector, series, start_ms, end_ms, step)
        for row, result in enumerate(detector.detect_many(known, start_ms, end_ms, step=step)):
            at = (result.times.astype(np.int64) - times[history]) // STEP_MS[family.step]
            anomaly[row, at] |= result.is_anomaly
            side[row, at] = np.where(result.is_anomaly, result.direction, side[row, at])
            judged[row, at] |= result.judged
            silent[row, at] |= result.reason == Reason.NO_DATA
    return Verdicts(anomaly, side, judged, silent)


def _ranges(detector: Judge, step: Step, first: int, stop: int) -> Iterator[tuple[int, int]]:
    if detector.type not in LOOKS:
        yield first, stop
        return
    between, length = LOOKS[detector.type][step]
    for end in range(first + between, stop + between, between):
        yield max(end - length, first), min(end, stop)


def _known(
    detector: Judge, series: Sequence[Series], start_ms: int, end_ms: int, step: timedelta
) -> Sequence[Series]:
    """What a request would load: the history before the range, and nothing after it."""
    if detector.type not in LOOKS or isinstance(detector, HistoryBounds):
        return series
    start, end = np.datetime64(start_ms, "ms"), np.datetime64(end_ms, "ms")
    loaded_ms = start_ms - detector.history(start, end, step) // timedelta(milliseconds=1)
    cuts = [np.searchsorted(one.epoch_ms, [loaded_ms, end_ms]) for one in series]
    return [
        Series(one.epoch_ms[a:b], one.values[a:b]) for one, (a, b) in zip(series, cuts, strict=True)
    ]

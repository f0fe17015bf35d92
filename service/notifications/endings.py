"""When an episode that was told is over: the run's last verdict of its series is normal again."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from service.clock import DAY_MS
from service.database.ledger import Said, series_found
from service.database.runs import Run
from service.notifications.events import NotifyRules, rank
from service.notifications.policy import Told, standing
from storage.objects import Objects
from workflows.chunk import read_chunk, read_plan
from workflows.published import Piece, PlannedKeys, PlannedSeries, pieces
from workflows.reconcile import NORMAL
from workflows.report import Change

# An episode that began this long before the range and was not over yet is left to people.
REACH_MS = 28 * DAY_MS
# Detectors whose anomalies are changes that last: normal points after one do not mean its end.
_LASTING = ("trend_change",)


@dataclass(frozen=True, slots=True)
class LastVerdict:
    """The newest judged point of a series in a run; ``number`` is the series' in the plan."""

    number: int
    ts_ms: int
    is_anomaly: bool
    value: float | None
    expected: float | None
    lower: float | None
    upper: float | None


class LastVerdicts:
    """By series id. What series are called is looked up only for those that are shown."""

    def __init__(
        self, verdicts: Mapping[str, LastVerdict] | None = None, keys: PlannedKeys | None = None
    ) -> None:
        self._verdicts = verdicts or {}
        self._keys = keys

    def get(self, series: str) -> LastVerdict | None:
        """Of one series, if the run judged it."""
        return self._verdicts.get(series)

    def normal(self) -> list[str]:
        """Series whose newest judged point is normal."""
        return sorted(id_ for id_, verdict in self._verdicts.items() if not verdict.is_anomaly)

    def unusual_since(self, series: str, ts_ms: int) -> int | None:
        """The time of the newest judged point, if it is unusual and later than ``ts_ms``."""
        found = self._verdicts.get(series)
        return found.ts_ms if found and found.is_anomaly and found.ts_ms > ts_ms else None

    def named(self, verdicts: Iterable[LastVerdict]) -> list[PlannedSeries]:
        """Metric and labels of the verdicts' series."""
        numbers = [verdict.number for verdict in verdicts]
        return self._keys.series(numbers) if self._keys is not None else []


def series_told(tx: Connection, run: Run, start_ms: int) -> set[str]:
    """Series of which a channel of the run was told something that may be over."""
    if run.rule is None or run.detector in _LASTING:
        return set()
    found: set[str] = set()
    for channel in NotifyRules.of(run.notify).channels:
        found |= series_found(tx, channel, run.source, run.rule, start_ms - REACH_MS)
    return found


@dataclass(frozen=True)
class Ended:
    """Episodes of one series that are over: what is shown, and what had been told of them."""

    verdict: LastVerdict
    told: tuple[Said, ...]

    @property
    def starts(self) -> list[int]:
        """When they began, in order."""
        return sorted({one.episode_ms for one in self.told})

    def severity_of(self, episode_ms: int) -> str:
        """The worst that was told of one of them."""
        told = (one.severity for one in self.told if one.episode_ms == episode_ms)
        return max(told, key=rank)


def ended_episodes(
    said: Iterable[Said], last: LastVerdicts, start_ms: int, run: str
) -> list[Ended]:
    """What is over by the run's last verdicts; what this run tells of is left to the next."""
    found = []
    for series, told in standing(said).items():
        verdict = last.get(series)
        if verdict is None or verdict.is_anomaly or any(one.run == run for one in told):
            continue
        over = tuple(one for one in told if start_ms - REACH_MS <= one.ts_ms < verdict.ts_ms)
        if over:
            found.append(Ended(verdict, over))
    return found


def ended_rows(ended: Sequence[Ended], last: LastVerdicts) -> list[Told]:
    """Rows of a message: each series' newest point."""
    named = last.named(one.verdict for one in ended)
    return [_row(one, series) for one, series in zip(ended, named, strict=True)]


def _row(ended: Ended, named: PlannedSeries) -> Told:
    verdict = ended.verdict
    change = Change(
        kind="changed",
        anomaly=max(ended.told, key=lambda one: one.ts_ms).anomaly,
        transition=0,  # no transition of the anomaly: it still stands
        cause=None,
        series=named.id,
        metric=named.metric,
        labels=named.labels,
        ts_ms=verdict.ts_ms,
        value=verdict.value,
        expected=verdict.expected,
        lower=verdict.lower,
        upper=verdict.upper,
        score=None,
        severity=max((one.severity for one in ended.told), key=rank),
        direction="none",
        reason="ok",
        episode_start_ms=ended.starts[0],
    )
    return Told("ended", change, ended.starts[0])


def last_verdicts(objects: Objects, run: str, series: Collection[str]) -> LastVerdicts:
    """The newest judged point of some series of a run, from its chunks."""
    found = read_plan(objects, run)
    if not series or found is None:
        return LastVerdicts()
    keys = PlannedKeys(objects, *found)
    by_chunk: dict[int, list[int]] = {}
    for number, chunk in keys.chunks_of(series):
        by_chunk.setdefault(chunk, []).append(number)
    newest: dict[int, LastVerdict] = {}
    for chunk, numbers in by_chunk.items():
        committed = read_chunk(objects, run, chunk)
        if committed is None:
            continue
        record, commit = committed
        for piece in pieces(commit.path(objects, record.results)):
            newest.update(_newest(piece, numbers))
    ids = keys.id_of(np.array(sorted(newest), dtype=np.int64))
    return LastVerdicts({ids[number]: verdict for number, verdict in newest.items()}, keys)


def _newest(piece: Piece, numbers: list[int]) -> Iterable[tuple[int, LastVerdict]]:
    """Of whole series, sorted by number and time."""
    rows = piece.verdicts
    judged = np.isin(rows.number, numbers) & np.isin(rows.reason, [int(r) for r in NORMAL])
    wanted = np.flatnonzero(judged)
    of_wanted = rows.number[wanted]
    for row in wanted[np.flatnonzero(np.diff(of_wanted, append=-1))].tolist():
        number = int(rows.number[row])
        values = (_finite(getattr(rows, name)[row]) for name in _SHOWN)
        yield number, LastVerdict(number, int(rows.ts[row]), bool(rows.is_anomaly[row]), *values)


_SHOWN = ("value", "expected", "lower", "upper")


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None

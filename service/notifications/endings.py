"""When an episode that was told is over: the run's last verdict of its series is normal again."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import pyarrow.parquet as pq
from sqlalchemy import Connection

from service.clock import DAY_MS
from service.database.ledger import Said, said_since
from service.database.runs import Run
from service.notifications.events import NotifyRules, rank
from service.notifications.policy import EpisodeKey, Told
from storage.objects import Objects
from workflows.chunk import read_chunk, read_plan
from workflows.published import PlannedKeys, PlannedSeries
from workflows.reconcile import NORMAL
from workflows.report import Change

# An episode that began this long before the range and was not over yet is left to people.
_REACH_MS = 28 * DAY_MS
_COLUMNS = ["number", "ts", "value", "expected", "lower", "upper", "is_anomaly", "reason"]


@dataclass(frozen=True)
class LastVerdict:
    """The newest judged point of a series in a run."""

    series: PlannedSeries
    ts_ms: int
    is_anomaly: bool
    value: float | None
    expected: float | None
    lower: float | None
    upper: float | None


def series_told(tx: Connection, run: Run, start_ms: int) -> set[str]:
    """Series of which a channel of the run was told something that may be over."""
    rules = NotifyRules.of(run.notify)
    if run.rule is None or rules.repeat != "episode":
        return set()
    return {
        one.series
        for channel in rules.channels
        for found in standing(said_of(tx, run, channel, start_ms)).values()
        for one in found
    }


def said_of(tx: Connection, run: Run, channel: str, start_ms: int) -> list[Said]:
    """What the channel was told by the run's rule in and shortly before its range."""
    return said_since(tx, channel, run.source, run.rule or "", start_ms - _REACH_MS)


def standing(said: Iterable[Said]) -> dict[EpisodeKey, list[Said]]:
    """What was told of each episode that was neither taken back nor told to be over."""
    last: dict[str, Said] = {}
    over: set[str] = set()
    over_episodes: set[EpisodeKey] = set()
    for one in said:
        if one.status == "ended":
            over.add(one.anomaly)
            over_episodes.add((one.series, one.episode_ms))
        elif one.anomaly not in last or last[one.anomaly].transition < one.transition:
            last[one.anomaly] = one
    episodes: dict[EpisodeKey, list[Said]] = {}
    for one in last.values():
        key = (one.series, one.episode_ms)
        if one.status == "found" and one.anomaly not in over and key not in over_episodes:
            episodes.setdefault(key, []).append(one)
    return episodes


def ended_episodes(
    said: Iterable[Said], changes: Iterable[Change], last: Mapping[str, LastVerdict]
) -> list[Told]:
    """Episodes that this run has seen the end of."""
    withdrawn = {change.anomaly for change in changes if change.kind == "withdrawn"}
    rows = []
    for (series, start_ms), told in standing(said).items():
        kept = [one for one in told if one.anomaly not in withdrawn]
        verdict = last.get(series)
        if not kept or verdict is None or verdict.is_anomaly:
            continue
        newest = max(kept, key=lambda one: one.ts_ms)
        if verdict.ts_ms > newest.ts_ms:
            worst = max(kept, key=lambda one: rank(one.severity)).severity
            rows.append(Told("ended", _shown(verdict, newest.anomaly, start_ms, worst), ()))
    return rows


def _shown(verdict: LastVerdict, anomaly: str, episode_ms: int, severity: str) -> Change:
    return Change(
        kind="changed",
        anomaly=anomaly,
        transition=0,  # no transition of the anomaly: it still stands
        cause=None,
        series=verdict.series.id,
        metric=verdict.series.metric,
        labels=verdict.series.labels,
        ts_ms=verdict.ts_ms,
        value=verdict.value,
        expected=verdict.expected,
        lower=verdict.lower,
        upper=verdict.upper,
        score=None,
        severity=severity,
        direction="none",
        reason="ok",
        episode_start_ms=episode_ms,
    )


def last_verdicts(objects: Objects, run: str, series: Collection[str]) -> dict[str, LastVerdict]:
    """The newest judged point of some series of a run, from its chunks."""
    found = read_plan(objects, run)
    if not series or found is None:
        return {}
    keys = PlannedKeys(objects, *found)
    wanted = [one for one in keys.series(range(len(keys))) if one.id in series]
    by_chunk: dict[int, dict[int, PlannedSeries]] = {}
    for one in wanted:
        by_chunk.setdefault(one.chunk, {})[one.number] = one
    verdicts: dict[str, LastVerdict] = {}
    for chunk, planned in by_chunk.items():
        verdicts.update(_of_chunk(objects, run, chunk, planned))
    return verdicts


def _of_chunk(
    objects: Objects, run: str, chunk: int, planned: Mapping[int, PlannedSeries]
) -> dict[str, LastVerdict]:
    found = read_chunk(objects, run, chunk)
    if found is None:
        return {}
    record, commit = found
    table = pq.read_table(
        commit.path(objects, record.results),
        columns=_COLUMNS,
        filters=[("number", "in", list(planned)), ("reason", "in", [int(r) for r in NORMAL])],
    )
    newest: dict[str, LastVerdict] = {}
    for row in table.to_pylist():
        series = planned[row["number"]]
        before = newest.get(series.id)
        if before is None or before.ts_ms < row["ts"]:
            newest[series.id] = LastVerdict(
                series,
                row["ts"],
                row["is_anomaly"],
                *(_finite(row[name]) for name in ("value", "expected", "lower", "upper")),
            )
    return newest


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None

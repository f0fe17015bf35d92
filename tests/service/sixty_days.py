"""A rule that runs every day for sixty days over series that go wrong, mend and are corrected.

The real reconcile, policy, ledger and outbox; only the detector is a table of numbers. Four
channels listen: one from the first day, one that is added later, one that wants no withdrawals,
and one that is deleted and made again.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pyarrow as pa

from detectors.result import Direction, Reason, Severity
from service.clock import DAY_MS, HOUR_MS
from service.database.channels import Channel, delete_channel, put_channel
from service.database.deliveries import DeliveryFilter, list_deliveries
from service.database.engine import Database
from service.database.runs import Run
from service.notifications.endings import LastVerdict, LastVerdicts, series_told
from service.notifications.events import EVENTS
from service.notifications.speak import Ending, speak_of_end
from service.report.link import ReportLinks
from storage.index import StoredAnomaly
from storage.source import SourceSpec
from tests.service.clocks import NOON
from workflows.chunk import CHUNK_RESULT_SCHEMA
from workflows.codec import to_plain
from workflows.published import PlannedSeries
from workflows.reconcile import NORMAL, JudgedSeries, RunFacts, Verdicts, reconcile
from workflows.report import COUNTS, Change, Report
from workflows.request import RunRequest

SERIES, DAYS, WINDOW = 6, 60, 7
LATE_DAY, DELETED_DAY, AGAIN_DAY = 20, 30, 33
CHANNELS = ("first", "late", "unwilling", "remade")
_ZERO = NOON - NOON % DAY_MS - 400 * DAY_MS
_IDS = [f"{number:032x}" for number in range(SERIES)]
_LEVELS = ((5.0, Severity.CRITICAL), (4.0, Severity.MAJOR), (3.0, Severity.WARNING))


def day_ms(day: int) -> int:
    return _ZERO + day * DAY_MS


@dataclass(frozen=True)
class Day:
    """One run and what it said."""

    day: int
    run: Run
    changes: list[Change]
    last: dict[str, LastVerdict]
    notified: Mapping[str, Any]
    messages: Mapping[str, list[dict[str, Any]]]  # by channel


class _Keys:
    def series(self, numbers: list[int]) -> list[PlannedSeries]:
        return [
            PlannedSeries(number, _IDS[number], "ndcg", {"n": str(number)}, None, None, 0, DAY_MS)
            for number in numbers
        ]


@dataclass
class Diary:
    """What is true, what the index holds, and what the run of each day makes of it."""

    database: Database
    seed: int
    notify: Mapping[str, Any]
    stored: dict[str, StoredAnomaly] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.values = np.zeros((SERIES, DAYS))
        self.present = self.rng.random((SERIES, DAYS)) > 0.05
        for number in range(SERIES):
            day = 0
            while day < DAYS:
                day += int(self.rng.integers(2, 10))
                length = int(self.rng.integers(1, 6))
                side = float(self.rng.choice([-1, 1]))
                span = slice(day, min(DAYS, day + length))
                self.values[number, span] = side * self.rng.uniform(3, 6, len(range(DAYS)[span]))
                day += length

    def days(self) -> Iterator[Day]:
        """One run per day."""
        for channel in CHANNELS:
            if channel != "late":
                self._put(channel)
        for day in range(1, DAYS):
            if day == LATE_DAY:
                self._put("late")
            if day == DELETED_DAY:
                with self.database.write() as tx:
                    delete_channel(tx, "remade", day_ms(day))
            if day == AGAIN_DAY:
                self._put("remade")
            self._correct(day)
            yield self._run(day)

    def _put(self, name: str) -> None:
        events = [event for event in EVENTS if name != "unwilling" or event != "withdrawn"]
        with self.database.write() as tx:
            put_channel(tx, Channel(name, "webhook", {}, "", events, NOON, NOON))

    def _correct(self, day: int) -> None:
        """Late data: points of the last days turn out to be different, or appear."""
        for _ in range(int(self.rng.integers(0, 3))):
            number = int(self.rng.integers(SERIES))
            past = int(self.rng.integers(max(0, day - 5), day))
            self.values[number, past] = float(self.rng.choice([0, 0, 3.5, 4.5, 5.5]))
            self.present[number, past] = True

    def _run(self, day: int) -> Day:
        start, drift = max(0, day - WINDOW), float(self.rng.normal(0, 0.3))
        tuned = 40 <= day < 45  # the rule is less strict for some days
        verdicts = self._verdicts(start, day, drift, 1.3 if tuned else 1.0)
        request = RunRequest(
            run=f"run-{self.seed}-{day}",
            generation=day,
            source=SourceSpec("shop", "Asia/Tokyo", None, {"ndcg": DAY_MS}),
            metrics=("ndcg",),
            start_ms=day_ms(start),
            end_ms=day_ms(day),
            detector={"type": "threshold", "tuned": tuned},
            accepted_ms=day_ms(day) + 6 * HOUR_MS,
            deadline_ms=day_ms(day + 1),
            rule="daily",
        )
        series = {n: JudgedSeries(_IDS[n], "ndcg", {"n": str(n)}, DAY_MS) for n in range(SERIES)}
        facts = RunFacts.of(request, day_ms(day))
        reach = facts.start_ms - 2 * DAY_MS
        known = [one for one in self.stored.values() if reach <= one.anomaly.ts_ms < facts.end_ms]
        outcome = reconcile(facts, series, verdicts, known)
        for write in outcome.writes:
            self.stored[write.anomaly.id] = StoredAnomaly(write.anomaly, str(day))
        return self._told(day, request, outcome.changes, _last(verdicts))

    def _verdicts(self, start: int, end: int, drift: float, factor: float) -> Verdicts:
        rows = [
            self._row(number, day, drift, factor)
            for number in range(SERIES)
            for day in range(start, end)
        ]
        return Verdicts.of(pa.Table.from_pylist(rows, schema=CHUNK_RESULT_SCHEMA))

    def _row(self, number: int, day: int, drift: float, factor: float) -> dict[str, Any]:
        value = float(self.values[number, day])
        score = abs(value - drift) / factor if value else 0.0
        severity = next((level for least, level in _LEVELS if score >= least), Severity.NONE)
        there = bool(self.present[number, day])
        found = there and severity != Severity.NONE
        side = Direction.UP if value > 0 else Direction.DOWN
        return {
            "number": number,
            "ts": day_ms(day),
            "value": value if there else None,
            "expected": drift,
            "lower": drift - 3 * factor,
            "upper": drift + 3 * factor,
            "score": score,
            "is_anomaly": found,
            "severity": severity if found else Severity.NONE,
            "direction": side if found else Direction.NONE,
            "reason": Reason.OK if there else Reason.NO_DATA,
            "tombstone": False,
        }

    def _told(
        self, day: int, request: RunRequest, changes: list[Change], last: dict[str, LastVerdict]
    ) -> Day:
        run = Run(
            id=request.run,
            source="shop",
            rule="daily",
            generation=day,
            state="running",
            detector="threshold",
            body={},
            request=to_plain(request),
            notify=self.notify,
            after=(),
            accepted_ms=request.accepted_ms,
            deadline_ms=request.deadline_ms,
            caller="ann",
        )
        counts = {**dict.fromkeys(COUNTS, 0), "series": SERIES}
        report = Report(run.id, day, "succeeded", counts)
        with self.database.write() as tx:
            wanted = series_told(tx, run, request.start_ms)
            some = {id_: verdict for id_, verdict in last.items() if id_ in wanted}
            ending = Ending("succeeded", report, "", LastVerdicts(some, cast("Any", _Keys())))
            now_ms = request.accepted_ms + HOUR_MS
            notified = speak_of_end(tx, ReportLinks(), run, ending, iter(changes), now_ms)
            messages: dict[str, list[dict[str, Any]]] = {name: [] for name in CHANNELS}
            for one in list_deliveries(tx, DeliveryFilter(run=run.id), 100):
                messages[one.channel].append(json.loads(one.body))
        return Day(day, run, changes, last, notified, messages)


def _last(verdicts: Verdicts) -> dict[str, LastVerdict]:
    found: dict[str, LastVerdict] = {}
    normal = [int(reason) for reason in NORMAL]
    for row, number in enumerate(verdicts.number.tolist()):
        if int(verdicts.reason[row]) in normal:
            values = [verdicts.number_at(n, row) for n in ("value", "expected", "lower", "upper")]
            found[_IDS[number]] = LastVerdict(
                number, int(verdicts.ts[row]), bool(verdicts.is_anomaly[row]), *values
            )
    return found

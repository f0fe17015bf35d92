"""publish, before its commit: results against what is stored, written down chunk by chunk."""

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from detectors.episodes import REACH
from storage.index import AnomalyQuery, StoredAnomaly
from storage.local_time import DAY_MS
from workflows.chunk import CHUNK_COUNTS, Chunk, ChunkRecord, Plan, read_chunk
from workflows.commits import Attempt, Commit, run_root
from workflows.context import StepContext
from workflows.failure import read_failures
from workflows.published import (
    Piece,
    PlannedKeys,
    Published,
    UsedChunk,
    pieces,
    write_line,
)
from workflows.reconcile import Reconciled, RunFacts, reconcile
from workflows.report import COUNTS, MAX_FAILURES, Outcome, SeriesFailure, change_line
from workflows.request import RunRequest

SEARCH_PAGE = 1_000
_LONGEST_ASKED = 300


@dataclass
class _Tally:
    """What is counted over the chunks; small, however many rows there are."""

    counts: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    used: list[UsedChunk] = field(default_factory=list)
    failures: list[SeriesFailure] = field(default_factory=list)
    ready_at_ms: int | None = None
    first_ready_at_ms: int | None = None
    short_series: int = 0
    chosen: Counter[str] = field(default_factory=Counter)

    def note_chosen(self, series: pa.Table) -> None:
        """What was taken for the series; an older image's table does not say."""
        if "chosen" in series.column_names:
            counted = pc.value_counts(series.column("chosen").drop_null())
            self.chosen.update({one["values"]: one["counts"] for one in counted.to_pylist()})

    def note_short(self, series: pa.Table) -> None:
        """Series whose newest slot lacks history, and when the first and the last have enough."""
        ready = series.column("ready_at")
        lacking = pc.greater(series.column("insufficient_history"), 0)
        silent = pc.equal(series.column("judged"), 0)
        short = pc.and_(lacking, pc.or_(silent, pc.is_valid(ready)))
        self.short_series += pc.sum(pc.cast(short, pa.int64())).as_py() or 0
        first, last = pc.min_max(ready).as_py().values()
        if first is not None:
            self.first_ready_at_ms = min(first, self.first_ready_at_ms or first)
            self.ready_at_ms = max(last, self.ready_at_ms or last)

    def fail(self, failures: Iterator[SeriesFailure]) -> None:
        while len(self.failures) < MAX_FAILURES:
            failure = next(failures, None)
            if failure is None:
                return
            self.failures.append(failure)


@dataclass(frozen=True)
class Comparison:
    """Compares one run's chunks and writes the differences below the attempt's nonce."""

    context: StepContext
    request: RunRequest
    plan: Plan
    keys: PlannedKeys
    facts: RunFacts
    attempt: Attempt
    scratch: Path
    tally: _Tally = field(default_factory=_Tally)

    def run(self) -> Published:
        """Compare all chunks that are committed by now."""
        standing = self._standing() if self.request.store else 0
        path = self.scratch / "changes.jsonl"
        with path.open("wb") as changes:
            for chunk in self.plan.chunks:
                self.context.check()
                self._chunk(chunk, changes)
        name = self.attempt.put_file("changes.jsonl", path)
        tally = self.tally
        counts = {key: tally.counts[key] for key in COUNTS}
        verified = counts["changed"] + counts["unchanged"] + counts["withdrawn"]
        counts["unverified"] = max(standing - verified, 0)
        counts["series"] = self.plan.series
        outcome, error = outcome_of(counts, self.request, tally.failures)
        return Published(
            run=self.request.run,
            generation=self.request.generation,
            outcome=outcome,
            counts=counts,
            chunks=tuple(tally.used),
            causes=dict(tally.causes),
            ready_at_ms=tally.ready_at_ms,
            failures=tuple(tally.failures),
            error=error,
            changes=name,
            duplicates=self.plan.duplicates,
            short_series=tally.short_series,
            first_ready_at_ms=tally.first_ready_at_ms,
            chosen=dict(sorted(tally.chosen.items())) or None,
        )

    def _chunk(self, chunk: Chunk, changes: BinaryIO) -> None:
        found = read_chunk(self.context.objects, self.request.run, chunk.number)
        if found is None:
            self.tally.counts["failed"] += chunk.series
            numbers = range(chunk.first, chunk.first + chunk.series)
            error = f"chunk {chunk.number} of {len(self.plan.chunks)} has no result"
            last_words = self._last_words.get(chunk.number)
            error += f": {last_words}" if last_words else ""
            self.tally.fail(self._failures(numbers, [error] * chunk.series))
            return
        record, commit = found
        self._count(record, commit)
        path = self.scratch / "writes.jsonl"
        with path.open("wb") as writes:
            for piece in pieces(commit.path(self.context.objects, record.results)):
                outcome = self._piece(piece)
                self.tally.causes.update(outcome.causes)
                self.tally.counts.update(outcome.counts)
                changes.writelines(map(change_line, outcome.changes))
                writes.writelines(map(write_line, outcome.writes))
        name = None
        if self.request.store and path.stat().st_size:
            name = self.attempt.put_file(f"writes-{chunk.number}.jsonl", path)
        self.tally.used.append(UsedChunk(chunk.number, commit.nonce, name))

    @cached_property
    def _last_words(self) -> Mapping[int | None, str]:
        """Why the last try of a chunk failed; a single chunk is tried by plan."""
        failures = read_failures(self.context.objects, run_root(self.request.run))
        single = len(self.plan.chunks) == 1
        return {
            0 if single and failure.step == "plan" else failure.chunk: failure.message
            for failure in failures
        }

    def _count(self, record: ChunkRecord, commit: Commit) -> None:
        for key in CHUNK_COUNTS:
            self.tally.counts[key] += record.counts[key]
        series = pq.read_table(commit.path(self.context.objects, record.series))
        self.tally.note_short(series)
        self.tally.note_chosen(series)
        failed = series.filter(pc.is_valid(series.column("error")))
        self.tally.fail(
            self._failures(failed.column("number").to_pylist(), failed.column("error").to_pylist())
        )

    def _failures(self, numbers: "range | list[int]", errors: list[str]) -> Iterator[SeriesFailure]:
        some = self.keys.series(numbers[:MAX_FAILURES])
        for series, error in zip(some, errors, strict=False):
            yield SeriesFailure(series.id, series.name, error)

    def _piece(self, piece: Piece) -> Reconciled:
        id_of = self.keys.id_of(piece.numbers)
        known = list(self._known(list(id_of.values())))
        number_of = {series: number for number, series in id_of.items()}
        wanted = {number_of[stored.anomaly.series] for stored in known}
        wanted.update(np.unique(piece.verdicts.number[piece.verdicts.is_anomaly]).tolist())
        series = {s.number: s.judged for s in self.keys.series(sorted(wanted))}
        return reconcile(self.facts, series, piece.verdicts, known)

    def _known(self, ids: list[str]) -> Iterator[StoredAnomaly]:
        if not self.request.store:
            return iter(())
        # An episode may have begun before the range.
        reach_ms = int(REACH * max(self.plan.steps_ms.values(), default=DAY_MS))
        start_ms = self.request.start_ms - reach_ms
        return self.context.index.known_anomalies(
            self.facts.source, self.facts.rule, ids, start_ms, self.request.end_ms
        )

    def _standing(self) -> int:
        """How much stands of the rule in the range, also of series that the run did not see."""
        query = AnomalyQuery(
            source=self.facts.source,
            rule=self.facts.rule,
            metrics=self.request.metrics,
            labels=self.request.judged_labels,
            start_ms=self.request.start_ms,
            end_ms=self.request.end_ms,
            status="found",
        )
        page = self.context.index.search_anomalies(query, SEARCH_PAGE)
        standing = len(page.items)
        while page.cursor is not None:
            page = self.context.index.search_anomalies(query, SEARCH_PAGE, page.cursor)
            standing += len(page.items)
        return standing


def outcome_of(
    counts: dict[str, int], request: RunRequest, failures: list[SeriesFailure]
) -> tuple[Outcome, str]:
    """How a run that reached publish ends, and why in plain words."""
    series, absent = counts["series"], counts["series_without_points"]
    require_points = request.require_points
    if series and counts["failed"] == series:
        return "failed", f"none of {series} series could be judged; {failures[0].error}"
    missing = f"{absent} of {series} series have no points in the range"
    if not series:
        outcome: Outcome = "failed" if require_points == "fail" else "partial"
        asked = textwrap.shorten(", ".join(request.metrics), _LONGEST_ASKED, placeholder=" ...")
        labels = " with these labels" if request.labels else ""
        return outcome, f"no series with points matches {asked}{labels}"
    if require_points == "fail" and absent:
        return "failed", missing
    if not counts["judged"]:
        return "partial", missing if absent else "no point of the range could be judged"
    if counts["failed"] or (require_points == "partial" and absent):
        return "partial", ""
    return "succeeded", ""

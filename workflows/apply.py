"""publish, after its commit: what was written down goes to the index and the archive.

Everything here can be done again with the same documents as result: a rerun of a publish that
was killed begins with this.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from storage.archive import RESULT_SCHEMA
from storage.index import AnomalyWrite, Band, PointsDay, SeriesEntry
from workflows.chunk import read_chunk
from workflows.commits import Commit
from workflows.context import StepContext
from workflows.errors import CommitError
from workflows.points_days import PointRows, merged, point_days
from workflows.published import Piece, PlannedKeys, Published, UsedChunk, pieces, read_writes
from workflows.request import RunRequest
from workflows.told import Telling

# Rows of one results file of the archive; a larger run has several, `<run>`, `<run>.1`, ...
ROWS_PER_PART = 500_000

Withdrawn = dict[str, set[int]]  # series id -> times


@dataclass
class _Parts:
    """Collects results until a part is full; the same run makes the same parts again."""

    context: StepContext
    request: RunRequest
    tables: list[pa.Table] = field(default_factory=list)
    rows: int = 0
    written: int = 0

    def add(self, table: pa.Table) -> None:
        self.tables.append(table)
        self.rows += len(table)
        if self.rows >= ROWS_PER_PART:
            self.flush()

    def flush(self) -> None:
        if not self.rows:
            return
        run = self.request.run
        name = f"{run}.{self.written}" if self.written else run
        # The archive picks each day's rows, which is slow over many chunks of a column.
        tables, self.tables, self.rows = self.tables, [], 0
        table = pa.concat_tables(tables).combine_chunks()
        tables.clear()  # the rows are in memory once while they are written
        self.context.archive.write_results(self.request.source.name, name, table)
        self.written += 1


@dataclass(frozen=True)
class Application:
    """Applies one committed publish."""

    context: StepContext
    request: RunRequest
    keys: PlannedKeys
    published: Published
    commit: Commit

    def run(self) -> int:
        """Apply all chunks; returns how many anomalies a newer run had superseded."""
        parts = _Parts(self.context, self.request)
        telling = Telling(self.context, self.request)
        superseded = 0
        for used in self.published.chunks:
            self.context.check()
            withdrawn: Withdrawn = {}
            if used.writes is not None:
                path = self.commit.path(self.context.objects, used.writes)
                writes = telling.anomalies(_noting(read_writes(path), withdrawn))
                superseded += self.context.index.write_anomalies(writes).superseded
            for piece in self._pieces(used):
                parts.add(self._results(piece, withdrawn))
                self.context.index.put_bands(telling.bands(self._bands(piece)))
                if not self.request.source.managed or self.request.join:
                    self._copy(piece, telling)
        parts.flush()
        telling.flush()
        self.context.index.refresh()
        return superseded

    def _pieces(self, used: UsedChunk) -> Iterator[Piece]:
        found = read_chunk(self.context.objects, self.request.run, used.chunk)
        if found is None or found[1].nonce != used.nonce:
            raise CommitError(f"chunk {used.chunk} is not the one that publish used")
        record, commit = found
        return pieces(commit.path(self.context.objects, record.results))

    def _results(self, piece: Piece, withdrawn: Withdrawn) -> pa.Table:
        """The piece in the archive's columns."""
        rows, count = piece.rows, len(piece.rows)
        status = np.where(piece.verdicts.is_anomaly, 0, -1)
        status[self._withdrawn_rows(piece, withdrawn)] = 1
        columns = {
            "rule": pa.repeat(self.request.rule, count),
            "series": self.keys.ids(piece.verdicts.number),
            "run": pa.repeat(self.request.run, count),
            "generation": pa.repeat(self.request.generation, count),
            "status": pa.array(["found", "withdrawn"]).take(pa.array(status, mask=status < 0)),
        }
        if "change" not in rows.column_names:  # of a chunk that an older version committed
            columns["change"] = pa.nulls(count, pa.string())
        return pa.table(
            [columns[n] if n in columns else rows.column(n) for n in RESULT_SCHEMA.names],
            schema=RESULT_SCHEMA,
        )

    def _withdrawn_rows(self, piece: Piece, withdrawn: Withdrawn) -> list[int]:
        if not withdrawn:
            return []
        found = []
        for number, series in self.keys.id_of(piece.numbers).items():
            for ts_ms in withdrawn.get(series, ()):
                row = piece.verdicts.row_at(piece.verdicts.rows_of(number), ts_ms)
                if row is not None:
                    found.append(row)
        return found

    def _bands(self, piece: Piece) -> Iterator[Band]:
        """Bands of the series with an anomaly: the only ones whose chart somebody will open."""
        verdicts = piece.verdicts
        numbers = np.unique(verdicts.number[verdicts.is_anomaly])
        for number, series in self.keys.id_of(numbers).items():
            rows = verdicts.rows_of(number)
            yield Band(
                source=self.request.source.name,
                rule=self.request.rule or "",
                series=series,
                run=self.request.run,
                generation=self.request.generation,
                ts_ms=verdicts.ts[rows].tolist(),
                expected=_numbers(verdicts.expected[rows]),
                lower=_numbers(verdicts.lower[rows]),
                upper=_numbers(verdicts.upper[rows]),
            )

    def _copy(self, piece: Piece, telling: Telling) -> None:
        """Points of somebody's own table, or of joined series, into the index: charts show them."""
        request, index = self.request, self.context.index
        ids, generation = self.keys.id_of(piece.numbers), request.generation
        rows = PointRows(piece.verdicts.number, piece.verdicts.ts, piece.verdicts.value)
        present = rows.where(np.isfinite(rows.value))
        start_ms, end_ms, source = request.start_ms, request.end_ms, request.source.name
        days = point_days(source, ids, present, lambda series, day: generation)
        drawn: set[tuple[str, str]] = set()
        told = telling.points(_drawing(days, drawn))
        index.put_points(merged(index, told, start_ms, end_ms))
        # What was copied of a day before, and is not in the table any more.
        emptied = (
            PointsDay(source, old.series, old.day, (), (), generation)
            for old in index.points(source, list(ids.values()), start_ms, end_ms)
            # Again what an attempt before this one emptied: it may not have told the archive.
            if (old.ts_ms or old.sequence == generation) and (old.series, old.day) not in drawn
        )
        index.put_points(merged(index, telling.points(emptied), start_ms, end_ms))
        entries = (
            SeriesEntry(
                source=request.source.name,
                series=series.id,
                metric=series.metric,
                labels=series.labels,
                step_ms=series.step_ms,
                first_ms=series.first_ms,
                last_ms=series.last_ms,
                sequence=request.generation,
            )
            for series in self.keys.series(piece.numbers.tolist())
            if series.first_ms is not None and series.last_ms is not None
        )
        index.put_series(telling.series(entries))


def _noting(writes: Iterator[AnomalyWrite], withdrawn: Withdrawn) -> Iterator[AnomalyWrite]:
    for write in writes:
        if write.anomaly.status == "withdrawn":
            withdrawn.setdefault(write.anomaly.series, set()).add(write.anomaly.ts_ms)
        yield write


def _drawing(days: Iterator[PointsDay], drawn: set[tuple[str, str]]) -> Iterator[PointsDay]:
    for day in days:
        drawn.add((day.series, day.day))
        yield day


def _numbers(values: npt.NDArray[np.float64]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]

"""What the index knows of managed points: documents by day, made again from the archive's days,
and the catalog of series."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa

from storage.index import PointsDay, SeriesEntry
from storage.local_time import DAY_MS
from storage.selector import Selector
from storage.series_key import SeriesKey
from storage.source import SourceSpec
from workflows.context import StepContext
from workflows.ingest_steps import Longs, learn_step, step_shown
from workflows.inputs import blocks
from workflows.points_days import PointRows, point_days
from workflows.points_rows import ValidPoints
from workflows.request import IngestRequest

ROWS_PER_BLOCK = 100_000
# Days apart by less are read in one go.
GAP_DAYS = 7
# Where to look for a step that one payload does not show: two points of a monthly metric.
LOOK_BACK_DAYS = 62
# A condition with more values of a label costs more than it saves.
LABEL_VALUES = 100


@dataclass(frozen=True)
class Projection:
    """Brings one ingest's series and days up to date in the index.

    One at a time for a source, or two would read days before the other's points and write them
    after: the queue of the service sees to that.
    """

    context: StepContext
    request: IngestRequest
    points: ValidPoints

    def run(self) -> int:
        """Write documents and catalog; returns how many documents of days were written."""
        written = 0
        for first, last in self._spans():
            written += self._days(first, last)
        self.context.index.put_series(self._entries())
        self.context.index.refresh()
        return written

    def _spans(self) -> list[tuple[int, int]]:
        """First and last of the UTC days touched, those near each other together."""
        days = np.unique(self.points.rows.day)
        if not len(days):
            return []
        cuts = np.flatnonzero(np.diff(days) > GAP_DAYS) + 1
        return [(int(part[0]), int(part[-1])) for part in np.split(days, cuts)]

    def _days(self, first: int, last: int) -> int:
        rows = self.points.rows
        inside = rows.where((rows.day >= first) & (rows.day <= last))
        scan = self.context.archive.scan(
            self._source,
            Selector(self._metrics, first * DAY_MS, (last + 1) * DAY_MS, self._labels),
        )
        wanted = _Wanted.of(scan.keys, self.points.keys, inside)
        written = 0
        for block in blocks(scan.batches, ROWS_PER_BLOCK):
            self.context.check()
            stored = wanted.pick(_rows(block.rows))
            documents = list(self._documents(scan.keys, stored))
            self.context.index.put_points(documents)
            written += len(documents)
        return written

    @cached_property
    def _metrics(self) -> tuple[str, ...]:
        return tuple(sorted({key.metric for key in self.points.keys}))

    @cached_property
    def _labels(self) -> Mapping[str, tuple[str, ...]]:
        return common_labels(self.points.keys)

    def _documents(self, keys: Sequence[SeriesKey], rows: PointRows) -> Iterator[PointsDay]:
        ids = {number: keys[number].id for number in np.unique(rows.number).tolist()}
        if not ids:
            return
        start_ms = int(rows.day.min()) * DAY_MS
        end_ms = int(rows.day.max() + 1) * DAY_MS
        # A later ingest may have been here first, before this one's points were in the archive:
        # the day made again now has both, so it must not have a lower version.
        stored = self.context.index.points(
            self.request.source, list(ids.values()), start_ms, end_ms
        )
        versions = {(day.series, day.day): day.sequence for day in stored}
        sequence = self.request.sequence
        yield from point_days(
            self.request.source,
            ids,
            rows,
            lambda series, day: max(sequence, versions.get((series, day), sequence)),
        )

    def _entries(self) -> list[SeriesEntry]:
        """The catalog's rows of the series that have a point here."""
        known, points = self._known(), self.points
        rows = points.rows.where(np.isfinite(points.rows.value))
        numbers, starts = np.unique(rows.number, return_index=True)
        entries, doubtful = {}, []
        ends = np.append(starts, len(rows.ts))[1:]
        for number, begin, end in zip(numbers.tolist(), starts, ends, strict=True):
            times = rows.ts[begin:end]
            key = points.keys[number]
            old = known.get(key.id)
            before = (old.step_ms, old.last_ms) if old else (None, None)
            step = step_shown(times, *before)
            if step == "doubtful":
                doubtful.append(key)
                step = None
            entries[key] = SeriesEntry(
                source=self.request.source,
                series=key.id,
                metric=key.metric,
                labels=dict(key.labels),
                step_ms=step,
                first_ms=int(times[0]),
                last_ms=int(times[-1]),
                sequence=self.request.sequence,
            )
        for key, step in self._looked_into(doubtful, rows):
            entries[key] = replace(entries[key], step_ms=step)
        return list(entries.values())

    def _known(self) -> dict[str, SeriesEntry]:
        found: dict[str, SeriesEntry] = {}
        cursor = None
        while True:
            page = self.context.index.series(
                self.request.source, self._metrics, self._labels, cursor=cursor
            )
            found.update({entry.series: entry for entry in page.items})
            cursor = page.cursor
            if cursor is None:
                return found

    def _looked_into(
        self, doubtful: Sequence[SeriesKey], rows: PointRows
    ) -> Iterator[tuple[SeriesKey, int]]:
        """Steps of some series from what the archive has of their newest weeks."""
        if not doubtful:
            return
        wanted = set(doubtful)
        last_ms = int(rows.ts.max())
        scan = self.context.archive.scan(
            self._source,
            Selector(
                tuple(sorted({key.metric for key in doubtful})),
                last_ms - LOOK_BACK_DAYS * DAY_MS,
                last_ms + 1,
                common_labels(doubtful),
            ),
        )
        for block in blocks(scan.batches, ROWS_PER_BLOCK):
            for place, number in enumerate(block.numbers.tolist()):
                step = learn_step(block.times(place)) if scan.keys[number] in wanted else None
                if step is not None:
                    yield scan.keys[number], step

    @property
    def _source(self) -> SourceSpec:
        return SourceSpec(self.request.source, self.request.timezone)


def common_labels(keys: Sequence[SeriesKey]) -> Mapping[str, tuple[str, ...]]:
    """Label conditions that all these series fulfil, so that a few of many are found fast."""
    labels = [dict(key.labels) for key in keys]
    values_of = {
        name: {one.get(name, "") for one in labels} for name in {n for one in labels for n in one}
    }
    return {
        name: tuple(sorted(values))
        for name, values in values_of.items()
        if len(values) <= LABEL_VALUES and not any(value.startswith("!") for value in values)
    }


@dataclass(frozen=True)
class _Wanted:
    """The (series, day) pairs of an ingest, to pick their rows from a scan."""

    number_of: Longs  # the ingest's number by the scan's; -1: not of the ingest
    pairs: Longs  # ascending
    first_day: int
    days: int

    @classmethod
    def of(
        cls, scanned: Sequence[SeriesKey], keys: Sequence[SeriesKey], rows: PointRows
    ) -> "_Wanted":
        place = {key: number for number, key in enumerate(keys)}
        first_day, last_day = int(rows.day.min()), int(rows.day.max())
        days = last_day - first_day + 1
        return cls(
            np.array([place.get(key, -1) for key in scanned], np.int64),
            np.unique(rows.number.astype(np.int64) * days + rows.day - first_day),
            first_day,
            days,
        )

    def pick(self, rows: PointRows) -> PointRows:
        """Those of a touched day of a touched series."""
        number = self.number_of[rows.number]
        day = rows.day - self.first_day
        at = np.searchsorted(self.pairs, number * self.days + day)
        at = np.minimum(at, len(self.pairs) - 1)
        touched = self.pairs[at] == number * self.days + day
        return rows.where(touched & (number >= 0) & (day >= 0) & (day < self.days))


def _rows(table: pa.Table) -> PointRows:
    return PointRows(
        *(table.column(n).to_numpy(zero_copy_only=False) for n in ("number", "ts", "value"))
    )

"""Managed points: documents of days, and the catalog of series."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.rebuild.windows import Window
from storage.archive import Archive
from storage.index import Index, PointsDay, SeriesEntry
from storage.selector import Selector
from storage.series_key import SeriesKey
from storage.source import SourceSpec
from workflows.ingest_steps import ENOUGH_POINTS, learn_step
from workflows.inputs import SeriesBlock, blocks
from workflows.points_days import PointRows, point_days

ROWS_PER_BLOCK = 100_000

Longs = npt.NDArray[np.int64]


@dataclass
class _Known:
    """What the catalog will say of a series; windows come in the order of time."""

    step_ms: int | None = None
    first_ms: int | None = None
    last_ms: int = 0
    sequence: int = 0

    def widen(self, first_ms: int, last_ms: int, sequence: int) -> None:
        self.first_ms = first_ms if self.first_ms is None else min(self.first_ms, first_ms)
        self.last_ms = max(self.last_ms, last_ms)
        self.sequence = max(self.sequence, sequence)

    def learn(self, times: Longs) -> None:
        """A step of these times, unless they are few and one is known."""
        if self.step_ms is None or len(times) >= ENOUGH_POINTS:
            self.step_ms = learn_step(times) or self.step_ms


@dataclass
class PointsAgain:
    """Reads the points of one source window by window."""

    archive: Archive
    index: Index
    source: SourceSpec
    known: dict[SeriesKey, _Known] = field(default_factory=dict)

    def window(self, window: Window) -> int:
        """Write the documents of some days; returns how many."""
        # The versions first: what comes to a day meanwhile has a higher one, and wins.
        stored = list(self.archive.point_days(self.source.name, window.start_ms, window.end_ms))
        if not stored:
            return 0
        scan = self.archive.scan(self.source, Selector((), window.start_ms, window.end_ms))
        versions = _Versions.of(scan.keys, pa.Table.from_batches(stored), self.known)
        written = 0
        for block in blocks(scan.batches, ROWS_PER_BLOCK):
            self._learn(scan.keys, block)
            days = list(self._documents(scan.keys, block, versions))
            self.index.put_points(days)
            written += len(days)
        return written

    def catalog(self) -> int:
        """Write the catalog of all windows; returns how many series."""
        entries = [
            SeriesEntry(
                source=self.source.name,
                series=key.id,
                metric=key.metric,
                labels=dict(key.labels),
                step_ms=known.step_ms,
                first_ms=known.first_ms,
                last_ms=known.last_ms,
                sequence=known.sequence,
            )
            for key, known in self.known.items()
            if known.first_ms is not None
        ]
        self.index.put_series(entries)
        return len(entries)

    def _learn(self, keys: Sequence[SeriesKey], block: SeriesBlock) -> None:
        for place, number in enumerate(block.numbers.tolist()):
            self.known.setdefault(keys[number], _Known()).learn(block.times(place))

    def _documents(
        self, keys: Sequence[SeriesKey], block: SeriesBlock, versions: "_Versions"
    ) -> Iterator[PointsDay]:
        numbers = {keys[number].id: number for number in block.numbers.tolist()}
        columns = (block.rows.column(name) for name in ("number", "ts", "value"))
        rows = PointRows(*(column.to_numpy(zero_copy_only=False) for column in columns))
        ids = {number: id_ for id_, number in numbers.items()}
        return point_days(
            self.source.name, ids, rows, lambda series, day: versions.of_day(numbers[series], day)
        )


@dataclass(frozen=True)
class _Versions:
    """The highest sequence of each (series, day) of a window."""

    number_of: dict[tuple[int, str], int]

    @classmethod
    def of(
        cls, keys: Sequence[SeriesKey], stored: pa.Table, known: dict[SeriesKey, _Known]
    ) -> "_Versions":
        key_of = {key.id: (number, key) for number, key in enumerate(keys)}
        found: dict[tuple[int, str], int] = {}
        for batch in stored.to_batches(max_chunksize=ROWS_PER_BLOCK):
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                series, day, sequence, newest, first_ms, last_ms = row
                if series not in key_of:  # came after the scan began
                    continue
                number, key = key_of[series]
                found[number, day] = sequence
                if first_ms is not None:
                    known.setdefault(key, _Known()).widen(first_ms, last_ms, newest)
        return cls(found)

    def of_day(self, number: int, day: str) -> int:
        """0 for a day that came meanwhile: whoever brought it writes it too."""
        return self.number_of.get((number, day), 0)


def days_at_once(series: int) -> int:
    """How many days of so many series fit into the memory."""
    return max(1, min(31, 1_000_000 // max(series, 1)))

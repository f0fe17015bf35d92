"""What a run tells the index, told to the archive too: an index that is lost is made again of it.

A document is kept as the run said it, before the index knew better: points without what the same
day holds outside of the run's range, anomalies without what people said.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from storage.archive import DOCUMENT_SCHEMA
from storage.index import Anomaly, AnomalyWrite, Band, PointsDay, SeriesEntry
from workflows.context import StepContext
from workflows.points_days import day_start_ms
from workflows.request import RunRequest

Told = Literal["anomaly", "band", "points", "series"]

# A part of the archive is written when it has so many documents, or so many characters.
DOCUMENTS_PER_PART = 50_000
CHARACTERS_PER_PART = 32_000_000
PEOPLE = ("verdict", "comment", "verdict_by", "verdict_at_ms")


@dataclass
class Telling:
    """Passes on the documents of one run, and keeps them; the same run makes the same parts."""

    context: StepContext
    request: RunRequest
    rows: list[tuple[str, str, int, str]] = field(default_factory=list)
    characters: int = 0
    written: int = 0

    def anomalies(self, writes: Iterable[AnomalyWrite]) -> Iterator[AnomalyWrite]:
        """The same writes."""
        for write in writes:
            fields = {k: v for k, v in vars(write.anomaly).items() if k not in PEOPLE}
            self._keep("anomaly", write.anomaly.id, write.anomaly.ts_ms, fields)
            yield write

    def bands(self, bands: Iterable[Band]) -> Iterator[Band]:
        """The same bands."""
        for band in bands:
            if band.ts_ms:
                key = f"{band.series} {band.run} {band.rule}"
                self._keep("band", key, band.ts_ms[-1], vars(band))
            yield band

    def points(self, days: Iterable[PointsDay]) -> Iterator[PointsDay]:
        """The same days, which hold the run's range only."""
        between = {"start_ms": self.request.start_ms, "end_ms": self.request.end_ms}
        for day in days:
            key, ts_ms = f"{day.series} {day.day}", day_start_ms(day.day)
            self._keep("points", key, ts_ms, {**vars(day), **between})
            yield day

    def series(self, entries: Iterable[SeriesEntry]) -> Iterator[SeriesEntry]:
        """The same entries."""
        for entry in entries:
            self._keep("series", entry.series, entry.last_ms, vars(entry))
            yield entry

    def _keep(self, kind: Told, key: str, ts_ms: int, document: Mapping[str, Any]) -> None:
        text = json.dumps(dict(document), allow_nan=False, default=dict)
        self.rows.append((kind, key, ts_ms, text))
        self.characters += len(text)
        if len(self.rows) >= DOCUMENTS_PER_PART or self.characters >= CHARACTERS_PER_PART:
            self.flush()

    def flush(self) -> None:
        """Write what is kept as the run's next part."""
        if not self.rows:
            return
        run, count = self.request.run, len(self.rows)
        kinds, keys, times, documents = zip(*self.rows, strict=True)
        generation = pa.repeat(pa.scalar(self.request.generation, pa.int64()), count)
        columns = [kinds, keys, times, generation, pa.repeat(run, count), documents]
        self.rows, self.characters = [], 0
        table = pa.table([_array(column) for column in columns], schema=DOCUMENT_SCHEMA)
        name = f"{run}.{self.written}" if self.written else run
        self.context.archive.write_documents(self.request.source.name, name, table)
        self.written += 1


def _array(column: Any) -> pa.Array:
    return column if isinstance(column, pa.Array) else pa.array(column)


def read_anomaly(text: str) -> Anomaly:
    """An anomaly as it was kept."""
    return Anomaly(**json.loads(text))


def read_band(text: str) -> Band:
    """A band as it was kept."""
    return Band(**json.loads(text))


def read_series(text: str) -> SeriesEntry:
    """An entry of the catalog as it was kept."""
    return SeriesEntry(**json.loads(text))


def read_points(texts: Iterable[str]) -> PointsDay:
    """A day as the runs left it that told of it, the oldest first: each its own range."""
    points: dict[int, float | None] = {}
    document: dict[str, Any] = {}
    for text in texts:
        document = json.loads(text)
        start_ms, end_ms = document.pop("start_ms"), document.pop("end_ms")
        points = {ts: v for ts, v in points.items() if not start_ms <= ts < end_ms}
        points.update(zip(document["ts_ms"], document["values"], strict=True))
    ordered = sorted(points)
    document["ts_ms"], document["values"] = ordered, [points[ts] for ts in ordered]
    return PointsDay(**document)

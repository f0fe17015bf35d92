"""What runs told the index, told again: anomalies, bands, and what they copied of other tables."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

import pyarrow as pa

from service.rebuild.windows import Window
from storage.archive import Archive
from storage.index import AnomalyWrite, Band, Index, PointsDay, SeriesEntry
from workflows.told import read_anomaly, read_band, read_points, read_series

DOCUMENTS_AT_ONCE = 1_000
CHARACTERS_AT_ONCE = 8_000_000
_PLURAL = {"anomaly": "anomalies", "band": "bands", "points": "points", "series": "series"}
Row = tuple[str, str, str]  # kind, key, document


def tell_again(archive: Archive, index: Index, source: str, window: Window) -> Counter[str]:
    """Write the documents of some days, the newest of each key; returns how many of each kind."""
    written: Counter[str] = Counter()
    stories = groupby(
        _rows(archive.documents(source, window.start_ms, window.end_ms)), key=lambda row: row[:2]
    )
    for kind, some in groupby(
        ((key[0], [row[2] for row in story]) for key, story in stories), key=lambda one: one[0]
    ):
        plural = _PLURAL.get(kind)
        if plural is None:  # of a newer version
            continue
        texts = (documents for _, documents in some)
        for batch in _batches(texts):
            written[plural] += _WRITERS[kind](index, batch)
    return written


def _rows(batches: Iterable[pa.RecordBatch]) -> Iterator[Row]:
    for batch in batches:
        columns = (batch.column(name) for name in ("kind", "key", "document"))
        # Documents may be long: their objects are made as they are asked for.
        for kind, key, document in zip(*columns, strict=True):
            yield kind.as_py(), key.as_py(), document.as_py()


def _anomalies(index: Index, stories: list[list[str]]) -> int:
    writes = [AnomalyWrite(read_anomaly(story[-1]), None) for story in stories]
    outcome = index.write_anomalies(writes)
    return outcome.written


def _bands(index: Index, stories: list[list[str]]) -> int:
    bands: list[Band] = [read_band(story[-1]) for story in stories]
    index.put_bands(bands)
    return len(bands)


def _points(index: Index, stories: list[list[str]]) -> int:
    days: list[PointsDay] = [read_points(story) for story in stories]
    index.put_points(days)
    return len(days)


def _series(index: Index, stories: list[list[str]]) -> int:
    entries: list[SeriesEntry] = [read_series(text) for story in stories for text in story]
    index.put_series(entries)
    return len(stories)


_WRITERS: dict[str, Callable[[Index, list[list[str]]], int]] = {
    "anomaly": _anomalies,
    "band": _bands,
    "points": _points,
    "series": _series,
}


def _batches(stories: Iterable[list[str]]) -> Iterator[list[list[str]]]:
    some: list[list[str]] = []
    characters = 0
    for story in stories:
        some.append(story)
        characters += sum(map(len, story))
        if len(some) >= DOCUMENTS_AT_ONCE or characters >= CHARACTERS_AT_ONCE:
            yield some
            some, characters = [], 0
    if some:
        yield some

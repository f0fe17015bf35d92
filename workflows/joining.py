"""Series that go on under another value of a label, such as a model's next version, read as one.

A series of the archive is a *member* of the series that has its labels but the joined ones. Where
several members have a point at one time, that of the later value counts, in natural order (`v10`
comes after `v9`), and a member without the label comes before all others: what is read does not
depend on the range that is asked for.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from storage.archive import SCAN_SCHEMA, Archive, Scan
from storage.selector import Selector
from storage.series_key import SeriesKey
from workflows.inputs import Ints
from workflows.request import RunRequest

# Files that are open at once while a stream is sorted; past that, each holds more.
MOST_SHARES = 256
_SPILLED = pa.schema([*SCAN_SCHEMA, ("member", pa.int32())])
_DIGITS = re.compile(r"(\d+)")


def read_series(
    archive: Archive, request: RunRequest, begin_ms: int, scratch: Path, rows: int
) -> Scan:
    """Read what a run judges, from ``begin_ms`` to its end, ordered by series and time.

    ``rows`` is how many of them are held at once while members are brought together; what is more
    is kept below ``scratch`` until the stream has been read.
    """
    selector = Selector(request.metrics, begin_ms, request.end_ms, request.labels)
    scan = archive.scan(request.source, selector)
    if not request.join:
        return scan
    members = _Members.of(scan, request.join)
    return Scan(members.keys, members.counts, members.batches(scan, scratch, rows), scan.duplicates)


@dataclass(frozen=True)
class _Members:
    """Which series of a scan belong together, by their numbers there."""

    keys: Sequence[SeriesKey]
    counts: Sequence[int]  # rows of all members: an upper bound
    joined: Ints  # the joined series' number by the member's
    rank: Ints  # by the member's number; of two points the one of the higher counts

    @classmethod
    def of(cls, scan: Scan, names: Sequence[str]) -> "_Members":
        together = [joined_key(key, names) for key in scan.keys]
        keys = sorted(set(together), key=lambda key: (key.metric, key.id))
        number = {key: at for at, key in enumerate(keys)}
        joined = np.array([number[key] for key in together], np.int64)
        order = sorted(range(len(scan.keys)), key=lambda at: _age(scan.keys[at], names))
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        counts = np.bincount(joined, np.asarray(scan.counts, np.float64), len(keys))
        return cls(keys, counts.astype(np.int64).tolist(), joined, rank)

    def batches(self, scan: Scan, scratch: Path, rows: int) -> Iterator[pa.RecordBatch]:
        """One row for each joined series and time, in their order."""
        bounds = self._shares(rows)
        if len(bounds) == 1:
            yield from self._sorted([self._numbered(batch) for batch in scan.batches])
            return
        paths = [scratch / f"joined-{share:03d}.arrow" for share in range(len(bounds))]
        self._spill(scan, bounds, paths)
        for path in paths:
            with pa.memory_map(str(path)) as file:
                yield from self._sorted(list(pa.ipc.open_stream(file)))
            path.unlink()

    def _shares(self, rows: int) -> Ints:
        """The number after the last of each share of about ``rows`` rows."""
        ends = np.cumsum(np.asarray(self.counts, np.int64))
        total = int(ends[-1]) if len(ends) else 0
        shares = min(MOST_SHARES, -(-total // max(rows, 1)), len(ends))
        marks = total * np.arange(1, shares) // max(shares, 1)
        cuts = np.unique(np.append(np.searchsorted(ends, marks) + 1, len(ends)))
        return cuts.astype(np.int64)

    def _numbered(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Rows with the joined series' number, and their member's rank."""
        number = batch.column("number").to_numpy()
        columns = [
            self.joined[number].astype(np.int32),
            batch.column("ts"),
            batch.column("value"),
            self.rank[number].astype(np.int32),
        ]
        return pa.RecordBatch.from_arrays([*map(pa.array, columns)], schema=_SPILLED)

    def _spill(self, scan: Scan, bounds: Ints, paths: Sequence[Path]) -> None:
        with ExitStack() as opened:
            files = [
                opened.enter_context(
                    pa.ipc.new_stream(opened.enter_context(pa.OSFile(str(path), "wb")), _SPILLED)
                )
                for path in paths
            ]
            for batch in map(self._numbered, scan.batches):
                share = np.searchsorted(bounds, batch.column("number").to_numpy(), side="right")
                for at in np.unique(share).tolist():
                    files[at].write_batch(batch.filter(pa.array(share == at)))

    @staticmethod
    def _sorted(batches: Sequence[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows = pa.Table.from_batches(batches, _SPILLED).combine_chunks()
        if not len(rows):
            return
        number, ts, member = (rows.column(name).to_numpy() for name in ("number", "ts", "member"))
        # A tombstone says that its member has no point: another's point stands.
        has = rows.column("value").is_valid().to_numpy()
        order = np.lexsort((member, has, ts, number))
        number, ts = number[order], ts[order]
        last = np.append((np.diff(number) != 0) | (np.diff(ts) != 0), True)
        taken = rows.select(SCAN_SCHEMA.names).take(pa.array(order[last]))
        yield from taken.to_batches()


def joined_key(key: SeriesKey, names: Sequence[str]) -> SeriesKey:
    """The series that a member belongs to."""
    labels = tuple(pair for pair in key.labels if pair[0] not in names)
    return SeriesKey(key.source, key.metric, labels)


def _age(key: SeriesKey, names: Sequence[str]) -> tuple[tuple[tuple[int, int, str], ...], ...]:
    """Natural order of the joined labels' values: digits are compared as numbers."""
    labels = dict(key.labels)
    return tuple(_natural(labels.get(name, "")) for name in names)


def _natural(text: str) -> tuple[tuple[int, int, str], ...]:
    parts = (part for part in _DIGITS.split(text) if part)
    return tuple((0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts)

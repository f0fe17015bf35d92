"""Very large scans: the server sorts in many places at once and writes files; Lupus reads those.

One ORDER BY has one sorter. Above a number of rows the series are cut into chunks instead, each a
range in the order of the stream, and the server writes every chunk sorted into a partition of a
table that is new for every scan (an overwriting insert leaves partitions that it does not touch)
and dropped afterwards. The files then are the stream, one chunk after the other.
"""

# ruff: noqa: S608 - names are our own, values escaped

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from storage.errors import CorruptError, NotFoundError
from storage.hive.catalog import TableName, quoted
from storage.hive.connection import HiveConnection
from storage.hive.leftovers import FOLDER, momentary_name
from storage.objects import Objects
from storage.sql.matching import name, number, text

CHUNK_ROWS = 20_000_000
_BATCH_ROWS = 262_144


@dataclass(frozen=True)
class Begin:
    """Where a chunk begins in the order (metric, place)."""

    metric: str
    place: int


@dataclass(frozen=True)
class Staging:
    """Where a server may write for a scan of more than ``rows`` rows."""

    connection: HiveConnection
    objects: Objects
    seen: str  # the same place as the server names it
    rows: int

    def stream(
        self, rows: exp.Select, series: Sequence[Begin], counts: Sequence[int]
    ) -> Iterator[pa.RecordBatch]:
        """Rows of (metric, place, ts, value, sequence) as (place, ts, value), in their order."""
        begins = _begins(series, counts, min(CHUNK_ROWS, self.rows))
        nonce = momentary_name()
        table = TableName(self.connection.options.database, f"lupus_scan_{nonce}")
        folder = f"{FOLDER}/scan_{nonce}"
        try:
            self._write(table, folder, rows, begins)
            for chunk in range(len(begins)):
                yield from self._chunk(f"{folder}/chunk={chunk}/")
        finally:
            self.connection.execute(f"DROP TABLE IF EXISTS {table.quoted}")
            self.objects.delete_prefix(f"{folder}/")

    def _write(
        self, table: TableName, folder: str, rows: exp.Select, begins: Sequence[Begin]
    ) -> None:
        self.connection.execute(
            f"CREATE EXTERNAL TABLE {table.quoted} (`place` bigint, `ts` bigint, `value` double, "
            "`sequence` bigint, `metric` string) PARTITIONED BY (`chunk` int) STORED AS PARQUET "
            f"LOCATION {quoted(f'{self.seen}/{folder}')} "
            "TBLPROPERTIES ('external.table.purge'='false')"
        )
        # Hive sorts by what it selects, so what only the order needs is written too.
        columns = ("place", "ts", "value", "sequence", "metric")
        numbered = exp.select(
            *(name(column) for column in columns),
            exp.alias_(_chunk_of(begins), "chunk", quoted=True),
        ).from_(rows.subquery("p"))
        dialect = self.connection.dialect
        self.connection.execute(
            f"INSERT OVERWRITE TABLE {table.quoted} PARTITION (`chunk`) "
            f"SELECT {', '.join(f'`{column}`' for column in (*columns, 'chunk'))} "
            f"FROM ({numbered.sql(dialect=dialect)}) n "
            "DISTRIBUTE BY `chunk` SORT BY `chunk`, `metric`, `place`, `ts`, `sequence`"
        )

    def _chunk(self, prefix: str) -> Iterator[pa.RecordBatch]:
        names = [
            each
            for each in self.objects.names(prefix)
            if not each.rpartition("/")[2].startswith(("_", "."))
        ]
        if len(names) != 1:
            raise NotFoundError(f"archive: {prefix} holds {len(names)} files instead of one")
        file: Path = self.objects.local_path(names[0])
        last: tuple[int, int] | None = None
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(_BATCH_ROWS, columns=["place", "ts", "value"]):
                last = _in_order(batch, last, prefix)
                yield batch


def _begins(series: Sequence[Begin], counts: Sequence[int], rows: int) -> list[Begin]:
    """Where chunks of about ``rows`` rows begin; a series is in one of them."""
    begins: list[Begin] = []
    held = 0
    for begin, count in zip(series, counts, strict=True):
        if not begins or held + count > rows:
            begins.append(begin)
            held = 0
        held += count
    return begins


def _chunk_of(begins: Sequence[Begin]) -> exp.Expr:
    case = exp.Case()
    for chunk in range(len(begins) - 1, 0, -1):
        begin = begins[chunk]
        same = exp.EQ(this=name("metric"), expression=text(begin.metric))
        later = exp.GTE(this=name("place"), expression=number(begin.place))
        after = exp.GT(this=name("metric"), expression=text(begin.metric))
        case = case.when(exp.or_(after, exp.and_(same, later)), number(chunk))
    return case.else_(number(0)) if len(begins) > 1 else number(0)


def _in_order(
    batch: pa.RecordBatch, last: tuple[int, int] | None, prefix: str
) -> tuple[int, int] | None:
    """Refuse a file whose series are not whole and sorted by time."""
    if not batch.num_rows:
        return last
    place, ts = batch.column(0).to_numpy(), batch.column(1).to_numpy()
    if last is not None:
        place, ts = np.append(last[0], place), np.append(last[1], ts)
    if ((np.diff(place) == 0) & (np.diff(ts) < 0)).any():
        raise CorruptError(f"archive: {prefix} is not sorted")
    return int(place[-1]), int(ts[-1])

"""Reads the points that Lupus stores.

Series first, then rows. The labels, which are dear to decode, are read only from the newest day
of each series; the rows come back with a dense number instead of names, sorted by the engine.
"""

# ruff: noqa: S608 - file names are escaped, table names are our own

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
from sqlglot import exp

from storage.archive import SCAN_SCHEMA, DuplicateCount, Scan
from storage.parquet import layout
from storage.parquet.engine import ROWS_PER_BATCH, Engine, files_argument
from storage.parquet.resolve import newest
from storage.selector import Selector
from storage.series_key import SeriesKey
from storage.sql.matching import label_conditions, label_of_map, metric_condition, name, within

# Partition values would otherwise come back as whatever type they look like.
_PARTITION_TYPES = "hive_partitioning = true, hive_types = {'source': VARCHAR, 'dt': VARCHAR}"
_READ_IDS = pa.schema([("series", pa.string()), ("number", pa.int32())])


@dataclass(frozen=True)
class _Found:
    key: SeriesKey
    rows: int


def scan(engine: Engine, root: Path, source: str, selector: Selector) -> Scan:
    """Read the selected series once, ordered, newest versions only."""
    files = layout.files_between(root, "points", source, selector.start_ms, selector.end_ms)
    found = _series(engine, files, source, selector) if files else []
    duplicates = DuplicateCount()
    if not found:
        return Scan((), (), iter(()), duplicates)
    keys = tuple(each.key for each in found)
    numbers = pa.table([[key.id for key in keys], range(len(keys))], schema=_READ_IDS)
    condition = [
        *within(name("ts", "p"), selector.start_ms, selector.end_ms),
        *metric_condition(name("metric", "p"), selector.metrics),
    ]
    query = (
        exp.select(name("number", "k"), name("ts", "p"), name("value", "p"))
        .from_(exp.to_table("points", alias="p"))
        .join(exp.to_table("keys", alias="k"), using=["series"])
        .where(*condition)
        # The row of the highest sequence is the last of its (series, ts).
        .order_by(name("number", "k"), name("ts", "p"), name("sequence", "p"))
    )

    def prepare(cursor: duckdb.DuckDBPyConnection) -> None:
        view(cursor, files)
        keep(cursor, "keys", numbers)

    rows = stream(engine, files, prepare, query.sql(dialect="duckdb"))
    batches = (batch.cast(SCAN_SCHEMA) for batch in newest(rows, ("number", "ts")))
    return Scan(keys, tuple(each.rows for each in found), batches, duplicates)


def series(engine: Engine, root: Path, source: str, selector: Selector) -> list[SeriesKey]:
    """The series that have a point in the range."""
    files = layout.files_between(root, "points", source, selector.start_ms, selector.end_ms)
    found = _series(engine, files, source, selector) if files else []
    return [each.key for each in found]


def _series(engine: Engine, files: Sequence[Path], source: str, selector: Selector) -> list[_Found]:
    """Series of the range with their rows, ordered by (metric, series id)."""
    metric = metric_condition(name("metric"), selector.metrics)
    counts = (
        exp.select(
            name("series"),
            name("metric"),
            exp.alias_(exp.Count(this=exp.Star()), "rows", quoted=True),
            exp.alias_(exp.Max(this=name("dt")), "newest", quoted=True),
        )
        .from_("points")
        .where(*within(name("ts"), selector.start_ms, selector.end_ms), *metric)
        .group_by(name("series"), name("metric"))
        .order_by(name("metric"), name("series"))
    )
    present = table(engine, files, counts.sql(dialect="duckdb"))
    days = set(present["newest"].to_pylist())
    labelled = [file for file in files if file.parent.name.removeprefix("dt=") in days]
    labels = (
        exp.select(
            name("series"),
            exp.alias_(exp.AnyValue(this=name("labels")), "labels", quoted=True),
        )
        .from_("points")
        .where(*metric, *label_conditions(label_of_map, selector.labels))
        .group_by(name("series"))
    )
    chosen = table(engine, labelled, labels.sql(dialect="duckdb")) if labelled else None
    if chosen is None:
        return []
    labels_of = dict(zip(chosen["series"].to_pylist(), chosen["labels"].to_pylist(), strict=True))
    columns = (present[column].to_pylist() for column in ("series", "metric", "rows"))
    return [
        _Found(SeriesKey(source, metric_name, tuple(labels_of[id_])), rows)
        for id_, metric_name, rows in zip(*columns, strict=True)
        if id_ in labels_of
    ]


def view(cursor: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> None:
    """Name some files of the archive ``points`` for the queries of one cursor."""
    cursor.execute(f"CREATE TEMP VIEW points AS SELECT * FROM {reading(files)}")


def reading(files: Sequence[Path]) -> str:
    """Some files of the archive, as a table of a query."""
    names = ", ".join("'" + file.replace("'", "''") + "'" for file in files_argument(files))
    return f"read_parquet([{names}], {_PARTITION_TYPES})"


def keep(cursor: duckdb.DuckDBPyConnection, table_name: str, rows: pa.Table) -> None:
    """Copy a small table into the cursor's own schema, where the engine knows its size."""
    cursor.register("incoming", rows)
    cursor.execute(f"CREATE TEMP TABLE {table_name} AS SELECT * FROM incoming")
    cursor.unregister("incoming")


def table(engine: Engine, files: Sequence[Path], sql: str) -> pa.Table:
    """The whole answer of a query over ``points``."""
    with engine.cursor(files) as cursor:
        view(cursor, files)
        return cursor.sql(sql).to_arrow_table()


def stream(
    engine: Engine,
    files: Sequence[Path],
    prepare: Callable[[duckdb.DuckDBPyConnection], None],
    sql: str,
) -> Iterator[pa.RecordBatch]:
    """The answer of a query in batches; the cursor lives until the last one or ``close``."""
    with ExitStack() as stack:
        cursor = stack.enter_context(engine.cursor(files))
        prepare(cursor)
        reader = cursor.sql(sql).to_arrow_reader(ROWS_PER_BATCH)
        return _drained(reader, stack.pop_all())


def _drained(reader: pa.RecordBatchReader, stack: ExitStack) -> Iterator[pa.RecordBatch]:
    with stack:
        yield from reader

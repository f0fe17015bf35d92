"""Reads points out of somebody else's Parquet table through a mapping."""

# ruff: noqa: S608 - file and column names are escaped, table names are our own

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
from sqlglot import exp

from storage.archive import SCAN_SCHEMA, DuplicateCount, Scan
from storage.local_time import LocalTime
from storage.parquet.engine import Engine, files_argument
from storage.parquet.managed import keep, stream
from storage.parquet.resolve import newest
from storage.parquet.tables import TableFile, pruned, table_files, table_folder
from storage.selector import Selector
from storage.series_key import SeriesKey
from storage.source import ExternalMapping, SourceSpec
from storage.spelling import Numbered, groups_of, numbered
from storage.sql.dialect import DUCKDB
from storage.sql.mapping import Type, check_columns, check_mapping, type_of
from storage.sql.matching import name
from storage.sql.points import is_local, points_query


@dataclass(frozen=True)
class Table:
    """A mapped table as one question finds it: files after pruning, columns, the local clock."""

    source: SourceSpec
    mapping: ExternalMapping
    files: tuple[TableFile, ...]
    columns: Mapping[str, Type]
    local: LocalTime

    @property
    def paths(self) -> list[Path]:
        """The files to read."""
        return [file.path for file in self.files]

    def query(self, selector: Selector) -> exp.Select:
        """The selected points."""
        return points_query(
            self.mapping, self.columns, DUCKDB, exp.to_table("mapped"), selector, self.local
        )


def open_table(engine: Engine, root: Path, source: SourceSpec, selector: Selector) -> Table:
    """Find and check the table of an external source below its connection's folder."""
    mapping = source.mapping
    assert mapping is not None
    check_mapping(mapping)
    folder = table_folder(root, mapping)
    files = table_files(folder, mapping)
    local = LocalTime(source.timezone, selector.start_ms, selector.end_ms)
    kept = tuple(pruned(files, mapping, selector, local))
    columns = _described(engine, kept or (files[-1],))
    check_columns(mapping, columns)
    return Table(source, mapping, kept, columns, local)


def scan(engine: Engine, root: Path, source: SourceSpec, selector: Selector) -> Scan:
    """Read the selected series once, ordered, duplicates resolved and counted."""
    return scan_table(engine, open_table(engine, root, source, selector), selector)


def scan_table(engine: Engine, table: Table, selector: Selector) -> Scan:
    """Read the selected series of an opened table."""
    found = _series(engine, table, selector)
    duplicates = DuplicateCount()
    if found is None or not found.keys:
        return Scan((), (), iter(()), duplicates)
    groups = groups_of(table.mapping)
    same = [exp.EQ(this=name(group, "p"), expression=name(group, "k")) for group in groups]
    points = table.query(selector)
    query = (
        exp.select(name("number", "k"), name("ts", "p"), name("value", "p"))
        .from_(points.subquery("p"))
        .join(exp.to_table("keys", alias="k"), on=exp.and_(*same))
        .order_by(name("number", "k"), name("ts", "p"), _nulls_first("ordering"),
                  _nulls_first("value"))
    )  # fmt: skip

    def prepare(cursor: duckdb.DuckDBPyConnection) -> None:
        view(cursor, table.files)
        keep(cursor, "keys", found.spellings)

    rows = stream(engine, table.paths, prepare, query.sql(dialect="duckdb"))
    batches = newest(_in_utc(rows, table), ("number", "ts"), duplicates)
    return Scan(found.keys, found.counts, batches, duplicates)


def series(
    engine: Engine, root: Path, source: SourceSpec, selector: Selector
) -> Sequence[SeriesKey]:
    """The series that have a point in the range."""
    found = _series(engine, open_table(engine, root, source, selector), selector)
    return () if found is None else found.keys


def view(cursor: duckdb.DuckDBPyConnection, files: Iterable[TableFile]) -> None:
    """Name a table's files ``mapped``: partition values are text, absent columns are null."""
    some = list(files)
    names = ", ".join(_quoted(path) for path in files_argument([file.path for file in some]))
    types = ", ".join(f"{_quoted(column)}: VARCHAR" for column in some[0].partition)
    partitioned = f", hive_partitioning = true, hive_types = {{{types}}}" if types else ""
    cursor.execute(
        "CREATE TEMP VIEW mapped AS SELECT * FROM "
        f"read_parquet([{names}], union_by_name = true{partitioned})"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _nulls_first(column: str) -> exp.Ordered:
    return exp.Ordered(this=name(column, "p"), desc=False, nulls_first=True)


def _described(engine: Engine, files: tuple[TableFile, ...]) -> dict[str, Type]:
    with engine.cursor([file.path for file in files]) as cursor:
        view(cursor, files)
        rows = cursor.sql("DESCRIBE mapped").fetchall()
    return {row[0]: type_of(row[1]) for row in rows}


def _series(engine: Engine, table: Table, selector: Selector) -> Numbered | None:
    """The series with their spellings; None without a file to read."""
    if not table.files:
        return None
    groups = [name(group) for group in groups_of(table.mapping)]
    query = (
        exp.select(*groups, exp.alias_(exp.Count(this=exp.Star()), "rows", quoted=True))
        .from_(table.query(selector).subquery("p"))
        .group_by(*(group.copy() for group in groups))
    )
    with engine.cursor(table.paths) as cursor:
        view(cursor, table.files)
        found = cursor.sql(query.sql(dialect="duckdb")).to_arrow_table()
    return numbered(table.source, found)


def _in_utc(batches: Iterator[pa.RecordBatch], table: Table) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        ts = batch.column("ts")
        if is_local(table.mapping):
            ts = pa.array(table.local.to_utc(ts.to_numpy()))
        yield pa.RecordBatch.from_arrays(
            [batch.column("number").cast(pa.int32()), ts, batch.column("value")],
            schema=SCAN_SCHEMA,
        )

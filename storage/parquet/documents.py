"""Reads what an index is made again from: what runs told it, and what is stored of each day."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from sqlglot import exp

from storage.archive import DOCUMENT_SCHEMA, POINT_DAY_SCHEMA
from storage.parquet import layout
from storage.parquet.engine import Engine
from storage.parquet.layout import Kind
from storage.parquet.managed import stream, view
from storage.sql.matching import name, within


def documents(
    engine: Engine, root: Path, source: str, start_ms: int, end_ms: int
) -> Iterator[pa.RecordBatch]:
    """Documents with a time in the range, ordered by kind, key and generation."""
    query = (
        exp.select(*(name(column) for column in DOCUMENT_SCHEMA.names))
        .from_("points")
        .where(*within(name("ts"), start_ms, end_ms))
        .order_by(*(name(column) for column in ("kind", "key", "generation")))
    )
    return _answer(engine, root, ("documents", source), (start_ms, end_ms), query, DOCUMENT_SCHEMA)


def point_days(
    engine: Engine, root: Path, source: str, start_ms: int, end_ms: int
) -> Iterator[pa.RecordBatch]:
    """What is stored of each series and day, all versions together."""
    query = point_days_query().from_("points").where(*within(name("ts"), start_ms, end_ms))
    return _answer(engine, root, ("points", source), (start_ms, end_ms), query, POINT_DAY_SCHEMA)


def point_days_query() -> exp.Select:
    """The columns of POINT_DAY_SCHEMA, for every engine."""

    def known(column: str) -> exp.Case:
        return exp.Case().when(name("value").is_(exp.null()).not_(), name(column))

    columns = {
        "sequence": exp.Max(this=name("sequence")),
        "known": exp.Max(this=known("sequence")),
        "first": exp.Min(this=known("ts")),
        "last": exp.Max(this=known("ts")),
    }
    return exp.select(
        name("series"),
        name("dt"),
        *(exp.alias_(value, column, quoted=True) for column, value in columns.items()),
    ).group_by(name("series"), name("dt"))


def _answer(
    engine: Engine,
    root: Path,
    of: tuple[Kind, str],
    between: tuple[int, int],
    query: exp.Select,
    schema: pa.Schema,
) -> Iterator[pa.RecordBatch]:
    files = layout.files_between(root, *of, *between)
    if not files:
        return iter(())
    rows = stream(engine, files, lambda cursor: view(cursor, files), query.sql(dialect="duckdb"))
    return (batch.cast(schema) for batch in rows)

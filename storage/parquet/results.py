"""Reads what runs stored: ``results_current``, the newest generation of each judged point."""

from pathlib import Path

import pyarrow as pa
from sqlglot import exp

from storage.archive import RESULT_SCHEMA
from storage.parquet import layout
from storage.parquet.engine import Engine
from storage.parquet.managed import stream, view
from storage.parquet.resolve import newest_results
from storage.sql.matching import name, text, within


def read_results(
    engine: Engine, root: Path, source: str, rule: str, start_ms: int, end_ms: int
) -> pa.Table:
    """The newest generation per (rule, series, ts), ordered by series and time."""
    files = layout.files_between(root, "results", source, start_ms, end_ms)
    if not files:
        return RESULT_SCHEMA.empty_table()
    query = (
        exp.select(*(name(column) for column in RESULT_SCHEMA.names))
        .from_("points")
        .where(exp.EQ(this=name("rule"), expression=text(rule)))
        .where(*within(name("ts"), start_ms, end_ms))
        .order_by(name("series"), name("ts"), name("generation"))
    )
    rows = stream(engine, files, lambda cursor: view(cursor, files), query.sql(dialect="duckdb"))
    return newest_results(rows)

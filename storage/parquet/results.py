"""Reads what runs stored: ``results_current``, the newest generation of each judged point."""

# ruff: noqa: S608 - file names are escaped, column names are our own

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from storage.archive import ADDED_TO_RESULTS, RESULT_SCHEMA
from storage.parquet import layout
from storage.parquet.engine import Engine
from storage.parquet.managed import reading, stream
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
    rows = stream(
        engine, files, lambda cursor: results_view(cursor, files), query.sql(dialect="duckdb")
    )
    return newest_results(rows)


def results_view(cursor: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> None:
    """Name files of results ``points``; those of an earlier version hold nulls in what was added.

    Every other column must be in each file, so one that somebody else has put there is refused.
    """
    kept = [column for column in RESULT_SCHEMA.names if column not in ADDED_TO_RESULTS]
    older = [file for file in files if _is_older(file)]
    newer = [file for file in files if file not in set(older)]
    parts = []
    if newer:
        parts.append(f"SELECT {_listed(RESULT_SCHEMA.names)} FROM {reading(newer)}")
    if older:
        nulls = ", ".join(f'NULL::VARCHAR AS "{column}"' for column in ADDED_TO_RESULTS)
        parts.append(f"SELECT {_listed(kept)}, {nulls} FROM {reading(older)}")
    cursor.execute(f"CREATE TEMP VIEW points AS {' UNION ALL '.join(parts)}")


def _is_older(file: Path) -> bool:
    with suppress(pa.ArrowException, OSError):  # the engine says what is wrong with it
        return not set(ADDED_TO_RESULTS) <= set(pq.read_schema(file).names)
    return False


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)

"""Reads what runs stored: the newest generation of each judged point."""

import pyarrow as pa
from sqlglot import exp

from storage.archive import RESULT_SCHEMA
from storage.hive.catalog import TableName
from storage.hive.connection import HiveConnection
from storage.hive.managed import ascending, in_range
from storage.hive.rows import gathered
from storage.parquet.resolve import newest_results
from storage.sql.matching import name, text


def read_results(
    connection: HiveConnection, table: TableName, source: str, rule: str, start_ms: int, end_ms: int
) -> pa.Table:
    """The newest generation per (rule, series, ts), ordered by series and time."""
    if end_ms <= start_ms:
        return RESULT_SCHEMA.empty_table()
    query = (
        exp.select(*(name(column) for column in RESULT_SCHEMA.names))
        .from_(table.expression)
        .where(*in_range(source, start_ms, end_ms))
        .where(exp.EQ(this=name("rule"), expression=text(rule)))
        .order_by(*(ascending(column) for column in ("series", "ts", "generation")))
    )
    blocks = gathered(connection.stream(query.sql(dialect=connection.dialect)))
    named = (batch.rename_columns(RESULT_SCHEMA.names) for batch in blocks)
    return newest_results(named)

"""Reads what an index is made again from, through the server."""

from collections.abc import Iterator

import pyarrow as pa
from sqlglot import exp

from storage.archive import DOCUMENT_SCHEMA, POINT_DAY_SCHEMA
from storage.hive.catalog import TableName
from storage.hive.connection import HiveConnection
from storage.hive.managed import ascending, in_range
from storage.hive.rows import gathered
from storage.parquet.documents import point_days_query
from storage.sql.matching import name


def documents(
    connection: HiveConnection, table: TableName, source: str, start_ms: int, end_ms: int
) -> Iterator[pa.RecordBatch]:
    """Documents with a time in the range, ordered by kind, key and generation."""
    query = (
        exp.select(*(name(column) for column in DOCUMENT_SCHEMA.names))
        .from_(table.expression)
        .where(*in_range(source, start_ms, end_ms))
        .order_by(*(ascending(column) for column in ("kind", "key", "generation")))
    )
    return _answer(connection, query, DOCUMENT_SCHEMA)


def point_days(
    connection: HiveConnection, table: TableName, source: str, start_ms: int, end_ms: int
) -> Iterator[pa.RecordBatch]:
    """What is stored of each series and day, all versions together."""
    query = point_days_query().from_(table.expression).where(*in_range(source, start_ms, end_ms))
    return _answer(connection, query, POINT_DAY_SCHEMA)


def _answer(
    connection: HiveConnection, query: exp.Select, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    for batch in gathered(connection.stream(query.sql(dialect=connection.dialect))):
        yield batch.rename_columns(schema.names).cast(schema)

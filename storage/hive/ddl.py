"""The archive's own tables: made when they are absent, never over somebody else's."""

# ruff: noqa: S608 - names are our own or checked, values escaped

from collections.abc import Iterable

from storage.archive import ADDED_TO_RESULTS, DOCUMENT_SCHEMA, RESULT_SCHEMA
from storage.errors import ExistsError, InvalidError, RefusedError
from storage.hive.catalog import TableName, describe, quoted
from storage.hive.connection import HiveConnection
from storage.hive.place import Load
from storage.parquet.layout import KINDS, Kind
from storage.parquet.write import POINT_FILE_SCHEMA

PARTITIONS = ("source", "dt")
JOB = "job"  # a third partition column where the server writes
# The metastore asks its database for all of them in one condition, which a small database
# (Derby) cannot parse when it holds hundreds.
_PARTITIONS_PER_STATEMENT = 50

_TYPES = {
    "string": "string",
    "map<string, string>": "map<string,string>",
    "int64": "bigint",
    "int8": "tinyint",
    "double": "double",
    "bool": "boolean",
}
SCHEMAS = {
    "points": POINT_FILE_SCHEMA,
    "results": RESULT_SCHEMA,
    "documents": DOCUMENT_SCHEMA,
}
_CURRENT = "lupus_results_current"


def table_of(database: str, kind: Kind) -> TableName:
    """Where the archive's points or results are."""
    return TableName(database, f"lupus_{kind}")


def create_tables(connection: HiveConnection, load: Load, seen: str) -> None:
    """Make tables and view that are absent, and add what an earlier version's do not have;
    ``seen`` is the location as the server names it."""
    for kind in KINDS:
        _create(connection, _table(connection, kind, load, seen))
    results = table_of(connection.options.database, "results")
    if missing := _missing(connection, results):
        _add_columns(connection, results, missing)
    _create(connection, _current(connection, "CREATE VIEW IF NOT EXISTS"))
    if _missing(connection, TableName(results.database, _CURRENT)):
        connection.execute(_current(connection, "CREATE OR REPLACE VIEW"))


def columns_of(kind: Kind) -> str:
    """The columns of a table with their types, without the partitions."""
    return ", ".join(f"`{f.name}` {_TYPES[str(f.type)]}" for f in SCHEMAS[kind])


def _create(connection: HiveConnection, sql: str) -> None:
    try:
        connection.execute(sql)
    except (ExistsError, InvalidError):
        connection.execute(sql)  # somebody else has made it at the same time


def _table(connection: HiveConnection, kind: Kind, load: Load, seen: str) -> str:
    name = table_of(connection.options.database, kind)
    by = [*PARTITIONS, JOB] if load == "insert" else PARTITIONS
    external, place, purge = "EXTERNAL ", f" LOCATION {quoted(f'{seen}/{kind}')}", "false"
    if load == "insert":
        # The server alone knows where these files are, so whatever drops them must be the server:
        # an external table with purge on Hive; Spark knows no purge and has plain Parquet tables.
        place, purge = "", "true"
        external = "" if connection.dialect == "spark" else external
    return (
        f"CREATE {external}TABLE IF NOT EXISTS {name.quoted} ({columns_of(kind)}) "
        f"PARTITIONED BY ({', '.join(f'`{column}` string' for column in by)}) "
        f"STORED AS PARQUET{place} TBLPROPERTIES ('external.table.purge'='{purge}')"
    )


def _missing(connection: HiveConnection, name: TableName) -> list[str]:
    present = describe(connection, name).columns
    return [column for column in ADDED_TO_RESULTS if column not in present]


def _add_columns(connection: HiveConnection, results: TableName, missing: list[str]) -> None:
    columns = ", ".join(
        f"`{name}` {_TYPES[str(RESULT_SCHEMA.field(name).type)]}" for name in missing
    )
    # Otherwise the partitions that are there would show nothing of what is written to them.
    cascade = "" if connection.dialect == "spark" else " CASCADE"
    sql = f"ALTER TABLE {results.quoted} ADD COLUMNS ({columns}){cascade}"
    try:
        connection.execute(sql)
    except (ExistsError, InvalidError, RefusedError) as error:
        if _missing(connection, results):  # nobody else has added them at the same time
            raise type(error)(f"{error}; what is missing: {sql}") from error


def _current(connection: HiveConnection, create: str) -> str:
    results = table_of(connection.options.database, "results")
    columns = ", ".join(f"`{name}`" for name in ("source", "dt", *RESULT_SCHEMA.names))
    return (
        f"{create} {TableName(results.database, _CURRENT).quoted} AS "
        f"SELECT {columns} FROM (SELECT r.*, ROW_NUMBER() OVER (PARTITION BY `source`, `rule`, "
        f"`series`, `ts` ORDER BY `generation` DESC) AS `place` FROM {results.quoted} r) p "
        "WHERE `place` = 1"
    )


def add_partitions(
    connection: HiveConnection, table: TableName, source: str, days: Iterable[str]
) -> None:
    """Make days known; those that are known already stay as they are."""
    remaining = list(days)
    while remaining:
        some, remaining = (
            remaining[:_PARTITIONS_PER_STATEMENT],
            remaining[_PARTITIONS_PER_STATEMENT:],
        )
        parts = " ".join(
            f"PARTITION (`source` = {quoted(source)}, `dt` = {quoted(day)})" for day in some
        )
        connection.execute(f"ALTER TABLE {table.quoted} ADD IF NOT EXISTS {parts}")


def drop_partitions(connection: HiveConnection, table: TableName, *among: dict[str, str]) -> None:
    """Forget partitions; where the server owns the files they go too."""
    parts = ", ".join(
        f"PARTITION ({', '.join(f'`{column}` = {quoted(v)}' for column, v in each.items())})"
        for each in among
    )
    if parts:
        connection.execute(f"ALTER TABLE {table.quoted} DROP IF EXISTS {parts}")

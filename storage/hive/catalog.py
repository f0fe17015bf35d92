"""What the server knows of a table: its columns and its partitions."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from sqlglot import exp

from storage.errors import InvalidError, NotFoundError
from storage.hive.connection import HiveConnection
from storage.hive.options import IDENTIFIER
from storage.sql.mapping import Type, type_of

_PARTITIONS = "# partition"


@dataclass(frozen=True)
class TableName:
    """``database.table``, checked letter by letter."""

    database: str
    table: str

    @classmethod
    def of(cls, written: str, database: str) -> "TableName":
        """What somebody wrote; a bare name is a table of ``database``."""
        parts = written.split(".")
        if len(parts) == 1:
            parts = [database, *parts]
        if len(parts) != 2 or not all(IDENTIFIER.fullmatch(part) for part in parts):
            raise InvalidError(
                f"table {written!r}: allowed is database.table, both of letters, digits and _"
            )
        return cls(*parts)

    def __str__(self) -> str:
        return f"{self.database}.{self.table}"

    @property
    def quoted(self) -> str:
        """As SQL."""
        return f"`{self.database}`.`{self.table}`"

    @property
    def expression(self) -> exp.Table:
        """As a part of a query."""
        return exp.table_(self.table, db=self.database, quoted=True)


@dataclass(frozen=True)
class Described:
    """The columns of a table, partition columns among them, and the names of the latter."""

    columns: Mapping[str, Type]
    partitions: tuple[str, ...]


def describe(connection: HiveConnection, name: TableName) -> Described:
    """Columns of a table; NotFoundError when there is none."""
    rows = connection.table(f"DESCRIBE {name.quoted}")
    columns: dict[str, Type] = {}
    partitions: list[str] = []
    in_partitions = False
    for column, type_ in zip(rows.column(0).to_pylist(), rows.column(1).to_pylist(), strict=True):
        written = (column or "").strip()
        if written.lower().startswith(_PARTITIONS):
            in_partitions = True
        elif written.startswith("#") and in_partitions and partitions:
            break  # Spark goes on with other sections
        elif written and not written.startswith("#"):
            columns[written] = type_of((type_ or "").strip())
            if in_partitions:
                partitions.append(written)
    if not columns:
        raise NotFoundError(f"{connection.name}: table {name} has no columns")
    return Described(columns, tuple(partitions))


def show_partitions(
    connection: HiveConnection, name: TableName, among: Mapping[str, str] | None = None
) -> list[dict[str, str]]:
    """The partitions of a table, in the order of their names."""
    spec = ""
    if among:
        values = ", ".join(f"`{column}` = {quoted(value)}" for column, value in among.items())
        spec = f" PARTITION ({values})"
    rows = connection.table(f"SHOW PARTITIONS {name.quoted}{spec}")
    return [_values(written) for written in sorted(rows.column(0).to_pylist())]


def _values(written: str) -> dict[str, str]:
    parts = (part.partition("=") for part in written.split("/"))
    return {column: unquote(value) for column, _, value in parts}


def quoted(text: str) -> str:
    """A literal of Hive and Spark."""
    return exp.Literal.string(text).sql(dialect="hive")

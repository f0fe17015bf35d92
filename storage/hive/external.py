"""Reads points out of somebody's own Hive or Spark table. Nothing but questions is ever sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from storage.archive import DuplicateCount, Scan, SourceProbe
from storage.errors import InvalidError, NotFoundError, RefusedError
from storage.hive.catalog import Described, TableName, describe, show_partitions
from storage.hive.connection import HiveConnection
from storage.hive.rows import Numbers, in_utc, numbered_rows
from storage.local_time import LocalTime
from storage.observed import observe
from storage.parquet.resolve import newest
from storage.selector import EVERYTHING, Selector
from storage.series_key import SeriesKey
from storage.source import ExternalMapping, SourceSpec
from storage.spelling import Numbered, groups_of, numbered
from storage.sql.build import call
from storage.sql.dialect import DIALECTS
from storage.sql.mapping import check_columns, check_mapping
from storage.sql.matching import name, number, text
from storage.sql.ordinal import of_texts
from storage.sql.points import UNREAD, is_local, partition_conditions, points_query, written_time

_PARTITIONS_READ = 3  # by a probe
_MOST_TWINS = 1_000


@dataclass(frozen=True)
class Table:
    """A mapped table as one question finds it."""

    source: SourceSpec
    mapping: ExternalMapping
    name: TableName
    described: Described
    local: LocalTime
    only: tuple[Mapping[str, str], ...] | None = None  # the partitions of a probe


@dataclass(frozen=True)
class _Series:
    """The series of a question, in the order of their 60 bits."""

    keys: tuple[SeriesKey, ...]
    counts: tuple[int, ...]
    places: tuple[int, ...]
    twins: Mapping[int, int]  # 60 bits of a second spelling -> those of the first


class HiveTables:
    """The tables that one connection may read."""

    def __init__(self, connection: HiveConnection) -> None:
        self._connection = connection

    def scan(self, source: SourceSpec, selector: Selector) -> Scan:
        """Read the selected series once, ordered, duplicates resolved and counted."""
        return self._scan(self._open(source, selector), selector)

    def series(self, source: SourceSpec, selector: Selector) -> Sequence[SeriesKey]:
        """The series that have a point in the range."""
        return self._series(self._open(source, selector), selector).keys

    def probe(self, source: SourceSpec) -> SourceProbe:
        """Read the newest partitions, or all of a table without partitions."""
        table = self._open(source, EVERYTHING)
        partitions: list[dict[str, str]] = []
        if table.described.partitions:
            partitions = show_partitions(self._connection, table.name)
            table = replace(table, only=tuple(partitions[-_PARTITIONS_READ:]))
        scan = self._scan(table, EVERYTHING)
        seen = observe(scan, table.mapping)
        sql = self._query(replace(table, only=None), EVERYTHING)
        return SourceProbe(
            sql=sql.sql(dialect=self._connection.dialect, pretty=True),
            partitions=tuple(
                "/".join(f"{column}={value}" for column, value in each.items())
                for each in partitions
            ),
            points=seen.points,
            series=len(scan.keys),
            steps_ms=seen.steps_ms,
        )

    def scan_sql(self, source: SourceSpec, selector: Selector) -> str:
        """The question that a scan streams, for whoever wants to see its plan."""
        return self._scan_sql(self._open(source, selector), selector, {})

    def close(self) -> None:
        """End the sessions."""
        self._connection.close()

    def _open(self, source: SourceSpec, selector: Selector) -> Table:
        mapping = source.mapping
        assert mapping is not None
        options = self._connection.options
        dialect, functions = self._connection.dialect, options.functions
        check_mapping(mapping, dialect, functions)
        table = TableName.of(mapping.table, options.database)
        if not options.allowed(str(table)):
            raise RefusedError(
                f"{self._connection.name}: table {table} is not in the list of what this "
                f"connection may read: {', '.join(options.tables)}"
            )
        described = describe(self._connection, table)
        check_columns(mapping, described.columns, dialect, functions)
        known = {column.lower() for column in described.partitions}
        for partition in mapping.partitions:
            if partition.column.lower() not in known:
                raise NotFoundError(
                    f"partitions: table {table} is not partitioned by {partition.column!r}"
                )
        local = LocalTime(source.timezone, selector.start_ms, selector.end_ms)
        return Table(source, mapping, table, described, local)

    def _query(self, table: Table, selector: Selector, *, unread: bool = False) -> exp.Select:
        return points_query(
            table.mapping,
            table.described.columns,
            DIALECTS[self._connection.dialect],
            _rows(table),
            selector,
            table.local,
            self._connection.options.functions,
            unread=unread,
        )

    def _series(self, table: Table, selector: Selector) -> _Series:
        groups = [name(group) for group in groups_of(table.mapping)]
        missed = exp.EQ(this=name("ts"), expression=number(UNREAD))
        place = of_texts(groups)
        query = (
            exp.select(
                *groups,
                exp.alias_(place, "place", quoted=True),
                exp.alias_(exp.Count(this=exp.Star()), "rows", quoted=True),
                exp.alias_(
                    call("sum", exp.Case().when(missed, number(1)).else_(number(0))),
                    "unread",
                    quoted=True,
                ),
            )
            .from_(self._query(table, selector, unread=True).subquery("p"))
            .group_by(*(group.copy() for group in groups), place.copy())
        )
        answer = self._connection.table(query.sql(dialect=self._connection.dialect))
        # Servers spell the columns of an answer in lower case.
        found = answer.rename_columns([*groups_of(table.mapping), "place", "rows", "unread"])
        if any(found["unread"].to_pylist()):
            raise self._unread(table, selector, sum(found["unread"].to_pylist()))
        return _sorted(numbered(table.source, found), found["place"].to_pylist())

    def _unread(self, table: Table, selector: Selector, rows: int) -> InvalidError:
        mapping, dialect = table.mapping, self._connection.dialect
        written = written_time(mapping)
        types = {column.lower(): kind for column, kind in table.described.columns.items()}
        parsed = DIALECTS[dialect].of_text(written.copy(), mapping.time.format or "")
        query = (
            exp.select(exp.alias_(written, "written", quoted=True))
            .from_(_rows(table))
            .where(*partition_conditions(mapping, types, selector, table.local))
            .where(exp.Is(this=parsed, expression=exp.Null()))
            .where(exp.not_(exp.Is(this=written.copy(), expression=exp.Null())))
            .limit(1)
        )
        shown = self._connection.table(query.sql(dialect=dialect)).column(0).to_pylist()
        example = f", such as {shown[0][:60]!r}" if shown else ""
        return InvalidError(
            f"time: {rows:,} rows of table {table.name} cannot be parsed with the format "
            f"{mapping.time.format!r}{example}"
        )

    def _scan(self, table: Table, selector: Selector) -> Scan:
        found = self._series(table, selector)
        duplicates = DuplicateCount()
        if not found.keys:
            return Scan((), (), iter(()), duplicates)
        numbers = Numbers(found.places)
        blocks = self._connection.stream(self._scan_sql(table, selector, found.twins))
        rows = numbered_rows(blocks, numbers)
        if is_local(table.mapping):
            rows = in_utc(rows, table.local)
        return Scan(
            found.keys, found.counts, newest(rows, ("number", "ts"), duplicates), duplicates
        )

    def _scan_sql(self, table: Table, selector: Selector, twins: Mapping[int, int]) -> str:
        place = of_texts([name(group) for group in groups_of(table.mapping)])
        if twins:
            case = exp.Case()
            for twin, first in twins.items():
                case = case.when(exp.EQ(this=place.copy(), expression=number(twin)), number(first))
            place = case.else_(place)
        rows = exp.select(
            exp.alias_(place, "place", quoted=True),
            *(name(column) for column in ("ts", "value", "ordering")),
        ).from_(self._query(table, selector).subquery("p"))
        order = [
            exp.Ordered(this=name(column), desc=False, nulls_first=True)
            for column in ("place", "ts", "ordering", "value")
        ]
        query = (
            exp.select(name("place"), name("ts"), name("value"))
            .from_(rows.subquery("s"))
            .order_by(*order)
        )
        return query.sql(dialect=self._connection.dialect)


def _rows(table: Table) -> exp.Expr:
    """The table, or for a probe only its newest partitions."""
    if table.only is None:
        return table.name.expression
    if not table.only:
        return exp.select(exp.Star()).from_(table.name.expression).where(exp.false()).subquery("t")
    chosen = [
        exp.and_(
            *(
                exp.EQ(this=exp.cast(name(column), "text"), expression=text(value))
                for column, value in partition.items()
            )
        )
        for partition in table.only
    ]
    return exp.select(exp.Star()).from_(table.name.expression).where(exp.or_(*chosen)).subquery("t")


def _sorted(found: Numbered, places: Sequence[int]) -> _Series:
    """Series in the order of their 60 bits, as the stream brings them."""
    numbers = found.spellings["number"].to_pylist()
    first: dict[int, int] = {}
    for key_number, place in zip(numbers, places, strict=True):
        first[key_number] = min(place, first.get(key_number, place))
    twins = {
        place: first[key_number]
        for key_number, place in zip(numbers, places, strict=True)
        if place != first[key_number]
    }
    if len(twins) > _MOST_TWINS:
        raise InvalidError(
            f"more than {_MOST_TWINS:,} series are written in two ways (not in Unicode's NFC)"
        )
    order = sorted(first, key=first.__getitem__)
    return _Series(
        tuple(found.keys[each] for each in order),
        tuple(found.counts[each] for each in order),
        tuple(first[each] for each in order),
        twins,
    )

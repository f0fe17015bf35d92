"""Reads the points that Lupus stores, through the server.

Series first, then rows, as `storage.parquet.managed` does: labels, which are dear to decode, come
from the newest day of each series; rows carry 60 bits instead of a name.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from storage.archive import DuplicateCount, Scan
from storage.errors import CorruptError
from storage.hive.catalog import TableName
from storage.hive.connection import HiveConnection
from storage.hive.rows import Numbers, numbered_rows
from storage.hive.staging import Begin, Staging
from storage.parquet import layout
from storage.parquet.resolve import newest
from storage.selector import Selector
from storage.series_key import SeriesKey
from storage.sql.build import call
from storage.sql.matching import (
    label_conditions,
    label_of_map,
    metric_condition,
    name,
    text,
    within,
)
from storage.sql.ordinal import id_number, of_id

# What no label may contain, so it parts them; written as an escape that both engines read.
_NUL, _SQL_NUL = "\0", exp.Var(this="'\\u0000'")
_MOST_IDS = 1_000  # named in a condition; of more series the labels are compared


@dataclass(frozen=True)
class _Found:
    key: SeriesKey
    rows: int


def scan(
    connection: HiveConnection,
    table: TableName,
    source: str,
    selector: Selector,
    staging: Staging | None = None,
) -> Scan:
    """Read the selected series once, ordered, newest versions only."""
    found = _series(connection, table, source, selector)
    if not found:
        return Scan((), (), iter(()), DuplicateCount())
    keys = tuple(each.key for each in found)
    rows = (
        exp.select(
            name("metric"),
            exp.alias_(of_id(name("series")), "place", quoted=True),
            *(name(column) for column in ("ts", "value", "sequence")),
        )
        .from_(table.expression)
        .where(*in_range(source, selector.start_ms, selector.end_ms))
        .where(*metric_condition(name("metric"), selector.metrics))
    )
    if selector.labels:
        rows = rows.where(*_chosen(keys, selector))
    counts = tuple(each.rows for each in found)
    places = [id_number(key.id) for key in keys]
    if staging is not None and sum(counts) > staging.rows:
        begins = [Begin(key.metric, place) for key, place in zip(keys, places, strict=True)]
        blocks = staging.stream(rows, begins, counts)
    else:
        blocks = connection.stream(_ordered(rows).sql(dialect=connection.dialect))
    batches = newest(numbered_rows(blocks, Numbers(places)), ("number", "ts"))
    return Scan(keys, counts, batches, DuplicateCount())


def _ordered(rows: exp.Select) -> exp.Select:
    # The row of the highest sequence is the last of its (series, ts).
    return (
        exp.select(name("place"), name("ts"), name("value"))
        .from_(rows.subquery("p"))
        .order_by(*(ascending(column) for column in ("metric", "place", "ts", "sequence")))
    )


def series(
    connection: HiveConnection, table: TableName, source: str, selector: Selector
) -> list[SeriesKey]:
    """The series that have a point in the range."""
    return [each.key for each in _series(connection, table, source, selector)]


def in_range(source: str, start_ms: int, end_ms: int) -> list[exp.Expr]:
    """The rows of a source in [start, end), whose days leave only their partitions."""
    first, last = layout.day_of(start_ms), layout.day_of(end_ms - 1)
    return [
        exp.EQ(this=name("source"), expression=text(source)),
        exp.GTE(this=name("dt"), expression=text(first)),
        exp.LTE(this=name("dt"), expression=text(last)),
        *within(name("ts"), start_ms, end_ms),
    ]


def ascending(column: str) -> exp.Ordered:
    """A column to sort by; where nulls stand is never left to the engine."""
    return exp.Ordered(this=name(column), desc=False, nulls_first=True)


def _chosen(keys: Sequence[SeriesKey], selector: Selector) -> list[exp.Expr]:
    if len(keys) <= _MOST_IDS:
        return [exp.In(this=name("series"), expressions=[text(key.id) for key in keys])]
    return list(label_conditions(label_of_map, selector.labels))


def _series(
    connection: HiveConnection, table: TableName, source: str, selector: Selector
) -> list[_Found]:
    if selector.end_ms <= selector.start_ms:
        return []
    metric = metric_condition(name("metric"), selector.metrics)
    counts = (
        exp.select(
            name("series"),
            name("metric"),
            exp.alias_(exp.Count(this=exp.Star()), "rows", quoted=True),
            exp.alias_(exp.Max(this=name("dt")), "newest", quoted=True),
        )
        .from_(table.expression)
        .where(*in_range(source, selector.start_ms, selector.end_ms), *metric)
        .group_by(name("series"), name("metric"))
    )
    present = connection.table(counts.sql(dialect=connection.dialect))
    days = sorted(set(present.column(3).to_pylist()))
    if not days:
        return []
    labels = (
        exp.select(name("series"), exp.alias_(exp.Max(this=_written_labels()), "l", quoted=True))
        .from_(table.expression)
        .where(exp.EQ(this=name("source"), expression=text(source)))
        .where(exp.In(this=name("dt"), expressions=[text(day) for day in days]))
        .where(*metric, *label_conditions(label_of_map, selector.labels))
        .group_by(name("series"))
    )
    chosen = connection.table(labels.sql(dialect=connection.dialect))
    labels_of = dict(zip(chosen.column(0).to_pylist(), chosen.column(1).to_pylist(), strict=True))
    columns = (present.column(place).to_pylist() for place in range(3))
    found = [
        _Found(_key(source, id_, metric_name, labels_of[id_]), rows)
        for id_, metric_name, rows in zip(*columns, strict=True)
        if id_ in labels_of
    ]
    return sorted(found, key=lambda each: (each.key.metric, each.key.id))


def _written_labels() -> exp.Expr:
    """The labels as one text: names, two NULs, values; each parted by a NUL."""
    keys = call("concat_ws", _SQL_NUL.copy(), call("map_keys", name("labels")))
    values = call("concat_ws", _SQL_NUL.copy(), call("map_values", name("labels")))
    return call("concat", keys, _SQL_NUL.copy(), _SQL_NUL.copy(), values)


def _key(source: str, id_: str, metric: str, written: str) -> SeriesKey:
    """The series of an id, which says whether its labels were read as they are.

    Hive 4's vectorized reader gives an empty map as null -> null, which it writes as text.
    """
    key = SeriesKey(source, metric, _read_labels(written))
    if key.id == id_:
        return key
    bare = SeriesKey(source, metric)
    if bare.id != id_:
        raise CorruptError(f"archive: the labels of series {key} do not give its id {id_}")
    return bare


def _read_labels(written: str) -> tuple[tuple[str, str], ...]:
    names, _, values = written.partition(2 * _NUL)
    if not names:
        return ()
    return tuple(sorted(zip(names.split(_NUL), values.split(_NUL), strict=True)))

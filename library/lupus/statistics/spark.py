"""Statistics of a DataFrame of PySpark, in one pass over its data and without collecting it.

Each partition becomes a summary on its executor, from batches of Arrow, by the code that all tables
use; executors merge them until few are left, and the driver gets those. A summary's size depends on
what was asked, not on the rows.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from typing import TYPE_CHECKING, Any, Optional

from lupus.errors import StatisticsError
from lupus.statistics.kind import Kind
from lupus.statistics.summary import Summary

if TYPE_CHECKING:
    from lupus.statistics.spec import Statistics

_SIMPLE = {
    "byte": "integer",
    "short": "integer",
    "integer": "integer",
    "long": "integer",
    "float": "float",
    "double": "float",
    "decimal": "decimal",
    "boolean": "boolean",
    "string": "text",
    "varchar": "text",
    "char": "text",
    "date": "date",
    "timestamp": "timestamp",
    "timestamp_ntz": "timestamp",
    "void": "null",
    "null": "null",
}
# Batches of Arrow have 10,000 rows; so many values at once make the work per batch small.
_VALUES = 1 << 22
_MOST_ROWS = 1 << 20
# So many summaries go to one executor, and at most so many to the driver.
FAN_IN = 32
_SCHEMA = "summary binary"


def compute_spark(frame: Any, wanted: "Statistics", at: Optional[float]) -> Summary:
    """Compute statistics of a DataFrame of PySpark."""
    types = {field.name: type_name(field.dataType) for field in frame.schema.fields}
    if len(types) != len(frame.columns):
        raise StatisticsError(f"the table has a column twice: {', '.join(frame.columns)}")
    kinds = wanted.kinds(types, at)
    read = _read_columns(kinds, wanted)
    if not read:
        raise StatisticsError("the table has no columns")
    chosen = frame.select(*(frame[f"`{name.replace('`', '``')}`"] for name in read))
    per_partition = _Scan(kinds, wanted, at, {name: types[name] for name in read})
    parts = chosen.mapInArrow(per_partition.scanned, _SCHEMA)
    many = _partitions(frame)
    while many > FAN_IN:
        many = -(-many // FAN_IN)
        parts = parts.repartition(many).mapInArrow(_merge, _SCHEMA)
    found = [Summary.from_json(_unpacked(row[0])) for row in parts.collect()]
    return reduce(Summary.merge, found) if found else per_partition.empty()


def type_name(kind: Any) -> str:
    """Name a type of Spark."""
    name = kind.typeName()
    if name == "array":
        return f"array of {type_name(kind.elementType)}"
    return _SIMPLE.get(name, f"other: {name}")


def _read_columns(kinds: Mapping[str, Kind], wanted: "Statistics") -> list[str]:
    others = (other for kind in kinds.values() for other in kind.others)
    return list(dict.fromkeys([*wanted.by.values(), *kinds, *others]))


def _partitions(frame: Any) -> int:
    """How many partitions there are; Spark Connect does not say."""
    try:
        return int(frame.rdd.getNumPartitions())
    except Exception:  # noqa: BLE001  each version refuses in its own way
        return 0


class _Scan:
    """What is computed of a partition."""

    def __init__(
        self,
        kinds: Mapping[str, Kind],
        wanted: "Statistics",
        at: Optional[float],
        types: Mapping[str, str],
    ) -> None:
        self._kinds = kinds
        self._wanted = wanted
        self._at = at
        self._types = types

    def scanned(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Make one summary of a partition's batches."""
        yield from _merged(self._summary(table) for table in _tables(batches))

    def empty(self) -> Summary:
        """Summary of no rows."""
        import pyarrow as pa  # noqa: PLC0415  Spark needs it, this module's import does not

        return self._summary(pa.table({name: pa.array([], pa.null()) for name in self._types}))

    def _summary(self, table: Any) -> Summary:
        from lupus.statistics.compute import scan  # noqa: PLC0415
        from lupus.statistics.reading.arrow import ArrowTable  # noqa: PLC0415

        # An executor has a core for each task.
        threads = 1
        return scan(ArrowTable(table), self._kinds, self._wanted, self._at, self._types, threads)


def _tables(batches: Iterable[Any]) -> Iterator[Any]:
    """Join batches into tables of many rows."""
    import pyarrow as pa  # noqa: PLC0415  Spark needs it, this module's import does not

    held: list[Any] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        if rows >= min(_MOST_ROWS, _VALUES // max(batch.num_columns, 1)):
            yield pa.Table.from_batches(held)
            held, rows = [], 0
    if rows:
        yield pa.Table.from_batches(held)


def _merge(batches: Iterable[Any]) -> Iterator[Any]:
    texts = (_unpacked(data) for batch in batches for data in batch.column(0).to_pylist())
    return _merged(map(Summary.from_json, texts))


def _merged(summaries: Iterable[Summary]) -> Iterator[Any]:
    """Merge as they come: one at a time is held."""
    merged: Optional[Summary] = None
    for summary in summaries:
        merged = summary if merged is None else merged.merge(summary)
    if merged is not None:
        yield _packed(merged)


def _packed(summary: Summary) -> Any:
    import pyarrow as pa  # noqa: PLC0415  Spark needs it, this module's import does not

    data = zlib.compress(summary.to_json().encode("utf-8"), 1)
    return pa.RecordBatch.from_arrays([pa.array([data], pa.binary())], ["summary"])


def _unpacked(data: bytes) -> str:
    return zlib.decompress(data).decode("utf-8")

"""Points in columns, one point a row: what CSV, Parquet and Arrow have in common.

``time`` and ``value`` are required; ``metric`` may be missing, then the metric is called ``value``.
In Parquet and Arrow a map or a structure named ``labels`` holds labels. Every other column is a
label of that name; its empty and null cells mean that the series has no such label.
A null value removes a point; in CSV it is spelled ``null``, and an empty cell is refused.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from storage.series_key import LABEL_NAME_PATTERN
from workflows.ingest_rejection import RowErrors, rejected
from workflows.points_rows import VALUE_ALLOWED, Longs, RawPoints
from workflows.points_times import Flags, read_times

DEFAULT_METRIC = "value"
MAX_LABEL_NAMES = 100

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_NULL = "null"

Doubles = npt.NDArray[np.float64]
_OWN = ("metric", "time", "value")


def read_table(table: pa.Table, timezone: str, errors: RowErrors) -> RawPoints:
    """Check the columns, and take their rows apart."""
    check_names(table.column_names)
    columns: list[_Column] = [
        column
        for name in table.column_names
        if name not in ("time", "value")
        for column in _columns(name, _whole(table, name))
    ]
    if len(columns) > MAX_LABEL_NAMES:
        raise rejected("", f"{len(columns)} columns of labels; allowed are {MAX_LABEL_NAMES}")
    spelling, first = _number_rows(table.num_rows, columns)
    spellings, doubled = [], np.zeros(len(first), bool)
    for number, row in enumerate(first.tolist()):
        pairs = [pair for column in columns for pair in column.at(row)]
        labels = dict(pairs)
        doubled[number] = len(labels) < len(pairs)
        spellings.append((labels.pop("", DEFAULT_METRIC), labels))
    twice = doubled[spelling]
    errors.add(np.flatnonzero(twice), "labels", "a label's name is there twice")
    ts, late = read_times(_whole(table, "time"), timezone, errors)
    value, odd = _values(_whole(table, "value"), errors)
    return RawPoints(spellings, spelling, ts, value, twice | late | odd)


def check_names(names: Sequence[str]) -> None:
    """Refuse columns that are missing, there twice or called like no label."""
    if len(names) == 1 and (separator := next((s for s in ";\t|" if s in names[0]), None)):
        raise rejected(
            "", f"the header has one column with {separator!r} in it; columns end with commas"
        )
    if not names:
        raise rejected(
            "time", "there are no columns: time and value are needed, in CSV a line of names"
        )
    for name, times in Counter(names).items():
        if times > 1:
            raise rejected(name, f"the column is there {times} times")
        if name not in _OWN and not LABEL_NAME_PATTERN.fullmatch(name):
            raise rejected(
                name, "is not a label's name: allowed are letters, digits and _, not a digit first"
            )
    for name in ("time", "value"):
        if name not in names:
            raise rejected(name, f"the column is missing; there are {', '.join(names)}")


def _whole(table: pa.Table, name: str) -> pa.Array:
    column = table.column(name)
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


class _Column(Protocol):
    """Something that tells series apart: the metric (its name is empty) or labels."""

    def codes(self) -> Iterator[Longs]:
        """Small numbers by row; rows that say the same have the same."""
        ...

    def at(self, row: int) -> list[tuple[str, str]]:
        """Names and values of one row."""
        ...


@dataclass(frozen=True)
class _Texts:
    name: str
    cells: pa.Array

    def codes(self) -> Iterator[Longs]:
        yield _codes(self.cells)

    def at(self, row: int) -> list[tuple[str, str]]:
        return [(self.name, self.cells[row].as_py() or "")]


@dataclass(frozen=True)
class _Map:
    cells: pa.MapArray

    def codes(self) -> Iterator[Longs]:
        names, values = _codes(self.cells.keys), _codes(self.cells.items)
        # `offsets` of a slice do not begin at 0, while `keys` and `items` are whole.
        offsets = np.asarray(self.cells.offsets).astype(np.int64)
        starts = offsets[:-1]
        present = self.cells.is_valid().to_numpy(zero_copy_only=False)
        lengths = np.where(present, np.diff(offsets), 0)
        for position in range(int(lengths.max(initial=0))):
            has = lengths > position
            for codes in (names, values):
                found = np.zeros(len(lengths), np.int64)
                found[has] = 1 + codes[starts[has] + position]
                yield found

    def at(self, row: int) -> list[tuple[str, str]]:
        return [(name, value or "") for name, value in self.cells[row].as_py() or ()]


def _columns(name: str, cells: pa.Array) -> Iterator[_Column]:
    kind = cells.type
    if name == "labels" and pa.types.is_map(kind):
        if not (_is_text(kind.key_type) and _is_text(kind.item_type)):
            raise rejected(name, f"the column's type is {kind}; allowed is a map of strings")
        yield _Map(cells)
    elif name == "labels" and pa.types.is_struct(kind):
        for part, child in zip(kind.names, cells.flatten(), strict=True):
            yield _Texts(part, _text(part, child))
    else:
        yield _Texts("" if name == "metric" else name, _text(name, cells))


def _codes(texts: pa.Array) -> Longs:
    """The same number for the same text; 0 for null."""
    encoded = texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode()
    codes: Longs = pc.fill_null(encoded.indices.cast(pa.int64()), -1).to_numpy() + 1
    return codes


def _number_rows(rows: int, columns: Sequence[_Column]) -> tuple[Longs, Longs]:
    """A dense number for each way that rows are spelled, and the first row of each."""
    number = np.zeros(rows, np.int64)
    for codes in (codes for column in columns for codes in column.codes()):
        both = number * (int(codes.max(initial=0)) + 1) + codes
        number = pa.array(both).dictionary_encode().indices.to_numpy().astype(np.int64)
    first = np.empty(int(number.max(initial=-1)) + 1, np.int64)
    backwards = np.arange(rows)[::-1]
    first[number[backwards]] = backwards  # of rows with one number the last written stays
    return number, first


def _text(name: str, cells: pa.Array) -> pa.Array:
    """Cells as strings, or as codes of strings."""
    kind = cells.type
    if pa.types.is_dictionary(kind) and _is_text(kind.value_type):
        return cells
    plain = (pa.types.is_integer, pa.types.is_boolean, pa.types.is_date32, pa.types.is_null)
    if _is_text(kind) or (name != "metric" and any(fits(kind) for fits in plain)):
        return cells.cast(pa.string())
    allowed = "strings" if name == "metric" else "strings, whole numbers, booleans and dates"
    raise rejected(name, f"the column's type is {kind}; allowed are {allowed}")


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _values(cells: pa.Array, errors: RowErrors) -> tuple[Doubles, Flags]:
    kind = cells.type
    if _is_text(kind):
        return _written_values(cells, errors)
    numbers = (pa.types.is_floating, pa.types.is_integer, pa.types.is_decimal, pa.types.is_null)
    if not any(fits(kind) for fits in numbers):
        raise rejected("value", f"the column's type is {kind}; {VALUE_ALLOWED}")
    doubles = cells.cast(pa.float64(), safe=False)
    value: Doubles = doubles.to_numpy(zero_copy_only=False)
    refused = ~np.isfinite(value) & doubles.is_valid().to_numpy(zero_copy_only=False)
    errors.add(np.flatnonzero(refused), "value", lambda row: f"is {value[row]}; {VALUE_ALLOWED}")
    return value, refused


def _written_values(cells: pa.Array, errors: RowErrors) -> tuple[Doubles, Flags]:
    number = pc.match_substring_regex(cells, _NUMBER)
    value: Doubles = (
        pc.if_else(number, cells, None).cast(pa.float64()).to_numpy(zero_copy_only=False)
    )
    null = pc.equal(cells, _NULL).to_numpy(zero_copy_only=False)
    refused = ~np.isfinite(value) & ~null
    errors.add(
        np.flatnonzero(refused),
        "value",
        lambda row: f'{cells[row].as_py()[:60]!r}: allowed are finite numbers and the word "null"',
    )
    return value, refused

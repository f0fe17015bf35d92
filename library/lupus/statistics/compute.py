"""Compute declared statistics: any engine's table in, a Summary out."""

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from lupus.statistics.column import Codes, Column, Presence, Rows
from lupus.statistics.counted import Counted, categories
from lupus.statistics.kind import Kind
from lupus.statistics.labels import Key
from lupus.statistics.reading.table import Table, table
from lupus.statistics.summary import Group, Summary, too_many

if TYPE_CHECKING:
    from lupus.statistics.spec import Statistics

# A thread a column at once: each holds a sorted copy of its column.
THREADS = min(8, os.cpu_count() or 1)
WORTH_THREADS = 50_000


def compute(frame: Any, wanted: "Statistics", at: Optional[float]) -> Summary:
    """Compute statistics of a table of any engine."""
    if type(frame).__module__.startswith("pyspark."):
        from lupus.statistics.spark import compute_spark  # noqa: PLC0415  only there it is needed

        return compute_spark(frame, wanted, at)
    read = table(frame)
    types = {name: read.type_of(name) for name in read.names}
    return scan(read, wanted.kinds(types, at), wanted, at, types)


def scan(
    read: Table,
    kinds: Mapping[str, Kind],
    wanted: "Statistics",
    at: Optional[float],
    types: Mapping[str, str],
    threads: int = THREADS,
) -> Summary:
    """Count the rows of a table in memory, each column read once, several at the same time."""
    groups = _Groups(read, wanted)
    names = list(kinds)
    if read.rows > WORTH_THREADS and threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            found = list(pool.map(lambda name: _column(read, name, kinds[name], groups), names))
    else:
        found = [_column(read, name, kinds[name], groups) for name in names]
    columns = dict(zip(names, found))
    return Summary(
        wanted.by,
        kinds,
        {name: (types[name],) for name in names},
        {
            key: Group(rows, {name: columns[name][place] for name in names})
            for place, (key, rows) in enumerate(groups.rows())
        },
        at,
        wanted.groups,
    )


class _Groups:
    """Which rows belong together: an order of all rows, and where each group begins in it."""

    def __init__(self, read: Table, wanted: "Statistics") -> None:
        self._order: Optional[Any] = None
        self._starts = np.array([0, read.rows])
        self._keys: list[Key] = [()]
        if wanted.by:
            self._split([_codes(read, name) for name in wanted.by.values()], wanted)

    def rows(self) -> Iterator[tuple[Key, int]]:
        yield from zip(self._keys, np.diff(self._starts).tolist())

    def parts(self, column: Column) -> Iterator[Column]:
        ordered = column if self._order is None else column.part(self._order)
        for start, end in zip(self._starts.tolist(), self._starts[1:].tolist()):
            rows: Rows = slice(start, end)
            yield ordered.part(rows)

    def _split(self, by: list[Codes], wanted: "Statistics") -> None:
        codes = by[0].codes.astype(np.int64) + 1
        found, codes = np.unique(codes, return_inverse=True)
        firsts = [found - 1]
        for one in by[1:]:
            wide = len(one.texts) + 1
            found, codes = np.unique(codes * wide + one.codes + 1, return_inverse=True)
            firsts = [first[found // wide] for first in firsts] + [found % wide - 1]
            # Refused as soon as it is seen: the next column could only make more of them.
            too_many(len(found), wanted.groups, wanted.by)
        too_many(len(found), wanted.groups, wanted.by)
        narrow = codes.astype(np.int16 if len(found) < 1 << 15 else np.int64)
        self._order = np.argsort(narrow, kind="stable")
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(found)))])
        texts = [[_text(one, code) for code in first] for one, first in zip(by, firsts)]
        self._keys = list(zip(*texts))


def _codes(read: Table, name: str) -> Codes:
    column = read.read(name, "codes")
    assert isinstance(column, Codes)
    return column


def _text(one: Codes, code: int) -> Optional[str]:
    return None if code < 0 else str(one.texts[code])


def _column(read: Table, name: str, kind: Kind, groups: _Groups) -> list[Counted]:
    if read.type_of(name) == "null":
        without = Presence(np.ones(read.rows, bool))
        state = kind.nothing()
        return [Counted(len(part), len(part), state) for part in groups.parts(without)]
    column = read.read(name, kind.form)
    others: Mapping[str, Kind] = kind.others
    inner = {other: list(groups.parts(read.read(other, one.form))) for other, one in others.items()}
    found = []
    for place, part in enumerate(groups.parts(column)):
        nulls, state = kind.scan(part)
        of = {}
        if inner and isinstance(part, Codes):
            of = _of(name, kind, part, {other: parts[place] for other, parts in inner.items()})
        found.append(Counted(len(part), nulls, state, of))
    return found


def _of(name: str, kind: Kind, codes: Codes, others: Mapping[str, Column]) -> dict[Any, Any]:
    """Count other columns of each category."""
    there, inverse = np.unique(codes.codes, return_inverse=True)
    categories(int((there >= 0).sum()), name, kind)
    order = np.argsort(inverse, kind="stable")
    ends = np.cumsum(np.bincount(inverse, minlength=len(there)))
    of: dict[Any, Any] = {}
    for code, start, end in zip(there.tolist(), [0, *ends.tolist()], ends.tolist()):
        if code < 0:
            continue
        of[str(codes.texts[code])] = columns = {}
        for other, column in others.items():
            part = column.part(order[start:end])
            nulls, state = kind.others[other].scan(part)
            columns[other] = Counted(len(part), nulls, state)
    return of

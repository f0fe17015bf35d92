"""One column of a table, in the form that its kind of statistics needs."""

from dataclasses import dataclass
from typing import Any, Optional, Union

import numpy as np

Array = Any
Rows = Union[slice, Array]

NO_TEXT = -1
# Large beside the list of texts, so that a block's counts cost less than its rows.
_BLOCK = 1 << 18


@dataclass(frozen=True, eq=False)
class Presence:
    """Only which rows have no value; shape (n,), True where there is none."""

    missing: Array

    def __len__(self) -> int:
        return len(self.missing)

    def part(self, rows: Rows) -> "Presence":
        """Give some of the rows."""
        return Presence(self.missing[rows])


@dataclass(frozen=True, eq=False)
class Numbers:
    """Numbers of any numeric type, shape (n,), and where they are valid (None: everywhere)."""

    values: Array
    valid: Optional[Array] = None

    def __len__(self) -> int:
        return len(self.values)

    def part(self, rows: Rows) -> "Numbers":
        """Give some of the rows."""
        return Numbers(self.values[rows], None if self.valid is None else self.valid[rows])

    def present(self) -> Array:
        """Give values of the rows that have one."""
        return self.values if self.valid is None else self.values[self.valid]


@dataclass(frozen=True, eq=False)
class Codes:
    """Places in a list of different texts, shape (n,), -1 without one; some may be there never."""

    codes: Array
    texts: Array

    def __len__(self) -> int:
        return len(self.codes)

    def part(self, rows: Rows) -> "Codes":
        """Give some of the rows."""
        return Codes(self.codes[rows], self.texts)

    def counted(self) -> tuple[Array, Array, int]:
        """Give different texts, how many rows have each, and how many have none."""
        if len(self.codes) * 4 < len(self.texts) or len(self.texts) > _BLOCK:
            found, counts = np.unique(self.codes, return_counts=True)
        else:
            found = np.arange(-1, len(self.texts))
            counts = np.zeros(len(found), np.int64)
            for start in range(0, len(self.codes), _BLOCK):
                block = self.codes[start : start + _BLOCK].astype(np.int64)
                counts += np.bincount(block + 1, minlength=len(found))
        nulls = int(counts[found == NO_TEXT].sum())
        there = (counts > 0) & (found != NO_TEXT)
        return self.texts[found[there]], counts[there], nulls


@dataclass(frozen=True, eq=False)
class Lists:
    """Lists of elements: where each begins, how long it is (no valid length: no list)."""

    starts: Array
    lengths: Numbers
    elements: Codes

    def __len__(self) -> int:
        return len(self.starts)

    def part(self, rows: Rows) -> "Lists":
        """Give some of the rows."""
        return Lists(self.starts[rows], self.lengths.part(rows), self.elements)

    def within(self) -> Codes:
        """Give elements of all the rows."""
        valid = self.lengths.valid
        starts = self.starts if valid is None else self.starts[valid]
        lengths = self.lengths.present()
        before = np.cumsum(lengths) - lengths
        places = np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths)
        return self.elements.part(places)


@dataclass(frozen=True, eq=False)
class Times:
    """Microseconds since 1970 UTC, int64, shape (n,), and where they are valid."""

    values: Array
    valid: Optional[Array] = None

    def __len__(self) -> int:
        return len(self.values)

    def part(self, rows: Rows) -> "Times":
        """Give some of the rows."""
        return Times(self.values[rows], None if self.valid is None else self.valid[rows])

    def present(self) -> Array:
        """Give times of the rows that have one."""
        return self.values if self.valid is None else self.values[self.valid]


Column = Union[Presence, Numbers, Codes, Lists, Times]


def nothing(form: str) -> Column:
    """Give a column of no rows in a form."""
    floats, places = np.empty(0), np.empty(0, np.int64)
    codes = Codes(places, np.empty(0, object))
    columns: dict[str, Column] = {
        "presence": Presence(np.empty(0, bool)),
        "numbers": Numbers(floats),
        "characters": Numbers(places),
        "codes": codes,
        "lists": Lists(places, Numbers(places), codes),
        "times": Times(places),
    }
    return columns[form]

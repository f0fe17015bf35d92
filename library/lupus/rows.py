"""Rows of a list: on a terminal, in a notebook, as a table of pandas or Polars."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Union, overload

from lupus.extra import missing

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

SHOWN = 30
Row = Mapping[str, Any]


class Rows(Sequence[Row]):
    """Rows of a list, such as anomalies, each a mapping.

    Parameters
    ----------
    rows : sequence of mapping
        What the service said of each.
    shown : sequence of str
        Columns of the short form, for people; ``to_pandas`` has all of them.
    noun : str
        What a row is, such as ``anomaly``.

    Examples
    --------
    >>> rows = Rows([{"name": "auc", "value": 0.25}], ["name", "value"], "anomaly")
    >>> print(rows)
    name  value
    auc   0.25
    >>> rows[0]["value"]
    0.25
    """

    def __init__(self, rows: Sequence[Row], shown: Sequence[str], noun: str = "row") -> None:
        self._rows = tuple(rows)
        self._shown = tuple(shown)
        self._noun = noun

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> "Rows": ...
    def __getitem__(self, at: Union[int, slice]) -> Union[Row, "Rows"]:
        """Give one row, or some."""
        if isinstance(at, slice):
            return Rows(self._rows[at], self._shown, self._noun)
        return self._rows[at]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __str__(self) -> str:
        if not self._rows:
            return f"no {self._noun}"
        cells = [self._shown, *([_cell(row.get(c)) for c in self._shown] for row in self._rows)]
        widths = [max(len(row[place]) for row in cells) for place in range(len(self._shown))]
        return "\n".join(
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths)).rstrip()
            for row in cells
        )

    def __repr__(self) -> str:
        more = len(self) - SHOWN
        return str(self[:SHOWN]) + (f"\nand {more:,} more" if more > 0 else "")

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in self._shown)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_cell(row.get(c)))}</td>" for c in self._shown) + "</tr>"
            for row in self._rows[:SHOWN]
        )
        more = len(self) - SHOWN
        after = f"<p>and {more:,} more</p>" if more > 0 else ""
        return f"<table><tr>{head}</tr>{body}</table>{after}"

    @property
    def columns(self) -> list[str]:
        """Names of all columns; each label is one, called ``label.NAME``."""
        names: dict[str, None] = {}
        for row in self._rows:
            names.update(dict.fromkeys(_flat(row)))
        return list(names) or list(self._shown)

    def to_pandas(self) -> "pd.DataFrame":
        """Give all columns; those that are times have the time zone UTC.

        Raises
        ------
        ExtraError
            Without pandas.
        """
        try:
            import pandas as pd  # noqa: PLC0415  only who asks for it needs it
        except ImportError:
            raise missing("a table", "pandas") from None
        table = pd.DataFrame([_flat(row) for row in self._rows], columns=self.columns)
        for name in filter(_is_time, table.columns):
            table[name] = pd.to_datetime(table[name], utc=True)
        return table

    def to_polars(self) -> "pl.DataFrame":
        """Give all columns; times have the time zone UTC.

        Raises
        ------
        ExtraError
            Without Polars.
        """
        try:
            import polars as pl  # noqa: PLC0415  only who asks for it needs it
        except ImportError:
            raise missing("a table", "polars") from None
        flat = [_flat(row) for row in self._rows]
        table = pl.DataFrame(
            {name: [row.get(name) for row in flat] for name in self.columns}, strict=False
        )
        times = [n for n in table.columns if _is_time(n) and table[n].dtype == pl.String]
        return table.with_columns(
            pl.col(times).str.to_datetime(time_unit="ms", time_zone="UTC", strict=False)
        )

    def to_csv(self) -> str:
        """Give all columns as CSV."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(_flat(row) for row in self._rows)
        return text.getvalue()

    def to_json(self) -> str:
        """Give one JSON array, each row as the service says it."""
        return json.dumps([dict(row) for row in self._rows], indent=2, default=str)


def _is_time(name: str) -> bool:
    return name == "time" or name.endswith(("_at", "_start", ".start", ".end"))


def _flat(row: Row) -> dict[str, Any]:
    """Make columns of the mappings within a row."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            prefix = "label" if name == "labels" else name
            flat.update((f"{prefix}.{inner}", one) for inner, one in value.items())
        elif isinstance(value, (list, tuple)):
            flat[name] = json.dumps(value)
        else:
            flat[name] = value
    return flat


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return format(value, ".6g") if isinstance(value, float) else str(value)

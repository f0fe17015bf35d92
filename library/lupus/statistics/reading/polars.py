"""Tables of Polars."""

from typing import Any

import polars as pl

from lupus.statistics.column import Column
from lupus.statistics.reading.arrow import read, type_name


class PolarsTable:
    """A DataFrame of Polars, or a LazyFrame, which is collected."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame.collect() if isinstance(frame, pl.LazyFrame) else frame
        self.names: list[str] = list(self._frame.columns)
        self.rows: int = self._frame.height

    def type_of(self, name: str) -> str:
        """Type of a column."""
        return type_name(_arrow(self._frame.get_column(name).head(0)).type)

    def read(self, name: str, form: str) -> Column:
        """Read a column in a form."""
        return read(name, _arrow(self._frame.get_column(name)), form)


def _arrow(column: Any) -> Any:
    """As arrays of PyArrow, without the newer layouts that few of its functions know."""
    return column.to_arrow(compat_level=pl.CompatLevel.oldest())

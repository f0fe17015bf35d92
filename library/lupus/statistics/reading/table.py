"""What statistics ask of any library's table."""

from typing import Any, Protocol

from lupus.errors import StatisticsError
from lupus.statistics.column import Column


class Table(Protocol):
    """A table in memory."""

    @property
    def names(self) -> list[str]:
        """Columns, in their order."""

    @property
    def rows(self) -> int:
        """How many rows."""

    def type_of(self, name: str) -> str:
        """Type of a column, by its name here."""

    def read(self, name: str, form: str) -> Column:
        """Read a column as numbers, codes, lists, characters, times or presence."""


def table(frame: Any) -> Table:
    """Read a table of pandas, Polars or PyArrow."""
    module = type(frame).__module__.split(".")[0]
    if module == "pandas" and hasattr(frame, "iloc") and getattr(frame, "ndim", 0) > 1:
        from lupus.statistics.reading.pandas import PandasTable  # noqa: PLC0415  only if it is one

        return PandasTable(frame)
    if module == "polars" and type(frame).__name__ in ("DataFrame", "LazyFrame"):
        from lupus.statistics.reading.polars import PolarsTable  # noqa: PLC0415  only if it is one

        return PolarsTable(frame)
    if module == "pyarrow" and hasattr(frame, "schema"):
        from lupus.statistics.reading.arrow import ArrowTable  # noqa: PLC0415  only if it is one

        return ArrowTable(frame)
    raise StatisticsError(
        "statistics are computed from a DataFrame of pandas, Polars or PySpark or a table of "
        f"PyArrow, not from {type(frame).__module__}.{type(frame).__qualname__}"
    )

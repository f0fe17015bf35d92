"""Whether rows of one series share a time, and which columns would tell such rows apart."""

from collections.abc import Iterable

import pyarrow as pa


def distinct_rows(table: pa.Table, names: Iterable[str]) -> int:
    """How many different rows the columns have."""
    keys = list(names)
    return int(table.select(keys).group_by(keys).aggregate([]).num_rows)


def repeated_times(table: pa.Table, time: str, values: tuple[str, ...], by: tuple[str, ...]) -> str:
    """A sentence where a series has several rows of one time; empty where none has."""
    apart = distinct_rows(table, (time, *by))
    if apart == table.num_rows:
        return ""
    said = (
        f"{table.num_rows - apart:,} of {table.num_rows:,} rows repeat a time of their series, "
        "and only the last row of a time counts"
    )
    counts = {
        field.name: distinct_rows(table, (time, *by, field.name))
        for field in table.schema
        if field.name not in (time, *values, *by) and not pa.types.is_floating(field.type)
    }
    enough = [name for name, count in counts.items() if count == table.num_rows]
    helping = [name for name, count in counts.items() if count > apart]
    if enough:
        ways = " or ".join(_option((*by, name)) for name in enough)
        return f"{said}; {ways} would tell them apart"
    if helping:
        return f"{said}; {_option((*by, *helping))} would tell more of them apart"
    return f"{said}; no other column tells them apart"


def _option(names: Iterable[str]) -> str:
    return " ".join(f"--by {name}" for name in names)

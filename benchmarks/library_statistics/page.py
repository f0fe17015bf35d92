"""The table of docs/statistics.md, made from figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "statistics.md"
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"
NAMES = {
    "lupus_pandas": "Lupus, pandas",
    "hand_pandas": "by hand, pandas",
    "lupus_polars": "Lupus, Polars",
    "hand_polars": "by hand, Polars",
    "lupus_spark": "Lupus, PySpark",
    "hand_spark": "by hand, PySpark",
    "ydata_profiling": "ydata-profiling (minimal)",
    "pandera": "pandera (schema inferred, then validated)",
}


def write(measured: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Replace the table between the marks."""
    rows = [
        "| what | rows | seconds | processor seconds | memory beyond the table, MB | lines |",
        "|---|---|---|---|---|---|",
        *(_row(one) for sides in measured.values() for one in sides),
    ]
    text = PAGE.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    PAGE.write_text("\n".join([before + BEGIN, *rows, END + after]))


def _row(one: Mapping[str, Any]) -> str:
    name = NAMES.get(one["side"], one["side"])
    if "absent" in one:
        return f"| {name} | {one['rows']:,} | did not run: {one['absent']} | | | |"
    return (
        f"| {name} | {one['rows']:,} | {one['seconds']:.1f} | {one['processor_seconds']:.1f} | "
        f"{one['memory_bytes'] / 1e6:,.0f} | {one['lines']} |"
    )

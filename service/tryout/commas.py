"""Numbers that are written with commas: ``0,412`` in much of Europe, ``1,234,567`` elsewhere."""

import pyarrow as pa
import pyarrow.compute as pc

HOW_READ = b"how read"
_THOUSANDS = r"^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?$"
_DECIMAL = r"^[+-]?\d+,\d+$"
_PLAIN = r"^[+-]?\d+(\.\d+)?$"


def read_commas(table: pa.Table) -> pa.Table:
    """Turn text columns of such numbers into numbers; a field's metadata says how."""
    for place, field in enumerate(table.schema):
        if not pa.types.is_string(field.type):
            continue
        column = table.column(place)
        for pattern, comma, words in (
            (_THOUSANDS, "", "a comma groups thousands"),
            (_DECIMAL, ".", "a comma is the decimal sign"),
        ):
            if _is_written(column, pattern):
                numbers = pc.replace_substring(column, ",", comma).cast(pa.float64())
                told = pa.field(field.name, pa.float64(), metadata={HOW_READ: words.encode()})
                table = table.set_column(place, told, numbers)
                break
    return table


def how_read(field: pa.Field) -> str:
    """How a column's commas were read; empty where there were none."""
    return str((field.metadata or {}).get(HOW_READ, b"").decode())


def _is_written(column: pa.ChunkedArray, pattern: str) -> bool:
    """Whether all cells are numbers, and some of them written so."""
    written = pc.match_substring_regex(column, pattern)
    either = pc.or_(written, pc.match_substring_regex(column, _PLAIN))
    return bool(pc.any(written).as_py()) and bool(pc.all(either).as_py())

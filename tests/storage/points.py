"""Point tables from plain rows, and a scan read back as plain rows."""

from collections.abc import Iterable, Mapping

import pyarrow as pa

from storage.archive import DOCUMENT_SCHEMA, POINT_SCHEMA, RESULT_SCHEMA, Scan

# metric, labels, ts, value, sequence
Row = tuple[str, Mapping[str, str], int, float | None, int]

DAY_MS = 86_400_000
START_MS = 20_454 * DAY_MS  # 2026-01-01


def table(rows: Iterable[Row]) -> pa.Table:
    """Rows as the archive takes them."""
    columns = [list(column) for column in zip(*rows, strict=True)] or [[]] * 5
    columns[1] = [list(labels.items()) for labels in columns[1]]
    arrays = [
        pa.array(column, field.type) for column, field in zip(columns, POINT_SCHEMA, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=POINT_SCHEMA)


def results(rows: Iterable[Mapping[str, object]]) -> pa.Table:
    """Result rows; what is not given is null."""
    return pa.Table.from_pylist(list(rows), schema=RESULT_SCHEMA)


def documents(rows: Iterable[Mapping[str, object]]) -> pa.Table:
    """Rows of documents that runs told."""
    return pa.Table.from_pylist(list(rows), schema=DOCUMENT_SCHEMA)


def rows_of(scan: Scan) -> list[tuple[str, int, float | None]]:
    """(series as written, ts, value), in the order of the stream."""
    return [
        (str(scan.keys[row["number"]]), row["ts"], row["value"])
        for batch in scan.batches
        for row in batch.to_pylist()
    ]

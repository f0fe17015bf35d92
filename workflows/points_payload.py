"""A staged payload, from its object to rows: unpacked within bounds, read in its format."""

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.ipc
import pyarrow.parquet as pq

from storage.objects import Objects
from workflows.ingest_rejection import RowErrors, rejected
from workflows.points_json import read_json, read_ndjson
from workflows.points_rows import RawPoints
from workflows.points_table import check_names, read_table
from workflows.request import IngestRequest, PointsFormat

MIB = 1 << 20
# JSON is held as Python objects, about ten times its size; the others are read into columns.
MAX_BYTES: Mapping[PointsFormat, int] = {
    "json": 256 * MIB,
    "ndjson": 4096 * MIB,
    "csv": 4096 * MIB,
    "parquet": 4096 * MIB,
    "arrow": 4096 * MIB,
}
MAX_POINTS = 20_000_000
# Honest text packs to a twentieth at best; beyond the free part more is a bomb.
MAX_RATIO = 200
FREE_BYTES = 16 * MIB
_BLOCK = 1 * MIB


@contextmanager
def payload(objects: Objects, request: IngestRequest, scratch: Path | None) -> Iterator[Path]:
    """The payload as a local file, unpacked."""
    path = objects.local_path(request.payload)
    limit = MAX_BYTES[request.format]
    if not request.gzip:
        _check_size(path.stat().st_size, limit)
        yield path
        return
    with TemporaryDirectory(dir=scratch) as folder:
        unpacked = Path(folder) / "payload"
        _unpack(path, unpacked, min(limit, max(FREE_BYTES, path.stat().st_size * MAX_RATIO)))
        yield unpacked


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise rejected(
            "", f"the payload has more than {limit // MIB} MiB: send it in several parts"
        )


def _unpack(packed: Path, unpacked: Path, limit: int) -> None:
    size = 0
    try:
        with gzip.open(packed) as source, unpacked.open("wb") as target:
            while block := source.read(_BLOCK):
                size += len(block)
                _check_size(size, limit)
                target.write(block)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise rejected("", f"the payload is not gzip: {error}") from None


def read_payload(path: Path, request: IngestRequest, errors: RowErrors) -> RawPoints:
    """All rows of a payload in its format."""
    if request.format in ("json", "ndjson"):
        read = read_json if request.format == "json" else read_ndjson
        raw = read(path, request.timezone, errors)
    else:
        table = _TABLES[request.format](path, errors)
        errors.check()
        raw = read_table(table, request.timezone, errors)
    _check_points(len(raw.ts))
    return raw


def _read_csv(path: Path, errors: RowErrors) -> pa.Table:
    names, is_empty = _header(path)
    check_names(names)
    if is_empty:
        return pa.table({name: pa.array([], pa.string()) for name in names})
    # Few different texts are kept once; times and values are read as written, to show them.
    kinds = {name: pa.dictionary(pa.int32(), pa.string()) for name in names}
    kinds |= {"time": pa.string(), "value": pa.string()}
    ragged: list[tuple[int | None, str]] = []

    def skip(row: pacsv.InvalidRow) -> str:
        ragged.append((row.number, f"{row.actual_columns} cells, the header has {len(names)}"))
        return "skip"

    def read(in_parallel: bool) -> pa.Table:
        return pacsv.read_csv(
            path,
            read_options=pacsv.ReadOptions(use_threads=in_parallel),
            parse_options=pacsv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
            convert_options=pacsv.ConvertOptions(column_types=kinds, strings_can_be_null=False),
        )

    with _unreadable("CSV"):
        table = read(in_parallel=True)
        if ragged:
            ragged.clear()
            read(in_parallel=False)  # only then are rows counted
    for number, message in ragged:
        errors.add([(number or 2) - 2], "row", message)
    return table


def _header(path: Path) -> tuple[list[str], bool]:
    """The columns' names, and whether no row follows."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file)
        try:
            names = next(reader, [])
            return names, not any(reader)
        except csv.Error as error:
            raise rejected("", f"the header is not CSV: {error}") from None


def _read_parquet(path: Path, errors: RowErrors) -> pa.Table:
    with _unreadable("Parquet"), pq.ParquetFile(path) as file:
        groups = (file.metadata.row_group(i) for i in range(file.metadata.num_row_groups))
        _check_size(sum(group.total_byte_size for group in groups), MAX_BYTES["parquet"])
        return _gathered(file.schema_arrow, file.iter_batches(), MAX_BYTES["parquet"])


def _read_arrow(path: Path, errors: RowErrors) -> pa.Table:
    with _unreadable("Arrow"), pa.memory_map(str(path)) as source:
        if source.read(6) == b"ARROW1":
            file = pa.ipc.open_file(source)
            batches = (file.get_batch(i) for i in range(file.num_record_batches))
            return _gathered(file.schema, batches, MAX_BYTES["arrow"])
        source.seek(0)
        stream = pa.ipc.open_stream(source)
        return _gathered(stream.schema, stream, MAX_BYTES["arrow"])


def _gathered(schema: pa.Schema, batches: Iterator[pa.RecordBatch], limit: int) -> pa.Table:
    kept, size, rows = [], 0, 0
    for batch in batches:
        size, rows = size + batch.nbytes, rows + batch.num_rows
        _check_size(size, limit)
        _check_points(rows)
        kept.append(batch)
    return pa.Table.from_batches(kept, schema)


def _check_points(rows: int) -> None:
    if rows > MAX_POINTS:
        raise rejected("", f"more than {MAX_POINTS:,} points: send them in several parts")


@contextmanager
def _unreadable(format_: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        first_line = str(error).partition("\n")[0]
        raise rejected("", f"the payload is not {format_}: {first_line}") from error


_TABLES: Mapping[str, Callable[[Path, RowErrors], pa.Table]] = {
    "csv": _read_csv,
    "parquet": _read_parquet,
    "arrow": _read_arrow,
}

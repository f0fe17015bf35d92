"""A CSV or Parquet file, or CSV on standard input, as an Arrow table."""

import sys
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from service.tryout.commas import read_commas
from service.tryout.encoding import check_utf8
from service.tryout.errors import TryError

CSV_ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz")
_NO_VALUE = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]
PARQUET_ENDINGS = (".parquet", ".pq")


def read_table(path: str) -> pa.Table:
    """Read a whole file; ``-`` is CSV on standard input."""
    if path == "-":
        with tempfile.NamedTemporaryFile(suffix=".csv") as file:
            file.write(sys.stdin.buffer.read())
            file.flush()
            return _read(Path(file.name), "standard input")
    file_path = Path(path)
    if not file_path.is_file():
        raise TryError(f"{path}: there is no such file")
    return _read(file_path, path)


def _read(path: Path, shown: str) -> pa.Table:
    name = path.name.lower()
    if name.endswith(PARQUET_ENDINGS):
        reader = "read_parquet(?)"
    elif name.endswith(CSV_ENDINGS):
        check_utf8(path, shown)
        reader = f"read_csv(?, sample_size=-1, nullstr={_NO_VALUE})"
    else:
        allowed = " ".join((*CSV_ENDINGS, *PARQUET_ENDINGS))
        raise TryError(f"{shown}: unknown kind of file; allowed endings are {allowed}")
    connection = duckdb.connect()
    try:
        query = f"SELECT * FROM {reader}"  # noqa: S608 - one of two constants
        relation: Any = connection.sql(query, params=[str(path)])
        table = relation.to_arrow_table()
    except duckdb.Error as error:
        raise TryError(f"{shown} cannot be read: {str(error).splitlines()[0]}") from error
    finally:
        connection.close()
    if table.num_rows == 0:
        raise TryError(f"{shown} has no rows")
    return read_commas(table)

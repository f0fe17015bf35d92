"""Tables in files, for those who check one from the command line."""

from pathlib import Path
from typing import Any, Union

from lupus.errors import ChecksError, ExtraError

KINDS = (".parquet", ".csv", ".csv.gz", ".ndjson", ".jsonl", ".json", ".arrow", ".feather")


def read(path: Union[str, Path]) -> Any:
    """Read a file as an Arrow table; its name's end says what it is.

    Raises
    ------
    ChecksError
        If there is no such file, or it is none of Parquet, CSV, JSON lines and Arrow.
    ExtraError
        Without the package pyarrow.
    """
    file = Path(path)
    name = file.name.lower()
    if not name.endswith(KINDS):
        raise ChecksError(f"{file}: its name ends with one of {', '.join(KINDS)}")
    try:
        import pyarrow as pa  # noqa: PLC0415  only who checks files needs it
    except ImportError:
        raise ExtraError("files are read with the package pyarrow") from None
    try:
        return _read(file, name)
    except (OSError, pa.ArrowException) as error:
        raise ChecksError(f"{file}: {error}") from None


def _read(file: Path, name: str) -> Any:
    if name.endswith(".parquet"):
        import pyarrow.parquet as pq  # noqa: PLC0415

        return pq.read_table(file)
    if name.endswith((".csv", ".csv.gz")):
        from pyarrow import csv  # noqa: PLC0415

        return csv.read_csv(file)
    if name.endswith((".arrow", ".feather")):
        from pyarrow import feather  # noqa: PLC0415

        return feather.read_table(file)
    from pyarrow import json  # noqa: PLC0415

    return json.read_json(file)

"""Tables and files of a moment, which a killed process leaves behind.

Their names say when they were made: no words of a server for the age of a table matter.
"""

import os
import re
import time

from storage.hive.catalog import TableName
from storage.hive.connection import HiveConnection
from storage.objects import Objects

FOLDER = "staging"
_TABLE = re.compile(r"lupus_(?:stage|scan)_(\d{13})_[0-9a-f]{16}")
_FOLDER = re.compile(rf"{FOLDER}/(?:scan_)?(\d{{13}})_[0-9a-f]{{16}}/")


def momentary_name() -> str:
    """A name that nobody else has, with the time in milliseconds."""
    return f"{time.time_ns() // 1_000_000:013d}_{os.urandom(8).hex()}"


def remove_leftovers(connection: HiveConnection, objects: Objects, before_ms: int) -> int:
    """Drop tables and delete files that were made before then; returns how many tables."""
    database = connection.options.database
    listed = connection.table(f"SHOW TABLES IN `{database}`")
    # Hive says the name alone, Spark the database before it and a flag behind.
    names = {str(cell) for column in listed.columns for cell in column.to_pylist()}
    old = sorted(name for name in names if _is_old(_TABLE.fullmatch(name), before_ms))
    for name in old:
        connection.execute(f"DROP TABLE IF EXISTS {TableName(database, name).quoted}")
    # Files of a table that never came to be have no name but their folder's.
    folders = {match[0] for match in map(_FOLDER.match, objects.names(f"{FOLDER}/"))
               if match is not None and _is_old(match, before_ms)}  # fmt: skip
    for folder in sorted(folders):
        objects.delete_prefix(folder)
    return len(old)


def _is_old(match: re.Match[str] | None, before_ms: int) -> bool:
    return match is not None and int(match[1]) < before_ms

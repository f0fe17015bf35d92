"""The files of somebody else's Parquet table: found below a named folder, never written."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import unquote

from storage.errors import InvalidError, NotFoundError
from storage.local_time import LocalTime
from storage.selector import Selector
from storage.source import ExternalMapping
from storage.sql.points import plain
from storage.translation import system_errors

_PARTITION = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)")
# Hive names its files 000000_0, so a name without an ending is data too.
_ENDINGS = ("", ".parquet", ".parq")


@dataclass(frozen=True)
class TableFile:
    """One file and the partition values that its folders spell."""

    path: Path
    partition: Mapping[str, str]

    @property
    def written(self) -> str:
        """The partition as its folders are written."""
        return "/".join(f"{column}={value}" for column, value in self.partition.items())


def table_folder(root: Path, mapping: ExternalMapping) -> Path:
    """The folder of a mapping's table, which must lie inside its connection's."""
    with system_errors(f"table {mapping.table}"):
        folder, inside = (root / mapping.table).resolve(), root.resolve()
    if folder == inside or not folder.is_relative_to(inside):
        raise InvalidError(f"table {mapping.table!r}: leads out of connection {mapping.connection}")
    if not folder.is_dir():
        raise NotFoundError(f"table {mapping.table}: connection {mapping.connection} has no such")
    return folder


def table_files(folder: Path, mapping: ExternalMapping) -> list[TableFile]:
    """All files of a table, in the order of their paths."""
    return partitioned(folder, _data_files(folder), mapping)


def is_data(path: PurePath) -> bool:
    """Whether a file below a table's folder holds rows, by its name."""
    hidden = any(part.startswith((".", "_")) for part in path.parts)
    return not hidden and path.suffix in _ENDINGS


def partitioned(folder: Path, paths: Iterable[Path], mapping: ExternalMapping) -> list[TableFile]:
    """The files of a table with the partitions that they belong to, in order."""
    found = [
        TableFile(path, dict(_partition_values(path.relative_to(folder).parts[:-1])))
        for path in sorted(paths)
    ]
    if not found:
        raise NotFoundError(f"table {mapping.table}: its folder holds no Parquet file")
    columns = set(found[0].partition)
    odd = next((file for file in found if set(file.partition) != columns), None)
    if odd is not None:
        raise InvalidError(
            f"table {mapping.table}: {odd.path.relative_to(folder)} is partitioned otherwise than "
            f"{found[0].path.relative_to(folder)}"
        )
    for partition in mapping.partitions:
        if partition.column not in columns:
            raise NotFoundError(
                f"partitions: table {mapping.table} is not partitioned by {partition.column!r}"
            )
    return found


def pruned(
    files: list[TableFile], mapping: ExternalMapping, selector: Selector, local: LocalTime
) -> list[TableFile]:
    """The files whose partition may hold points of the selected range."""
    if not mapping.partitions:
        return files
    wanted = {
        tuple(plain(day.strftime(partition.format)) for partition in mapping.partitions)
        for day in local.dates(selector.start_ms, selector.end_ms)
    }
    columns = [partition.column for partition in mapping.partitions]
    return [file for file in files if tuple(plain(file.partition[c]) for c in columns) in wanted]


def _data_files(folder: Path) -> Iterator[Path]:
    with system_errors(f"table folder {folder.name}"):
        for parent, folders, names in os.walk(folder, onerror=_raise):
            folders[:] = [each for each in folders if not each.startswith((".", "_"))]
            for name in names:
                if is_data(PurePath(name)):
                    yield Path(parent) / name


def _raise(error: OSError) -> None:
    raise error


def _partition_values(parts: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for part in parts:
        match = _PARTITION.fullmatch(part)
        if match is not None:
            yield match[1], unquote(match[2])

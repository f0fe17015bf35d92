"""Files, copied so that they are on the disk before anybody counts on them."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from service.errors import BackupError

_TRIES = 5
Live = Callable[[Path], Sequence[Path]]


def copy_file(source: Path, target: Path) -> int:
    """Copy durably; returns bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    return target.stat().st_size


def copy_sqlite(source: Path, target: Path) -> int:
    """Copy a database that others are writing to: one state of it; returns bytes."""
    with (
        closing(sqlite3.connect(f"file:{source}?mode=rw", uri=True, timeout=60)) as open_source,
        closing(sqlite3.connect(target)) as open_target,
    ):
        # In one step: it reads one snapshot and keeps no writer waiting.
        open_source.backup(open_target)
        open_target.execute("PRAGMA journal_mode = DELETE").close()
        (state,) = open_target.execute("PRAGMA quick_check").fetchone()
        if state != "ok":
            raise BackupError(f"the copy of {source} is damaged: {state}")
    target.chmod(0o600)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    return target.stat().st_size


def files_below(folder: Path) -> Iterator[Path]:
    """Every file that is no draft of somebody's."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            yield path


def copy_partition(live: Live, folder: Path, target: Path) -> tuple[int, int]:
    """The files of one day that count, while others write and fold them; files and bytes."""
    for _ in range(_TRIES):
        try:
            files = live(folder)
            return len(files), sum(copy_file(file, target / file.name) for file in files)
        except FileNotFoundError:
            shutil.rmtree(target, ignore_errors=True)  # folded or purged meanwhile: look again
    raise BackupError(f"{folder} changes faster than it can be copied: try again")

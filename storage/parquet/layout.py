"""Where the archive's files are and which of them count.

``<kind>/source=<s>/dt=<UTC day>/<job>.parquet``. Names that begin with a dot are not data:
``.<job>.<nonce>.tmp`` is being written, ``.<file>.superseded`` says that the rows of a file are
in a compacted one. A folder's own lock (flock) orders listing, renaming and superseding, so a
reader sees the files before or after a compaction, never a mixture.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

from storage.archive import Kind as Kind
from storage.errors import InvalidError
from storage.local_time import DAY_MS
from storage.series_key import check_source
from storage.translation import system_errors

KINDS: tuple[Kind, ...] = ("points", "results", "documents")
EPOCH = date(1970, 1, 1)
COMPACTED = "compact-"

_JOB = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_DAY = re.compile(r"dt=(\d{4}-\d\d-\d\d)")


def check_job(name: str) -> str:
    """Return the name of an ingest or a run, or say what is allowed."""
    if not _JOB.fullmatch(name) or name.startswith(COMPACTED):
        raise InvalidError(
            f"job {name!r}: allowed are 1 to 200 of A-Z a-z 0-9 . _ - beginning with a letter "
            f"or digit, but not with {COMPACTED!r}"
        )
    return name


def day_text(day: int) -> str:
    """A day counted from 1970 as YYYY-MM-DD."""
    return (EPOCH + timedelta(days=day)).isoformat()


def source_folder(root: Path, kind: Kind, source: str) -> Path:
    """The folder of one source's points or results."""
    return root / kind / f"source={check_source(source)}"


def partition_folder(root: Path, kind: Kind, source: str, day: int) -> Path:
    """The folder of one day."""
    return source_folder(root, kind, source) / f"dt={day_text(day)}"


def partitions(root: Path, kind: Kind, source: str) -> list[Path]:
    """Existing days of a source, oldest first."""
    folder = source_folder(root, kind, source)
    with system_errors(f"archive folder {folder}"):
        try:
            names = [path.name for path in folder.iterdir()]
        except FileNotFoundError:
            return []
    return [folder / name for name in sorted(names) if _DAY.fullmatch(name)]


def days(root: Path, kind: Kind, source: str) -> list[str]:
    """The days of a source as YYYY-MM-DD, oldest first."""
    return [folder.name.removeprefix("dt=") for folder in partitions(root, kind, source)]


def files_between(root: Path, kind: Kind, source: str, start_ms: int, end_ms: int) -> list[Path]:
    """The files that may hold rows of [start, end), oldest day first."""
    days = days_between(start_ms, end_ms)
    if days is None:
        return []
    first, last = days
    found: list[Path] = []
    for folder in partitions(root, kind, source):
        if first <= folder.name <= last:
            found.extend(live_files(folder))
    return found


def days_between(start_ms: int, end_ms: int) -> tuple[str, str] | None:
    """The folders' names of the first and the last day of [start, end), None without any."""
    if end_ms <= start_ms:
        return None
    return f"dt={day_of(start_ms)}", f"dt={day_of(end_ms - 1)}"


def day_of(ts_ms: int) -> str:
    """The UTC day of a time as YYYY-MM-DD."""
    # Bounds may be far outside the calendar ("everything"); partitions never are.
    latest = (date.max - EPOCH).days
    return day_text(min(max(ts_ms // DAY_MS, (date.min - EPOCH).days), latest))


def live_files(folder: Path) -> list[Path]:
    """The files of a partition whose rows count."""
    with system_errors(f"archive folder {folder}"):
        try:
            with locked(folder, fcntl.LOCK_SH):
                names = {path.name for path in folder.iterdir()}
        except FileNotFoundError:
            return []
    return [
        folder / name
        for name in sorted(names)
        if name.endswith(".parquet")
        and not name.startswith((".", "_"))
        and superseded_mark(name) not in names
    ]


def superseded_mark(name: str) -> str:
    """The name of the mark that takes a file out of reading."""
    return f".{name}.superseded"


def temporary_name(job: str) -> str:
    """A name that no reader and no other writer uses."""
    return f".{job}.{os.urandom(8).hex()}.tmp"


@contextmanager
def locked(folder: Path, how: int) -> Iterator[int]:
    """Hold a partition's lock, shared or exclusive; yields the folder's descriptor."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, how)
        yield descriptor
    finally:
        os.close(descriptor)


def place(temporary: Path, name: str) -> None:
    """Give a finished temporary file its name: from here on it is read."""
    folder = temporary.parent
    with locked(folder, fcntl.LOCK_SH) as descriptor:
        temporary.replace(folder / name)
        # A file that comes back after a compaction counts again; doubles are harmless.
        (folder / superseded_mark(name)).unlink(missing_ok=True)
        os.fsync(descriptor)

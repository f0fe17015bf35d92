"""Folders for what a process needs while it lives, below one that processes share."""

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path


def own_folder(scratch: Path, prefix: str) -> tuple[Path, int]:
    """A new folder held by a lock; folders that no living process holds are removed."""
    scratch.mkdir(parents=True, exist_ok=True)
    guard = os.open(scratch, os.O_RDONLY)
    try:
        # Nobody may take a folder for abandoned between its making and its locking.
        fcntl.flock(guard, fcntl.LOCK_EX)
        for old in scratch.glob(f"{prefix}*"):
            with suppress(OSError):
                _remove_if_abandoned(old)
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=scratch))
        held = os.open(folder, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_SH)
        return folder, held
    finally:
        os.close(guard)


def _remove_if_abandoned(folder: Path) -> None:
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(held)

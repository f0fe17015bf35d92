"""A real small disk that a test fills, frees and makes read-only."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_PIECE = bytes(1 << 16)


@dataclass(frozen=True)
class Disk:
    """A file system in memory of a few megabytes."""

    folder: Path

    def fill(self) -> None:
        """To the last byte."""
        with (self.folder / ".ballast").open("ab", buffering=0) as ballast:
            for size in (len(_PIECE), 4096, 1):
                try:
                    while True:
                        ballast.write(_PIECE[:size])
                except OSError:
                    continue

    def free(self) -> None:
        (self.folder / ".ballast").unlink(missing_ok=True)

    def remount(self, how: str) -> None:
        """``ro`` or ``rw``."""
        subprocess.run(["mount", "-o", f"remount,{how}", str(self.folder)], check=True)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Disk]:
    """Mounted as long as the test runs; it needs root, which CI has."""
    folder.mkdir(parents=True, exist_ok=True)
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    mounted = subprocess.run(mounting, capture_output=True, text=True, check=False)
    if mounted.returncode:
        reason = f"no small disk: mounting one needs root ({mounted.stderr.strip()})"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)

"""Folders of this machine: there, writable, durable, with room."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from service.settings import Settings
from storage.check import Finding

MIB = 1024 * 1024
_LITTLE_MIB = 1024
_NOTHING_MIB = 64


def check(settings: Settings) -> Iterator[Finding]:
    """The data folder and the scratch folder."""
    yield from check_folder("folders", "data folder", settings.folder, "LUPUS_DATA")
    yield from check_folder(
        "folders", "scratch folder", settings.scratch_folder, "LUPUS_SCRATCH (or LUPUS_DATA)"
    )


def check_folder(part: str, name: str, folder: Path, setting: str) -> Iterator[Finding]:
    """Whether files can be written here so that they survive a power cut, and how many."""
    place = _nearest(folder)
    if not place.is_dir():
        yield Finding(part, name, "failed", f"{place} is a file", f"let {setting} name a folder")
        return
    try:
        _write(place)
    except OSError as error:
        told = f"{place} cannot be written: {error.strerror}"
        advice = f"give this user (uid {os.getuid()}) the right, or set {setting} to another folder"
        yield Finding(part, name, "failed", told, advice)
        return
    made = "" if place == folder else " (it will be made)"
    yield Finding(part, name, "ok", f"{folder} can be written and synced{made}")
    yield _space(part, name, place)


def _nearest(folder: Path) -> Path:
    """The folder itself, or the first above it that is there."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _write(folder: Path) -> None:
    with tempfile.NamedTemporaryFile(prefix=".lupus-doctor-", dir=folder) as file:
        file.write(b"x" * 4096)
        file.flush()
        os.fsync(file.fileno())


def _space(part: str, name: str, folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free // MIB
    told = f"{free:,} MiB free at {folder}"
    if free < _NOTHING_MIB:
        return Finding(part, f"{name}, room", "failed", told, "make room")
    if free < _LITTLE_MIB:
        return Finding(part, f"{name}, room", "warning", told, "make room before it is used up")
    return Finding(part, f"{name}, room", "ok", told)

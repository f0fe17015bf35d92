"""Local copies of objects: fetched once, kept while there is room, shared by processes.

A copy's name says whose it is and which version (the server's etag), so an overwritten object is
fetched again and an old copy is never taken for a new one. A copy is written under a temporary
name first; of two processes that fetch the same, the second one's takes the place of an equal.
"""

import contextlib
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import obstore

from storage.errors import UnreachableError
from storage.s3.store import BucketStore
from storage.translation import system_errors

if TYPE_CHECKING:
    from obstore import ObjectMeta

FOLDER = "object-copies"
GIB = 1 << 30
# Who was given a path opens it soon; from then on its content stays, even without a name.
IN_USE_SECONDS = 900.0
_PIECE_BYTES = 4 << 20
# Looking through all copies is worth it only now and then.
_LOOK_AFTER_BYTES = 256 << 20


def version_of(meta: "ObjectMeta") -> str:
    """What tells an object's versions apart, in letters that a name may have."""
    version = meta["e_tag"] or f"{meta['last_modified'].timestamp()}-{meta['size']}"
    return re.sub(r"[^A-Za-z0-9-]", "", version)


@dataclass(frozen=True)
class Copy:
    """Where a copy is and of which version."""

    path: Path
    version: str


class Copies:
    """Copies of the objects of one bucket in the scratch folder, at most ``most_bytes``.

    Copies that were asked for in the last quarter of an hour are kept even beyond that.
    """

    def __init__(
        self, store: BucketStore, where: str, scratch: Path | None, most_bytes: int = 4 * GIB
    ) -> None:
        self._store = store
        self._where = where
        self._folder = (scratch or Path(tempfile.gettempdir())) / FOLDER
        self._most_bytes = most_bytes
        self._fetched_bytes = _LOOK_AFTER_BYTES  # what others left is looked through at first

    def path(self, name: str) -> Path:
        """A copy of an object as it is now.

        FileNotFoundError and the errors of obstore are the caller's to translate.
        """
        return self.copy(name, obstore.head(self._store, name)).path

    def copy(self, name: str, meta: "ObjectMeta") -> "Copy":
        """A copy of an object as a listing has seen it, or as it has become since then."""
        place = self._place(name, meta)
        with system_errors(f"copy of object {name}"):
            try:
                os.utime(place)
                return Copy(place, version_of(meta))
            except FileNotFoundError:
                pass
        return self._fetch(name)

    def _fetch(self, name: str) -> "Copy":
        found = obstore.get(self._store, name)
        meta = found.meta
        self._make_room(meta["size"])
        with system_errors(f"copy of object {name}"):
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(prefix=".", dir=self._folder)
            try:
                written = 0
                with os.fdopen(descriptor, "wb") as file:
                    for piece in found.stream(min_chunk_size=_PIECE_BYTES):
                        written += file.write(piece)
                if written != meta["size"]:
                    raise UnreachableError(f"object {name}: {written} of {meta['size']} bytes came")
                place = self._place(name, meta)
                Path(temporary).replace(place)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        self._fetched_bytes += written
        return Copy(place, version_of(meta))

    def _place(self, name: str, meta: "ObjectMeta") -> Path:
        owner = hashlib.sha256(f"{self._where}\n{name}".encode()).hexdigest()[:32]
        return self._folder / f"{owner}-{version_of(meta)}"

    def _make_room(self, coming: int) -> None:
        if self._fetched_bytes + coming < _LOOK_AFTER_BYTES:
            return
        self._fetched_bytes = 0
        now = time.time()  # file systems date by this clock too
        copies = sorted(_seen(self._folder))
        size = sum(each[1] for each in copies) + coming
        for used, bytes_, path in copies:
            old_temporary = path.name.startswith(".") and used < now - 24 * 3600
            if size <= self._most_bytes and not old_temporary:
                continue
            if used < now - IN_USE_SECONDS:
                path.unlink(missing_ok=True)
                size -= bytes_


def _seen(folder: Path) -> Iterator[tuple[float, int, Path]]:
    with contextlib.suppress(FileNotFoundError):
        for path in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                yield status.st_mtime, status.st_size, path

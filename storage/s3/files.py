"""Files in a bucket, whatever their names, and local snapshots of some of them."""

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import obstore

from storage.s3.objects import DELETED_AT_ONCE, S3Objects
from storage.scratch import own_folder
from storage.settings import S3Settings
from storage.translation import system_errors

if TYPE_CHECKING:
    from obstore import ObjectMeta

# A small file waits for the network, not for the processor.
AT_ONCE = 16
_SCRATCH_PREFIX = "lupus-s3-"


class Snapshot:
    """Some files as they were together, under their own names below a folder of this process.

    They are links to the copies, so nobody's tidying takes them away while they are read.
    """

    def __init__(self, folder: Path, versions: Mapping[str, str]) -> None:
        self.folder = folder
        self.versions = versions  # of each name
        self.close = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)


class BucketFiles(S3Objects):
    """Listing, reading and writing of whole files; names are the caller's to check."""

    def __init__(self, url: str, settings: S3Settings, scratch: Path | None = None) -> None:
        super().__init__(url, settings, scratch)
        self._scratch = scratch or Path(tempfile.gettempdir())
        self._own: tuple[Path, int] | None = None

    def listed(self, folder: str, after: str = "", last: str = "") -> list["ObjectMeta"]:
        """The files below a folder in order: names after ``after``, up to those below ``last``."""
        return self._asked(folder, lambda: list(self._listing(folder, after, last)))

    def _listing(self, folder: str, after: str, last: str) -> Iterator["ObjectMeta"]:
        listing = obstore.list(self._store, folder or None, offset=after or None, chunk_size=1000)
        for batch in listing:
            for entry in batch:
                if last and entry["path"] > last and not entry["path"].startswith(f"{last}/"):
                    return
                yield entry

    def snapshot(self, files: Sequence["ObjectMeta"]) -> Snapshot:
        """Local files with the content of these, several fetched at once."""
        folder = self.own_folder()
        versions: dict[str, str] = {}

        def fetch(meta: "ObjectMeta") -> None:
            name = meta["path"]
            place = folder / name
            with system_errors(f"copy of object {name}"):
                place.parent.mkdir(parents=True, exist_ok=True)
                copy = self._asked(name, lambda: self._copies.copy(name, meta))
                try:
                    os.link(copy.path, place)
                except FileNotFoundError:  # tidied up by a process that had looked before us
                    copy = self._asked(name, lambda: self._copies.copy(name, meta))
                    os.link(copy.path, place)
            versions[name] = copy.version

        snapshot = Snapshot(folder, versions)
        try:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(fetch, files))
        except BaseException:
            snapshot.close()
            raise
        return snapshot

    def upload(self, root: Path, paths: Iterable[Path]) -> None:
        """Write local files under their names below ``root``: each of them whole or not at all."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda path: self.put_file(str(path.relative_to(root)), path), paths))

    def mark(self, names: Iterable[str]) -> None:
        """Write empty files."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self._mark, names))

    def _mark(self, name: str) -> None:
        put = partial(obstore.put, self._store, name, b"", mode="overwrite", use_multipart=False)
        self._asked(name, put)

    def delete(self, names: Sequence[str]) -> None:
        """Remove files; absent ones are fine."""
        for first in range(0, len(names), DELETED_AT_ONCE):
            some = names[first : first + DELETED_AT_ONCE]
            self._asked(some[0], partial(obstore.delete, self._store, some))

    def own_folder(self) -> Path:
        """A new folder below one that a later process removes when this one is killed."""
        with system_errors(f"scratch folder {self._scratch}"):
            if self._own is None:
                self._own = own_folder(self._scratch, _SCRATCH_PREFIX)
            return Path(tempfile.mkdtemp(dir=self._own[0]))

    def close(self) -> None:
        """Remove what lies in the scratch folder, but for the copies."""
        if self._own is not None:
            shutil.rmtree(self._own[0], ignore_errors=True)
            os.close(self._own[1])
            self._own = None

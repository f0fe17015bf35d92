"""Objects in whatever obstore opens: what a folder and a bucket do in the same way."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import obstore
from obstore.store import AzureStore, GCSStore, LocalStore, S3Store

from storage.errors import NotFoundError
from storage.object_errors import object_errors
from storage.object_names import checked_name, checked_prefix
from storage.translation import system_errors

ObjectStore = LocalStore | S3Store | GCSStore | AzureStore
T = TypeVar("T")


class StoredObjects:
    """Objects of one store; children say how a listing begins, and how many are deleted."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def _asked(self, name: str, ask: Callable[[], T]) -> T:
        """The answer to one call, its errors translated; children may ask again."""
        with object_errors(name):
            return ask()

    def put(self, name: str, data: bytes) -> None:
        """Write or overwrite, atomically."""
        checked_name(name)
        self._asked(
            name,
            lambda: obstore.put(self._store, name, data, mode="overwrite", use_multipart=False),
        )

    def create(self, name: str, data: bytes) -> None:
        """Write only if absent, atomically; ExistsError when it is there already."""
        checked_name(name)
        self._asked(
            name, lambda: obstore.put(self._store, name, data, mode="create", use_multipart=False)
        )

    def put_file(self, name: str, path: Path) -> None:
        """Upload a local file, atomically and in parts when it is large."""
        checked_name(name)

        def upload() -> None:
            with system_errors(f"file {path.name}"), path.open("rb") as file:
                obstore.put(self._store, name, file, mode="overwrite")

        self._asked(name, upload)

    def get(self, name: str) -> bytes:
        """Read whole; NotFoundError when absent."""
        checked_name(name)
        return self._asked(name, lambda: bytes(obstore.get(self._store, name).bytes()))

    def get_or_none(self, name: str) -> bytes | None:
        """Read whole, or None when absent."""
        try:
            return self.get(name)
        except NotFoundError:
            return None

    def names(self, prefix: str) -> Iterator[str]:
        """Names that begin with the prefix, in order."""
        folder = checked_prefix(prefix).rpartition("/")[0]
        found = self._asked(prefix or "/", lambda: self._listed(folder))
        return iter(sorted(name for name in found if name.startswith(prefix)))

    def _listed(self, folder: str) -> list[str]:
        return [
            entry["path"]
            for batch in obstore.list(self._store, folder or None, chunk_size=1000)
            for entry in batch
        ]

"""Objects in a bucket: the production implementation of `storage.objects`."""

import contextlib
import os
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import obstore
from obstore.store import S3Store

from storage.errors import ExistsError, InvalidError, RefusedError, StorageError, UnreachableError
from storage.object_names import checked_name
from storage.objects import Objects, SignedPut
from storage.s3.copies import Copies
from storage.s3.store import SECRET_LIFE, BucketStore, open_store, place_of
from storage.settings import S3Settings
from storage.stored_objects import StoredObjects

T = TypeVar("T")
# So many names one request may delete.
DELETED_AT_ONCE = 1000


class S3Objects(StoredObjects):
    """Objects of a bucket below a prefix, with local copies where a path is asked for."""

    _store: BucketStore

    def __init__(self, url: str, settings: S3Settings, scratch: Path | None = None) -> None:
        store = open_store(url, settings)
        super().__init__(store)
        self._rotates = settings.secret_access_key.file is not None
        self._copies = Copies(store, f"{settings.endpoint} {place_of('objects', url)}", scratch)

    def _asked(self, name: str, ask: Callable[[], T]) -> T:
        try:
            return super()._asked(name, ask)
        except RefusedError:
            if not self._rotates:
                raise
        # The secret may have been changed a moment ago: by then the file is read again.
        time.sleep(2 * SECRET_LIFE.total_seconds())
        return super()._asked(name, ask)

    def create(self, name: str, data: bytes) -> None:
        """Write only if absent, atomically; ExistsError when it is there already.

        Also when it was this very call that wrote it, and only its answer was lost.
        """
        try:
            super().create(name, data)
        except UnreachableError:
            super().create(name, data)

    def local_path(self, name: str) -> Path:
        """A local copy."""
        checked_name(name)
        return self._asked(name, lambda: self._copies.path(name))

    def delete_prefix(self, prefix: str) -> int:
        """Remove everything below; returns how many."""
        names = list(self.names(prefix))
        for first in range(0, len(names), DELETED_AT_ONCE):
            some = names[first : first + DELETED_AT_ONCE]
            self._asked(prefix, partial(obstore.delete, self._store, some))
        return len(names)

    def size(self, name: str) -> int:
        """Bytes of an object; NotFoundError when absent."""
        checked_name(name)
        return self._asked(name, lambda: obstore.head(self._store, name)["size"])

    def copy(self, name: str, to: str) -> None:
        """Copy an object within the bucket, atomically; the server does it."""
        checked_name(to)
        self._asked(name, lambda: obstore.copy(self._store, checked_name(name), to))

    def sign_put(self, name: str, life: timedelta) -> SignedPut:
        """A request with which somebody else may write one object that is absent."""
        checked_name(name)
        store = self._store
        if not isinstance(store, S3Store):
            raise InvalidError("presigned uploads: only s3:// objects have them")
        url = self._asked(name, lambda: obstore.sign(store, "PUT", name, life))
        return SignedPut(url, {"If-None-Match": "*"})


def check_conditional_puts(objects: Objects) -> None:
    """Create one name twice: without a refusal of the second, commits would not be safe.

    Raises
    ------
    InvalidError
        The server does not honour conditional puts.
    """
    folder = f"probe/{os.urandom(8).hex()}/"
    try:
        objects.create(f"{folder}once", b"first")
        objects.create(f"{folder}once", b"second")
    except ExistsError:
        return
    finally:
        with contextlib.suppress(StorageError):
            objects.delete_prefix(folder)
    raise InvalidError(
        "LUPUS_OBJECTS: this server does not honour conditional puts (If-None-Match), on which "
        "commits rely: it wrote one name twice. Use a server that does, as S3 itself, or a newer "
        "release of this one"
    )

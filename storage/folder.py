"""Objects in a folder, through obstore: the embedded implementation of `storage.objects`."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError
from obstore.store import LocalStore

from storage.errors import ExistsError, InvalidError, NotFoundError, RefusedError, StorageError
from storage.translation import from_number, system_errors

# Plain enough to be the same name in a folder, in S3 and in a log line.
_SEGMENT = r"[A-Za-z0-9_=-][A-Za-z0-9._=-]*"
_NAME = re.compile(rf"{_SEGMENT}(/{_SEGMENT})*")
_PREFIX = re.compile(rf"(({_SEGMENT}/)*({_SEGMENT})?)")
_OS_ERROR = re.compile(r"\(os error (\d+)\)")


class FolderObjects:
    """Files below one folder.

    A write goes to a temporary name beside its place and is then linked or renamed, so a reader
    sees all of it or nothing; a killed writer leaves a temporary name that no listing shows.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        with system_errors(f"objects folder {root}"):
            root.mkdir(parents=True, exist_ok=True)
        self._store = LocalStore(root)

    def put(self, name: str, data: bytes) -> None:
        """Write or overwrite, atomically."""
        with _translated(_checked(name)):
            obstore.put(self._store, name, data, mode="overwrite", use_multipart=False)

    def create(self, name: str, data: bytes) -> None:
        """Write only if absent, atomically; ExistsError when it is there already."""
        with _translated(_checked(name)):
            obstore.put(self._store, name, data, mode="create", use_multipart=False)

    def put_file(self, name: str, path: Path) -> None:
        """Upload a local file, atomically."""
        with (
            _translated(_checked(name)),
            system_errors(f"file {path.name}"),
            path.open("rb") as file,
        ):
            obstore.put(self._store, name, file, mode="overwrite")

    def get(self, name: str) -> bytes:
        """Read whole; NotFoundError when absent."""
        with _translated(_checked(name)):
            return bytes(obstore.get(self._store, name).bytes())

    def get_or_none(self, name: str) -> bytes | None:
        """Read whole, or None when absent."""
        try:
            return self.get(name)
        except NotFoundError:
            return None

    def local_path(self, name: str) -> Path:
        """The file itself."""
        path = self._root / _checked(name)
        if not path.is_file():
            raise NotFoundError(f"object {name}: does not exist")
        return path

    def names(self, prefix: str) -> Iterator[str]:
        """Names that begin with the prefix, in order."""
        if not _PREFIX.fullmatch(prefix):
            raise _bad_name(prefix)
        folder = prefix.rpartition("/")[0]
        found: list[str] = []
        if not folder or (self._root / folder).is_dir():
            with _translated(prefix or "/"):
                for batch in obstore.list(self._store, folder or None, chunk_size=1000):
                    found.extend(entry["path"] for entry in batch)
        return iter(sorted(name for name in found if name.startswith(prefix)))

    def delete_prefix(self, prefix: str) -> int:
        """Remove everything below; returns how many."""
        removed = 0
        for name in self.names(prefix):
            try:
                with _translated(name):
                    obstore.delete(self._store, name)
            except NotFoundError:
                continue  # somebody else removed it first
            removed += 1
        if prefix.endswith("/"):
            # What is left are empty folders and temporary names of killed writers.
            shutil.rmtree(self._root / prefix, ignore_errors=True)
        return removed


def _bad_name(name: str) -> InvalidError:
    return InvalidError(
        f"object name {name!r}: allowed are parts of A-Z a-z 0-9 . _ = - that do not begin "
        "with a dot, joined by single slashes"
    )


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise _bad_name(name)
    return name


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NotFoundError(f"object {name}: does not exist") from error
    except AlreadyExistsError as error:
        raise ExistsError(f"object {name}: exists already") from error
    except PermissionDeniedError as error:
        raise RefusedError(f"object {name}: permission denied") from error
    except BaseError as error:
        raise _generic(name, error) from error


def _generic(name: str, error: BaseError) -> StorageError:
    first_line = str(error).partition("\n")[0]
    number = _OS_ERROR.search(first_line)
    cause = first_line.rpartition(": ")[2]
    return from_number(int(number[1]) if number else None, f"object {name}: {cause}")

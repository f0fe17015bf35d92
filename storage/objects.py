"""The objects' seam: small files by name, with an atomic create."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol, runtime_checkable


class Objects(Protocol):
    """Files below one root; names are relative, with ``/``."""

    def put(self, name: str, data: bytes) -> None:
        """Write or overwrite, atomically."""
        ...

    def create(self, name: str, data: bytes) -> None:
        """Write only if absent, atomically; ExistsError when it is there already."""
        ...

    def put_file(self, name: str, path: Path) -> None:
        """Upload a local file, atomically."""
        ...

    def get(self, name: str) -> bytes:
        """Read whole; NotFoundError when absent."""
        ...

    def get_or_none(self, name: str) -> bytes | None:
        """Read whole, or None when absent."""
        ...

    def local_path(self, name: str) -> Path:
        """A local file with this object's content (the file itself, or a copy)."""
        ...

    def names(self, prefix: str) -> Iterator[str]:
        """Names that begin with the prefix, in order."""
        ...

    def delete_prefix(self, prefix: str) -> int:
        """Remove everything below; returns how many."""
        ...


@dataclass(frozen=True)
class SignedPut:
    """A request that writes one new object without credentials, as long as it is valid."""

    url: str
    headers: Mapping[str, str]
    method: str = "PUT"


@runtime_checkable
class UploadableObjects(Protocol):
    """What objects offer besides, where somebody else may write to them directly."""

    def sign_put(self, name: str, life: timedelta) -> SignedPut:
        """A request with which somebody else may write one object that is absent."""
        ...

    def size(self, name: str) -> int:
        """Bytes of an object; NotFoundError when absent."""
        ...

    def copy(self, name: str, to: str) -> None:
        """Copy an object within the store, atomically."""
        ...

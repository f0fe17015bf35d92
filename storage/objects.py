"""The objects' seam: small files by name, with an atomic create."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol


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

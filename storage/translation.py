"""What the operating system says, in the words of :mod:`storage.errors`."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from storage.errors import (
    BusyError,
    ExistsError,
    FullError,
    NotFoundError,
    RefusedError,
    StorageError,
    UnreachableError,
)

_BY_NUMBER: dict[int, type[StorageError]] = {
    errno.ENOSPC: FullError,
    errno.EDQUOT: FullError,
    errno.EFBIG: FullError,
    errno.EACCES: RefusedError,
    errno.EPERM: RefusedError,
    errno.EROFS: RefusedError,
    errno.ENOENT: NotFoundError,
    errno.ENOTDIR: NotFoundError,
    errno.EEXIST: ExistsError,
    errno.EAGAIN: BusyError,
    errno.EBUSY: BusyError,
    errno.EMFILE: BusyError,
    errno.ENFILE: BusyError,
    errno.ENOMEM: BusyError,
}


def from_number(number: int | None, message: str) -> StorageError:
    """The exception for an error number; an unknown one is worth another try (EIO, ESTALE)."""
    return _BY_NUMBER.get(number or 0, UnreachableError)(message)


@contextmanager
def system_errors(doing: str) -> Iterator[None]:
    """Turn OSError into a storage error that says what was being done."""
    try:
        yield
    except OSError as error:
        raise from_number(error.errno, f"{doing}: {error.strerror or error}") from error

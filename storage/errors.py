"""What can go wrong in a store.

StorageError                     one exception for each cause, with the store's own message
├── UnreachableError             transient: no connection, the server went away, time ran out
├── BusyError                    transient: locked or overloaded, try again
├── RefusedError                 permanent: credentials or permissions are not accepted
├── NotFoundError                permanent: a table, column, folder or object does not exist
├── CorruptError                 permanent: a file or row cannot be read as what it should be
├── FullError                    transient: no room is left; nothing of the write counts
├── InvalidError                 permanent: the request to the store makes no sense
│   └── CursorError              a cursor that no page of this search gave
└── ExistsError                  permanent: an object that must be new is there already

``transient`` is what the rooms above use to decide about a retry; nothing else does.
"""

from typing import ClassVar


class StorageError(Exception):
    """A store could not do what it was asked; the message names the store and the cause."""

    transient: ClassVar[bool] = False


class UnreachableError(StorageError):
    """The store cannot be reached, went away, or did not answer in time."""

    transient = True


class BusyError(StorageError):
    """The store is locked or overloaded."""

    transient = True


class FullError(StorageError):
    """No room is left where the store writes."""

    transient = True


class RefusedError(StorageError):
    """The store does not accept the credentials or forbids the action."""


class NotFoundError(StorageError):
    """A table, column, folder or object does not exist."""


class CorruptError(StorageError):
    """A file or a row cannot be read as what it should be."""


class InvalidError(StorageError):
    """The request to the store makes no sense."""


class CursorError(InvalidError):
    """A cursor is not one that a page of this search gave."""


class ExistsError(StorageError):
    """An object that must be created is there already."""

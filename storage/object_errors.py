"""What obstore says about a folder or a bucket, in the words of :mod:`storage.errors`."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    UnauthenticatedError,
)

from storage.errors import BusyError, ExistsError, NotFoundError, RefusedError, StorageError
from storage.translation import from_number

_OS_ERROR = re.compile(r"\(os error (\d+)\)")
_HTTP_STATUS = re.compile(r"status code: (\d{3})")
# A bucket's server says in XML what is wrong; everything else of its answer is left out.
_SAID = re.compile(r"<Code>([^<]{1,100})</Code>(?:\s*<Message>([^<]{1,300})</Message>)?")
_NO_BUCKET = "NoSuchBucket"
_BY_STATUS: dict[int, type[StorageError]] = {
    401: RefusedError,
    403: RefusedError,
    404: NotFoundError,
    408: BusyError,
    409: BusyError,
    429: BusyError,
    500: BusyError,
    502: BusyError,
    503: BusyError,
    504: BusyError,
}


@contextmanager
def object_errors(name: str) -> Iterator[None]:
    """Turn the errors of a call into storage errors that name the object."""
    try:
        yield
    except FileNotFoundError as error:
        if _NO_BUCKET in str(error):
            raise RefusedError(f"object {name}: {_cause(error)}") from error
        raise NotFoundError(f"object {name}: does not exist") from error
    except AlreadyExistsError as error:
        if _status(error) == 409:  # somebody else creates it right now: who wins is open
            raise BusyError(f"object {name}: {_cause(error)}") from error
        raise ExistsError(f"object {name}: exists already") from error
    except PermissionDeniedError as error:
        cause = _cause(error) if _SAID.search(str(error)) else "permission denied"
        raise RefusedError(f"object {name}: {cause}") from error
    except UnauthenticatedError as error:
        raise RefusedError(f"object {name}: {_cause(error)}") from error
    except BaseError as error:
        raise _generic(name, error) from error


def _generic(name: str, error: BaseError) -> StorageError:
    message = f"object {name}: {_cause(error)}"
    if _NO_BUCKET in str(error):
        return RefusedError(message)
    kind = _BY_STATUS.get(_status(error) or 0)
    if kind is not None:
        return kind(message)
    number = _OS_ERROR.search(str(error).partition("\n")[0])
    return from_number(int(number[1]) if number else None, message)


def _status(error: Exception) -> int | None:
    found = _HTTP_STATUS.search(str(error))
    return int(found[1]) if found else None


def _cause(error: Exception) -> str:
    said = _SAID.search(str(error))
    if said is not None:
        return f"{said[1]}: {said[2]}" if said[2] else said[1]
    return str(error).partition("\n")[0].rpartition(": ")[2]

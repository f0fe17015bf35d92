"""What Elasticsearch and its client say, in the words of :mod:`storage.errors`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from elastic_transport import ConnectionTimeout, SerializationError, TlsError, TransportError
from elasticsearch import ApiError, UnsupportedProductError

from storage.errors import (
    BusyError,
    CorruptError,
    FullError,
    InvalidError,
    NotFoundError,
    RefusedError,
    StorageError,
    UnreachableError,
)

MISSING_INDEX = "index_not_found_exception"
_STARTING = ("illegal_index_shard_state_exception", "no_shard_available_action_exception")
_BUSY = (408, 409, 429)  # 409: somebody else changes the same thing at once
_AWAY = (500, 502, 503, 504)
# A disk above its flood stage and an index that an operator made read-only take no writes, and a
# cluster with its maximum of shards no new month, until somebody makes room.
_FULL = ("cluster_block_exception", "maximum normal shards open", "flood-stage")


class StartingError(UnreachableError):
    """A shard is there and not ready: within seconds it will be."""


@contextmanager
def translated(shown: str) -> Iterator[None]:
    """Turn the client's errors into the room's."""
    try:
        yield
    except UnsupportedProductError:
        raise InvalidError(
            f"index {shown}: is not Elasticsearch; OpenSearch and other forks are not supported"
        ) from None
    except ApiError as error:
        raise of_answer(shown, error.status_code, error.body) from error
    except SerializationError as error:
        raise CorruptError(f"index {shown}: answers with something that is not JSON") from error
    except TlsError as error:
        raise RefusedError(
            f"index {shown}: its certificate is not accepted ({_brief(error)}); "
            "LUPUS_CA_BUNDLE names the authority to trust"
        ) from error
    except ConnectionTimeout as error:
        raise UnreachableError(f"index {shown}: did not answer in time") from error
    except TransportError as error:
        raise UnreachableError(f"index {shown}: {_brief(error)}") from error


def of_answer(shown: str, status: int, body: Any) -> StorageError:
    """The exception for an answer, or for one document of a bulk."""
    cause = cause_of(body)
    return _kind(status, cause)(f"index {shown}: {cause or f'answers {status}'}")


def of_document(shown: str, body: Any) -> StorageError:
    """The exception for a document that could not be read: it comes without a status."""
    return of_answer(shown, 403 if "security_exception" in cause_of(body) else 503, body)


def _kind(status: int, cause: str) -> type[StorageError]:
    if any(word in cause for word in _FULL):
        return FullError
    if status in (401, 403):
        return RefusedError
    if status == 404:
        return NotFoundError
    if status in _BUSY:
        return BusyError
    if status not in _AWAY:
        return InvalidError
    return StartingError if any(word in cause for word in _STARTING) else UnreachableError


def cause_of(body: Any) -> str:
    """Type and reason of an error's body, the root cause first."""
    error = body.get("error", body) if isinstance(body, Mapping) else body
    if not isinstance(error, Mapping):
        return str(error or "")[:500]
    roots = error.get("root_cause")
    inner = roots[0] if isinstance(roots, list) and roots else error
    caused = error.get("caused_by") or inner.get("caused_by") or {}
    words = [inner.get("type"), inner.get("reason"), caused.get("reason")]
    return ": ".join(str(word) for word in words if word)[:1_000]


def is_missing_index(error: ApiError) -> bool:
    """Whether an index or alias is not there, which means that it holds nothing."""
    return error.status_code == 404 and MISSING_INDEX in cause_of(error.body)


def _brief(error: TransportError) -> str:
    # The message alone: str() lists every attempt.
    return str(error.message)[:300]

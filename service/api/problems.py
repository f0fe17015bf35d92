"""Problem documents (RFC 9457): the one place that turns an exception into a status.

``errors`` names each field at fault: ``pointer`` into the body (RFC 6901) or ``parameter`` of the
query, and says what is allowed.
"""

import errno
import math
from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from detectors.errors import DetectorError, ParameterError
from service import errors as service_errors
from service.api.errors import MediaTypeError, QueryError
from service.api.pointer import escape, pointer_to
from storage import errors as storage_errors
from workflows import errors as workflow_errors

MEDIA_TYPE = "application/problem+json"
_log = structlog.get_logger(__name__)

# Nearest class wins. The slug becomes the problem's type.
STATUS: dict[type[Exception], tuple[int, str]] = {
    service_errors.RequestError: (422, "invalid-request"),
    service_errors.KeyReusedError: (422, "idempotency-key-reused"),
    service_errors.UnauthenticatedError: (401, "unauthenticated"),
    service_errors.ForbiddenError: (403, "forbidden"),
    service_errors.UnknownError: (404, "unknown"),
    service_errors.ConflictError: (409, "conflict"),
    service_errors.TooLargeError: (413, "too-large"),
    service_errors.LimitError: (429, "limit"),
    service_errors.EgressError: (422, "destination-refused"),
    service_errors.DatabaseBusyError: (503, "busy"),
    service_errors.DatabaseFullError: (507, "database-full"),
    service_errors.DatabaseError: (503, "database"),
    MediaTypeError: (415, "unsupported-media-type"),
    workflow_errors.BadRequestError: (422, "invalid-request"),
    workflow_errors.IngestRejectedError: (422, "invalid-points"),
    workflow_errors.AlreadyPublishedError: (409, "conflict"),
    storage_errors.InvalidError: (422, "invalid-request"),
    storage_errors.NotFoundError: (422, "not-found-in-store"),
    storage_errors.UnreachableError: (503, "store-unreachable"),
    storage_errors.BusyError: (503, "store-busy"),
    storage_errors.FullError: (507, "store-full"),
    storage_errors.StorageError: (502, "store"),
    DetectorError: (422, "invalid-request"),
}
_TITLES = {
    400: "Bad request",
    401: "A token is needed",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    415: "Media type not taken",
    422: "The request cannot be carried out as it is",
    429: "Too much at once",
    500: "An error in the service",
    502: "A store failed",
    503: "Not available at the moment",
    507: "No room is left",
}
# Room is made by people or by retention: it takes longer than a lock.
_RETRY_SECONDS = {503: 5, 507: 60}
_LONGEST_TEXT = 900
# Where the schema speaks of Python and the caller writes JSON.
_WORDS = {"dict_type": "Input should be an object"}


class FieldProblem(BaseModel):
    """One field at fault."""

    detail: str = Field(description="What is wrong and what is allowed.")
    pointer: str | None = Field(default=None, description="JSON pointer into the body.")
    parameter: str | None = Field(default=None, description="Name of a query parameter or header.")


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = Field(default_factory=list)


def problem(
    status: int,
    slug: str,
    detail: str,
    errors: Sequence[FieldProblem] = (),
    headers: dict[str, str] | None = None,
    **more: Any,
) -> JSONResponse:
    """The answer that refuses a request."""
    content: dict[str, Any] = {
        "type": f"urn:lupus:problem:{slug}",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "detail": _short(detail),
        **more,
    }
    if errors:
        content["errors"] = [
            {name: _short(text) for name, text in error.model_dump(exclude_none=True).items()}
            for error in errors
        ]
    return JSONResponse(content, status, headers, media_type=MEDIA_TYPE)


def _short(text: str) -> str:
    """What was sent comes first in a message and may be long, what is allowed comes last."""
    if len(text) <= _LONGEST_TEXT:
        return text
    return f"{text[: _LONGEST_TEXT // 3]} ... {text[-_LONGEST_TEXT * 2 // 3 :]}"


def known(error: Exception) -> tuple[int, str] | None:
    """Status and slug of an exception of ours; None for a defect."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return 507, "store-full"  # of the scratch folder; stores have an error of their own
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return None


def from_exception(error: Exception) -> JSONResponse:
    """The problem document of any exception."""
    found = known(error)
    if found is None:
        _log.error("defect", exc_info=error)
        return problem(500, "defect", "the service has a defect; its log says more")
    status, slug = found
    if status >= 500:
        _log.warning("unavailable", kind=type(error).__name__, reason=str(error))
    return problem(status, slug, str(error), _fields(error), _headers(error, status))


def _fields(error: Exception) -> list[FieldProblem]:
    if isinstance(error, QueryError):
        return [FieldProblem(parameter=error.parameter, detail=error.message)]
    if isinstance(error, storage_errors.CursorError):
        return [FieldProblem(parameter="cursor", detail=str(error))]
    if isinstance(error, ParameterError):
        pointer = f"/detector/{escape(error.field)}"
        return [FieldProblem(pointer=pointer, detail=error.message)]
    if isinstance(error, workflow_errors.IngestRejectedError):
        return [FieldProblem(detail=f"{one.column} {one.row}: {one.message}") for one in error.rows]
    pointer = getattr(error, "pointer", "")
    return [FieldProblem(pointer=pointer, detail=str(error))] if pointer else []


def _headers(error: Exception, status: int) -> dict[str, str] | None:
    if isinstance(error, service_errors.LimitError):
        return {"Retry-After": str(math.ceil(error.retry_after_seconds))}
    if status == 401:
        return {"WWW-Authenticate": 'Bearer realm="lupus"'}
    if status == 415:
        return {"Accept-Encoding": "gzip, identity"}
    seconds = _RETRY_SECONDS.get(status)
    return {"Retry-After": str(seconds)} if seconds else None


def from_validation(error: RequestValidationError, body: Any) -> JSONResponse:
    """Every field that a schema refused."""
    fields = [_schema_field(one, body) for one in error.errors()]
    unique = list({(f.pointer, f.parameter, f.detail): f for f in fields}.values())
    first = unique[0]
    where = first.parameter or first.pointer or "the body"
    return problem(422, "invalid-request", f"{where}: {first.detail}", unique)


def _schema_field(one: dict[str, Any], body: Any) -> FieldProblem:
    place, *path = one["loc"]
    if place != "body":
        name = str(path[0]) if path else str(place)
        return FieldProblem(parameter=name, detail=one["msg"])
    if one["type"] == "union_tag_not_found":
        return FieldProblem(pointer=f"{pointer_to(path, body)}/kind", detail="Field required")
    if one["type"] == "union_tag_invalid":
        pointer = f"{pointer_to(path, body)}/kind"
        return FieldProblem(pointer=pointer, detail=f"allowed are {one['ctx']['expected_tags']}")
    return FieldProblem(
        pointer=pointer_to(path, body, one["type"] == "missing"),
        detail=_WORDS.get(one["type"]) or one["msg"].removeprefix("Value error, "),
    )


def add_problem_handlers(app: FastAPI) -> None:
    """Make every refusal of the application a problem document."""

    async def ours(_: Request, error: Exception) -> JSONResponse:
        return from_exception(error)

    async def schema(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return from_validation(error, getattr(request.state, "body", None))

    async def http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        slug = {404: "unknown", 405: "method-not-allowed"}.get(error.status_code, "http")
        return problem(
            error.status_code, slug, str(error.detail), headers=dict(error.headers or {})
        )

    for kind in (
        service_errors.ServiceError,
        storage_errors.StorageError,
        workflow_errors.WorkflowError,
        DetectorError,
        OSError,
        Exception,
    ):
        app.add_exception_handler(kind, ours)
    app.add_exception_handler(RequestValidationError, schema)
    app.add_exception_handler(HTTPException, http)

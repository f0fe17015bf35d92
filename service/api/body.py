"""JSON bodies: strict, bounded, and with errors that say what is allowed."""

import difflib
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError
from starlette.types import Message, Receive

from service.api.errors import MediaTypeError, QueryError
from service.api.strict_json import read_json
from service.errors import TooLargeError


def check_kept(text: str) -> str:
    """Refuse what PostgreSQL keeps in no text."""
    if "\0" in text:
        raise ValueError("allowed are all characters but NUL")
    return text


class Body(BaseModel):
    """A body whose unknown fields are refused with the names that are known."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, strict=True, validate_default=False
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_fields(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        known = {field.alias or name for name, field in cls.model_fields.items()}
        unknown = [name for name in given if name not in known]
        if unknown:
            errors = [_unknown(str(name), sorted(known), given[name]) for name in unknown]
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return given


def _unknown(name: str, known: list[str], value: object) -> InitErrorDetails:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return InitErrorDetails(
        type=PydanticCustomError(
            "unknown_field",
            "unknown field{hint} Allowed are {allowed}",
            {"hint": hint or ".", "allowed": ", ".join(known)},
        ),
        loc=(name,),
        input=value,
    )


class StrictRequest(Request):
    """A request whose JSON was read before, strictly."""

    async def json(self) -> Any:
        return self.state.body


class StrictRoute(APIRoute):
    """A route that takes no unknown query parameter, and as body only JSON within the limit."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        known = sorted(_query_parameters(self.dependant))

        async def strict(request: Request) -> Response:
            for name in request.query_params:
                if name not in known:
                    allowed = ", ".join(known) or "none"
                    raise QueryError(name, f"unknown parameter. Allowed are {allowed}")
            for name, value in request.query_params.multi_items():
                if "\0" in value:
                    raise QueryError(name, "NUL: allowed are all characters but NUL")
            if self.body_field is not None:
                settings = request.app.state.resources.settings
                await _read(request, settings.max_request_kb)
            early = await self.answer_early(request)
            if early is not None:
                return early
            return await handler(StrictRequest(request.scope, _replay(request)))

        return strict

    async def answer_early(self, request: Request) -> Response | None:
        """An answer that needs no look at the fields of the body; None: look at them."""
        return None


def _query_parameters(dependant: Dependant) -> Iterator[str]:
    """Names that a route takes, by itself or by what it depends on."""
    for parameter in dependant.query_params:
        yield parameter.alias
    for inner in dependant.dependencies:
        yield from _query_parameters(inner)


async def _read(request: Request, limit_kb: int) -> None:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit_kb * 1024:
            raise TooLargeError(
                f"the body is larger than {limit_kb} KiB, the limit here (LUPUS_MAX_REQUEST_KB)"
            )
    request.state.raw_body = bytes(body)
    request.state.body = None
    if not body:
        return
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise MediaTypeError(
            f"Content-Type {media or 'is missing'}: allowed here is application/json"
        )
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise MediaTypeError(f"Content-Encoding {encoding}: allowed here is identity")
    request.state.body = read_json(bytes(body))


def _replay(request: Request) -> Receive:
    """The body once more, for the framework; then what else the caller does, such as leaving."""
    body = getattr(request.state, "raw_body", None)
    if body is None:
        return request.receive
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else await request.receive()

    return receive

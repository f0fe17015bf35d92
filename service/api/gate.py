"""Every request passes here: it gets an id, a caller, a log line and its place in the metrics.

The caller is decided before a route is entered, so nobody unknown has a body read.
"""

import re
import secrets
import time
from typing import Any

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import measures
from service.api.reports import refused
from service.api.resources import Resources
from service.auth.credentials import Credentials
from service.auth.ways import who
from service.errors import DatabaseError, UnauthenticatedError

_log = structlog.get_logger("service.http")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_OPEN = ("/livez", "/readyz")  # probes carry no credentials


class Gate:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = headers.get("x-request-id", "")
        if not _REQUEST_ID.fullmatch(request_id):
            request_id = secrets.token_hex(8)
        passage = _Passage(scope, send, request_id)
        with structlog.contextvars.bound_contextvars(request=request_id):
            try:
                await self._pass(scope, headers, receive, passage)
            finally:
                passage.finish()

    async def _pass(
        self, scope: Scope, headers: Headers, receive: Receive, passage: "_Passage"
    ) -> None:
        resources: Resources = scope["app"].state.resources
        if not _is_open(scope["path"], resources):
            client = scope.get("client")
            given = Credentials(
                {name.lower(): value for name, value in headers.items()},
                client[0] if client else None,
                scope["method"],
                scope["path"],
                scope["query_string"].decode("latin-1"),
            )
            try:
                caller = await run_in_threadpool(who, resources.ways, given)
            except (UnauthenticatedError, DatabaseError) as error:
                await refused(scope, headers, error)(scope, receive, passage.send)
                return
            scope.setdefault("state", {})["caller"] = caller
            passage.caller = caller.name
        await self._app(scope, receive, passage.send)


def _is_open(path: str, resources: Resources) -> bool:
    return path in _OPEN or (path == "/metrics" and resources.settings.metrics_public)


class _Passage:
    """One request on its way: what its log line and its measures will say."""

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self._scope = scope
        self._send = send
        self._id = request_id.encode()
        self._began = time.perf_counter()
        self._status = 500
        self.caller = ""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            message["headers"] = [
                *message.get("headers", []),
                (b"x-request-id", self._id),
                (b"x-content-type-options", b"nosniff"),
                (b"cache-control", b"no-store"),
            ]
        await self._send(message)

    def finish(self) -> None:
        seconds = time.perf_counter() - self._began
        route = self._route()
        measures.request(self._scope["method"], route, self._status, seconds)
        log: Any = _log.info if route.startswith("/v1") else _log.debug
        log(
            "request",
            method=self._scope["method"],
            route=route,
            status=self._status,
            ms=round(seconds * 1000, 1),
            caller=self.caller,
        )

    def _route(self) -> str:
        """The route's template: paths themselves would make endless labels."""
        return str(getattr(self._scope.get("route"), "path", "") or "unmatched")

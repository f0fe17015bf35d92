"""A small client of a running service, for the commands that talk to one."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from service.cli.exits import FAILED, UNREACHABLE, USAGE, EndedError

DEFAULT_URL = "http://127.0.0.1:8700"
_TIMEOUT_SECONDS = 180.0


def token_of_environment() -> str | None:
    """LUPUS_TOKEN, or the content of LUPUS_TOKEN_FILE."""
    if file := os.environ.get("LUPUS_TOKEN_FILE"):
        try:
            return Path(file).read_text("utf-8").strip()
        except OSError as error:
            raise EndedError(USAGE, f"LUPUS_TOKEN_FILE: {error.strerror} ({file})") from None
    return os.environ.get("LUPUS_TOKEN") or None


class Client:
    """Calls that end the command with a problem's own words."""

    def __init__(self, http: Any) -> None:
        self._http = http

    def call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        """The answer's JSON."""
        import httpx2  # noqa: PLC0415 - costs 100 ms

        try:
            answer = self._http.request(method, path, **arguments)
        except httpx2.TransportError as error:
            where = self._http.base_url
            raise EndedError(UNREACHABLE, f"{where} does not answer: {error}") from None
        if answer.is_success:
            parsed: dict[str, Any] = answer.json() if answer.content else {}
            return parsed
        raise EndedError(_code(answer.status_code), _words(answer))


def _code(status: int) -> int:
    return USAGE if status in (400, 401, 403, 404, 409, 413, 415, 422) else FAILED


def _words(answer: Any) -> str:
    try:
        problem = answer.json()
        lines = [str(problem["detail"])]
        for error in problem.get("errors", ())[:10]:
            place = error.get("pointer") or error.get("parameter") or ""
            lines.append(f"  {place}: {error['detail']}")
    except (ValueError, KeyError, TypeError):
        return f"the service answered {answer.status_code}"
    return "\n".join(lines)


def _trusted() -> ssl.SSLContext | bool:
    bundle = os.environ.get("LUPUS_CA_BUNDLE")
    try:
        return ssl.create_default_context(cafile=bundle) if bundle else True
    except OSError as error:
        told = "holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise EndedError(USAGE, f"LUPUS_CA_BUNDLE: {told} ({bundle})") from None


@contextmanager
def open_client(url: str | None) -> Iterator[Client]:
    """A client of the service at ``url``, else LUPUS_URL, else this machine's."""
    import httpx2  # noqa: PLC0415

    token = token_of_environment()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    base = url or os.environ.get("LUPUS_URL") or DEFAULT_URL
    with httpx2.Client(
        base_url=base,
        headers=headers,
        timeout=_TIMEOUT_SECONDS,
        verify=_trusted(),
    ) as http:
        yield Client(http)

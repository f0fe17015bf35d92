"""A small client of a running service, for the commands that talk to one.

What can be asked twice is asked again while the service is away: GET, and what carries an
Idempotency-Key or may be repeated by its nature, such as a cancel.
"""

import os
import random
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from service.cli.exits import FAILED, UNREACHABLE, USAGE, EndedError
from service.cli.output import tell

DEFAULT_URL = "http://127.0.0.1:8700"
_TIMEOUT_SECONDS = 180.0
_AWAY = (502, 503, 504)  # it starts, ends, or what stands before it does not reach it
_FULL = 429
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.25, 15.0


def token_of_environment() -> str | None:
    """LUPUS_TOKEN, or the content of LUPUS_TOKEN_FILE."""
    if file := os.environ.get("LUPUS_TOKEN_FILE"):
        try:
            return for_header("LUPUS_TOKEN_FILE", Path(file).read_text("utf-8"))
        except OSError as error:
            raise EndedError(USAGE, f"LUPUS_TOKEN_FILE: {error.strerror} ({file})") from None
    return for_header("LUPUS_TOKEN", os.environ.get("LUPUS_TOKEN", "")) or None


def for_header(variable: str, secret: str) -> str:
    """A secret as a header can hold it; the HTTP client's own refusal would show it."""
    secret = secret.strip()
    if not (secret.isascii() and secret.isprintable()):
        raise EndedError(USAGE, f"{variable} holds what no header can: a line end, or no ASCII")
    return secret


class _AwayError(Exception):
    """Nothing was done, and another try may help."""

    def __init__(self, reason: str, code: int, pause_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.code = code
        self.pause_seconds = pause_seconds


class Client:
    """Calls that end the command with a problem's own words."""

    def __init__(self, http: Any, retry_seconds: float = 0.0) -> None:
        self._http = http
        self._retry_seconds = retry_seconds
        self._token = token_of_environment()

    def call(self, method: str, path: str, repeat: bool = False, **arguments: Any) -> Any:
        """The answer's JSON; with ``repeat`` asked again while the service is away."""
        give_up = time.monotonic() + self._retry_seconds
        pause, told = _FIRST_PAUSE_SECONDS, False
        while True:
            try:
                answer = self._once(method, path, arguments)
            except _AwayError as away:
                left = give_up - time.monotonic()
                if not (repeat or method == "GET") or left <= 0:
                    raise EndedError(away.code, str(away)) from None
                if not told:
                    tell(f"{away}; trying again for {self._retry_seconds:g} s")
                    told = True
                # Many who lost one service do not come back to it in the same moment.
                wished = max(away.pause_seconds, pause * random.uniform(0.5, 1.0))  # noqa: S311
                time.sleep(min(wished, left))
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            else:
                if told:
                    tell("the service answers again")
                return answer

    def _once(self, method: str, path: str, arguments: dict[str, Any]) -> Any:
        import httpx2  # noqa: PLC0415 - costs 100 ms

        try:
            answer = self._asked(method, path, arguments)
        except (httpx2.UnsupportedProtocol, httpx2.InvalidURL) as error:
            raise EndedError(USAGE, f"LUPUS_URL or --url: {error}") from None
        except httpx2.TransportError as error:
            reason = f"{self.url} does not answer: {error or type(error).__name__}"
            raise _AwayError(reason, UNREACHABLE) from None
        if answer.is_success:
            return self._parsed(answer)
        words, wait = _words(answer), _retry_after(answer)
        if answer.status_code in _AWAY:
            raise _AwayError(f"{self.url}: {words}", UNREACHABLE, wait)
        if answer.status_code == _FULL:
            raise _AwayError(words, FAILED, wait)
        raise EndedError(_code(answer.status_code), words)

    def _asked(self, method: str, path: str, arguments: dict[str, Any]) -> Any:
        answer = self._http.request(method, path, **arguments)
        if answer.status_code == 401 and (fresh := token_of_environment()) != self._token:
            self._token = fresh  # its file was rotated while this command waited
            self._http.headers["Authorization"] = f"Bearer {fresh}"
            answer = self._http.request(method, path, **arguments)
        return answer

    @property
    def url(self) -> str:
        """Where the service is, without what may be secret in it."""
        url = self._http.base_url
        return f"{url.scheme}://{url.netloc.decode()}{url.path}".rstrip("/")

    def _parsed(self, answer: Any) -> Any:
        if not answer.content:
            return {}
        if answer.request.headers["accept"] == "text/html":
            return answer.text
        try:
            return answer.json()
        except ValueError:
            raise EndedError(
                FAILED, f"{self.url} answered with something else than JSON: is that the service?"
            ) from None


def _retry_after(answer: Any) -> float:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isdecimal() else 0.0


def _code(status: int) -> int:
    return USAGE if status < 500 else FAILED


def _words(answer: Any) -> str:
    if to := answer.headers.get("location", ""):
        return f"the service answered {answer.status_code}: LUPUS_URL should lead to {to} itself"
    try:
        problem = answer.json()
        lines = [str(problem["detail"])]
        for error in problem.get("errors", ())[:10]:
            place = error.get("pointer") or error.get("parameter") or ""
            lines.append(f"  {place}: {error['detail']}")
    except (ValueError, KeyError, TypeError):
        return f"the service answered {answer.status_code}"
    return "\n".join(lines)


def trusted(variable: str) -> ssl.SSLContext | bool:
    """The authorities of the file that a variable of the environment names, else the usual ones."""
    bundle = os.environ.get(variable)
    try:
        return ssl.create_default_context(cafile=bundle) if bundle else True
    except OSError as error:
        told = "holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise EndedError(USAGE, f"{variable}: {told} ({bundle})") from None


@contextmanager
def open_client(url: str | None, retry_seconds: float = 0.0) -> Iterator[Client]:
    """A client of the service at ``url``, else LUPUS_URL, else this machine's."""
    import httpx2  # noqa: PLC0415

    token = token_of_environment()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    base = url or os.environ.get("LUPUS_URL") or DEFAULT_URL
    try:
        http = httpx2.Client(
            base_url=base,
            headers=headers,
            timeout=_TIMEOUT_SECONDS,
            verify=trusted("LUPUS_CA_BUNDLE"),
        )
    except httpx2.InvalidURL as error:
        raise EndedError(USAGE, f"LUPUS_URL or --url: {error}") from None
    with http:
        yield Client(http, retry_seconds)

"""Questions to an MLflow server: paced, repeated while it is away, bounded in what they read."""

import base64
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from service.cli.client import for_header, trusted
from service.cli.exits import FAILED, UNREACHABLE, USAGE, EndedError
from service.cli.output import tell

_MOST_BYTES = 64 * 1024 * 1024
_TIMEOUT_SECONDS = 60.0
_AGAIN = (429, 502, 503, 504)
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 15.0
_ROOT = "/api/2.0/mlflow/"

Content = Mapping[str, Any]


class _AwayError(Exception):
    """Another try may help."""

    def __init__(self, reason: str, pause_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.pause_seconds = pause_seconds


class Server:
    """An MLflow server by its REST API; every error ends the command in its own words."""

    def __init__(self, http: Any, per_second: float, retry_seconds: float) -> None:
        self._http = http
        self._gap_seconds = 1 / per_second
        self._next = 0.0
        self._retry_seconds = retry_seconds
        self.asked = 0

    @property
    def url(self) -> str:
        """Where it is, without what may be secret in it."""
        url = self._http.base_url
        host = f"[{url.host}]" if ":" in url.host else url.host
        port = f":{url.port}" if url.port else ""
        return f"{url.scheme}://{host}{port}{url.path}".rstrip("/")

    def get(self, path: str, **query: Any) -> Content:
        """The answer to a question by GET."""
        return self._answered("GET", path, params=query)

    def post(self, path: str, **body: Any) -> Content:
        """The answer to a search, which is a POST and changes nothing."""
        return self._answered("POST", path, json=body)

    def pages(self, method: str, path: str, **query: Any) -> Iterator[Content]:
        """Every page of a search, one at a time."""
        ask = self.get if method == "GET" else self.post
        page = ask(path, **query)
        tokens: set[str] = set()
        while True:
            yield page
            token = page.get("next_page_token")
            if not token:
                return
            if not isinstance(token, str) or token in tokens:
                raise EndedError(FAILED, f"{self.url}: the pages of {path} do not come to an end")
            tokens.add(token)
            page = ask(path, **query, page_token=token)

    def _answered(self, method: str, path: str, **arguments: Any) -> Content:
        give_up = time.monotonic() + self._retry_seconds
        pause, told = _FIRST_PAUSE_SECONDS, False
        while True:
            try:
                return self._once(method, path, arguments)
            except _AwayError as away:
                left = give_up - time.monotonic()
                if left <= 0:
                    raise EndedError(UNREACHABLE, str(away)) from None
                if not told:
                    tell(f"{away}; trying again for {self._retry_seconds:g} s")
                    told = True
                time.sleep(min(max(pause, away.pause_seconds), left))
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def _once(self, method: str, path: str, arguments: Mapping[str, Any]) -> Content:
        import httpx2  # noqa: PLC0415 - costs 100 ms

        self._wait_for_turn()
        try:
            with self._http.stream(method, _ROOT.lstrip("/") + path, **arguments) as answer:
                return self._content(path, answer, self._read(answer))
        except (httpx2.UnsupportedProtocol, httpx2.InvalidURL) as error:
            raise EndedError(USAGE, f"MLFLOW_TRACKING_URI or --mlflow-url: {error}") from None
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise _AwayError(
                f"{self.url} does not answer: {error or type(error).__name__}"
            ) from None

    def _wait_for_turn(self) -> None:
        now = time.monotonic()
        if self._next > now:
            time.sleep(self._next - now)
        self._next = max(self._next, now) + self._gap_seconds
        self.asked += 1

    def _read(self, answer: Any) -> bytes:
        body = bytearray()
        for piece in answer.iter_bytes():
            body += piece
            if len(body) > _MOST_BYTES:
                raise EndedError(
                    FAILED,
                    f"{self.url} answered with more than 64 MiB at once: a smaller --page helps",
                )
        return bytes(body)

    def _content(self, path: str, answer: Any, body: bytes) -> Content:
        status = answer.status_code
        if status in _AGAIN:
            wait = answer.headers.get("retry-after", "")
            pause = float(wait) if wait.isdecimal() else 0.0
            raise _AwayError(f"{self.url} answered {status}", pause)
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            content = None
        if 200 <= status < 300 and isinstance(content, dict):
            return content
        raise EndedError(*self._refusal(path, status, content))

    def _refusal(self, path: str, status: int, content: Any) -> tuple[int, str]:
        if status in (401, 403):
            return USAGE, (
                f"{self.url} answered {status}: it does not let this caller in; set "
                "MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            )
        if not isinstance(content, dict) or "error_code" not in content:
            return USAGE, (
                f"{self.url} answered {status} to {_ROOT}{path}, and not as MLflow does: "
                "MLFLOW_TRACKING_URI or --mlflow-url should be where its pages are"
            )
        words = str(content.get("message", ""))[:500]
        code = FAILED if status >= 500 else USAGE
        return code, f"{self.url}: {path}: {content['error_code']}: {words}"


@contextmanager
def open_server(url: str | None, per_second: float, retry_seconds: float) -> Iterator[Server]:
    """The server at ``url``, else at MLFLOW_TRACKING_URI; access by MLflow's own variables."""
    import httpx2  # noqa: PLC0415

    base = url or os.environ.get("MLFLOW_TRACKING_URI")
    if not base:
        raise EndedError(USAGE, "say where MLflow is: MLFLOW_TRACKING_URI or --mlflow-url")
    try:
        parsed = httpx2.URL(base)
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise EndedError(
                USAGE, "MLFLOW_TRACKING_URI or --mlflow-url: allowed is http:// or https://"
            )
        http = httpx2.Client(
            base_url=parsed.copy_with(username=None, password=None),
            headers=_access(parsed.username, parsed.password),
            timeout=_TIMEOUT_SECONDS,
            verify=trusted("MLFLOW_TRACKING_SERVER_CERT_PATH"),
        )
    except httpx2.InvalidURL:
        raise EndedError(USAGE, "MLFLOW_TRACKING_URI or --mlflow-url: that is no URL") from None
    with http:
        yield Server(http, per_second, retry_seconds)


def _access(user: str, password: str) -> dict[str, str]:
    given = os.environ.get("MLFLOW_TRACKING_TOKEN", "")
    if token := for_header("MLFLOW_TRACKING_TOKEN", given):
        return {"Authorization": f"Bearer {token}"}
    user = os.environ.get("MLFLOW_TRACKING_USERNAME") or user
    password = os.environ.get("MLFLOW_TRACKING_PASSWORD") or password
    if not user:
        return {}
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}

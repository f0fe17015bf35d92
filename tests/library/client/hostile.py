"""A small proxy before the real service that loses, delays and refuses what a test says."""

import http.client
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple
from urllib.parse import urlsplit

Faults = list["Fault"]


class Fault(NamedTuple):
    """What happens to one request.

    ``lost`` drops the connection instead of an answer, after the service has heard the request;
    ``status`` answers that without asking the service; ``cut`` ends an answer in its middle.
    """

    lost: bool = False
    cut: bool = False
    status: int = 0
    headers: Mapping[str, str] = {}
    body: bytes = b"<html>no"
    delay_seconds: float = 0.0


class Heard(NamedTuple):
    """A request that came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Hostile:
    """Answers as the service does, but for its first requests, which have these faults."""

    def __init__(self, url: str) -> None:
        self.faults: Faults = []
        self.heard: list[Heard] = []
        outside = self
        target = urlsplit(url)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *arguments: object) -> None:
                return

            def _take(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outside.heard.append(Heard(self.command, self.path, dict(self.headers), body))
                fault = outside.faults.pop(0) if outside.faults else Fault()
                time.sleep(fault.delay_seconds)
                if fault.status:
                    self._say(fault.status, fault.headers, fault.body)
                    return
                there = http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)
                there.request(self.command, self.path, body, dict(self.headers))
                answer = there.getresponse()
                content, headers = answer.read(), dict(answer.headers)
                there.close()
                if fault.lost:
                    self.close_connection = True
                    return
                headers.pop("content-length", None)
                self._say(answer.status, headers, content, fault.cut)

            def _say(
                self, status: int, headers: Mapping[str, str], body: bytes, cut: bool = False
            ) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if cut else body)
                self.close_connection = self.close_connection or cut

            do_GET = do_POST = do_PUT = _take  # noqa: N815  the names that http.server calls

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> "Hostile":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

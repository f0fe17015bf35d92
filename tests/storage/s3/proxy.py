"""An HTTP proxy in front of the real S3 server that loses, delays or refuses what a test says."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)


@dataclass(frozen=True)
class Call:
    """A request as the proxy sees it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What the server said, or what the proxy says in its place."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


Forward = Callable[[Call], Answer]
# Answers a call, with the real server at hand; None drops the connection without an answer.
Rule = Callable[[Call, Forward], Answer | None]


def slow_down() -> Answer:
    """What S3 says when it is asked too much."""
    return Answer(503, [("Content-Type", "application/xml")], SLOW_DOWN)


@contextmanager
def proxy(upstream: str, rule: Rule, listen: str = "127.0.0.1") -> Iterator[str]:
    """The endpoint of a proxy in front of ``upstream``, as long as the context lasts."""
    target = urlsplit(upstream)
    assert target.hostname is not None
    host, port = target.hostname, target.port

    def forward(call: Call) -> Answer:
        connection = http.client.HTTPConnection(host, port, timeout=60)
        try:
            # The host that was signed goes along, so the signature stays true.
            connection.putrequest(call.method, call.path, skip_host=True, skip_accept_encoding=True)
            for name, value in call.headers.items():
                if name.lower() not in ("connection", "transfer-encoding"):
                    connection.putheader(name, value)
            connection.endheaders(call.body or None)
            response = connection.getresponse()
            body = response.read()
            return Answer(response.status, response.getheaders(), body)
        finally:
            connection.close()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            call = Call(self.command, self.path, dict(self.headers), self.rfile.read(length))
            answer = rule(call, forward)
            if answer is None:
                self.close_connection = True
                self.connection.close()
                return
            self.send_response_only(answer.status)
            told = {name.lower() for name, _ in answer.headers}
            for name, value in answer.headers:
                if name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            if "content-length" not in told:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)
            if ("Connection", "close") in answer.headers:
                self.close_connection = True

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A dropped connection is what tests are about."""

    server = Server((listen, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://{listen}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

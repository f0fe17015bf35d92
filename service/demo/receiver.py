"""A local receiver of webhooks that checks every signature (Standard Webhooks)."""

import base64
import hashlib
import hmac
import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """One delivery as it came in."""

    id: str
    type: str
    body: dict[str, Any]
    signed: bool


class Receiver:
    """Listens on a free port of 127.0.0.1 until closed."""

    def __init__(self, secret: str) -> None:
        self._key = base64.b64decode(secret.removeprefix("whsec_"))
        self._lock = threading.Lock()
        self._received: list[Received] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where deliveries go."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    @property
    def received(self) -> list[Received]:
        """What has come in so far, in order."""
        with self._lock:
            return list(self._received)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def signed(self, id_: str, timestamp: str, body: bytes, signatures: str) -> bool:
        """Whether one of the v1 signatures is the right one."""
        message = f"{id_}.{timestamp}.".encode() + body
        digest = base64.b64encode(hmac.new(self._key, message, hashlib.sha256).digest()).decode()
        return any(hmac.compare_digest(given, f"v1,{digest}") for given in signatures.split(" "))

    def _take(self, headers: Any, body: bytes) -> None:
        id_ = headers.get("webhook-id", "")
        signed = self.signed(
            id_, headers.get("webhook-timestamp", ""), body, headers.get("webhook-signature", "")
        )
        parsed = json.loads(body)
        with self._lock:
            self._received.append(Received(id_, str(parsed.get("type", "")), parsed, signed))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("content-length", "0"))
                receiver._take(self.headers, self.rfile.read(length))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing on standard error."""

        return Handler

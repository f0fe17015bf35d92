"""A Kubernetes API of a few lines, for what a real one does not do on command.

It keeps workflows, answers a POST with 201 as a real one does, knows metadata listings, merges
patches, and fails as its ``answers`` say: the next requests of a method get these statuses.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kubernetes import client

from workflows.argo.cluster import Cluster
from workflows.argo.names import COMPLETED

NAMESPACE = "runs"
Object = dict[str, Any]


@dataclass
class Fake:
    """What the server has; tests play Argo's controller on it."""

    address: str = ""
    workflows: dict[str, Object] = field(default_factory=dict)
    pods: list[Object] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)
    answers: dict[str, list[int]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    version: int = 0
    page: str = ""  # what a proxy says instead
    log_status: int = 200

    def cluster(self) -> Cluster:
        settings = client.Configuration()
        settings.host = self.address
        settings.retries = False
        return Cluster(client.ApiClient(settings), NAMESPACE)

    def became(self, name: str, phase: str, nodes: Mapping[str, Any] | None = None) -> None:
        """The controller has written a status."""
        content = self.workflows[name]
        content["status"] = {"phase": phase, "nodes": dict(nodes or {})}
        if phase in ("Succeeded", "Failed", "Error"):
            content["metadata"]["labels"][COMPLETED] = "true"
        self.touch(content)

    def touch(self, content: Object) -> None:
        self.version += 1
        content["metadata"]["resourceVersion"] = str(self.version)

    def count(self, method: str) -> int:
        return sum(line.startswith(method) for line in self.asked)


@contextmanager
def fake_api() -> Iterator[Fake]:
    fake = Fake()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))
    server.daemon_threads = True
    fake.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(fake: Fake) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._go("GET")

        def do_POST(self) -> None:
            self._go("POST")

        def do_PATCH(self) -> None:
            self._go("PATCH")

        def _go(self, method: str) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            fake.asked.append(f"{method} {self.path}")
            planned = fake.answers.get(method)
            status = planned.pop(0) if planned else 0
            if status == -1:  # carried out, but the answer is lost
                self._carry_out(method, body)
                self.connection.close()
            elif status:
                self._say(status, {"reason": "Planned", "message": f"planned {status}"})
            else:
                self._say(*self._carry_out(method, body))

        def _carry_out(self, method: str, body: Object) -> tuple[int, Object]:
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            path = parts.path.strip("/").split("/")
            if "pods" in path:
                return self._pods(path)
            name = path[-1] if path[-1] != "workflows" else ""
            if method == "POST":
                return _create(fake, body)
            if not name:
                return 200, {"metadata": {}, "items": _listed(fake, query["labelSelector"]) or None}
            if name not in fake.workflows:
                return 404, {"reason": "NotFound", "message": f'"{name}" not found'}
            content = fake.workflows[name]
            if method == "PATCH":
                _merge(content, body)
                fake.touch(content)
            return 200, content

        def _pods(self, path: list[str]) -> tuple[int, Object]:
            if path[-1] == "log":
                if fake.log_status != 200:
                    return fake.log_status, {"reason": "InternalError", "message": "no route"}
                return 200, {"log": fake.logs.get(path[-2], "")}
            return 200, {"items": fake.pods}

        def _say(self, status: int, content: Object) -> None:
            text = fake.page or (content["log"] if "log" in content else json.dumps(content))
            data = text.encode()
            kind = "text/html" if text.startswith("<") else "application/json"
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_given: object) -> None:
            return

    return Handler


def _create(fake: Fake, body: Object) -> tuple[int, Object]:
    name = body["metadata"]["name"]
    if name in fake.workflows:
        return 409, {"reason": "AlreadyExists", "message": f'"{name}" already exists'}
    fake.workflows[name] = body
    fake.touch(body)
    return 201, body


def _listed(fake: Fake, selector: str) -> list[Object]:
    """Metadata only, as the client asks."""
    found = []
    for content in fake.workflows.values():
        labels = content["metadata"]["labels"]
        wanted = [part.partition("!=" if "!=" in part else "=") for part in selector.split(",")]
        fits = [
            labels.get(key) == value if operator == "=" else labels.get(key) != value
            for key, operator, value in wanted
        ]
        if all(fits):
            found.append({"metadata": content["metadata"]})
    return found


def _merge(into: Object, patch: Object) -> None:
    for key, value in patch.items():
        if isinstance(value, dict):
            _merge(into.setdefault(key, {}), value)
        else:
            into[key] = value

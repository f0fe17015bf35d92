"""A small server that answers as MLflow might on a bad day; tests ask a real one, too."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Query = Mapping[str, Any]
Answer = tuple[int, Any] | Callable[[Query], Any]


@dataclass
class Hostile:
    """``answers`` by path below the API: content, or a status with a body, or a function."""

    url: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, Query, Mapping[str, str]]] = field(default_factory=list)


@contextmanager
def hostile(**answers: Any) -> Iterator[Hostile]:
    """A server of one experiment without runs or models, but for what is given."""
    told = Hostile()
    told.answers = {
        "experiments/search": {"experiments": [{"experiment_id": "1", "name": "rank"}]},
        "runs/search": {},
        "registered-models/search": {},
        **{path.replace("__", "-").replace("_of_", "/"): found for path, found in answers.items()},
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(dict(parse_qsl(urlsplit(self.path).query)))

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            self._answer(json.loads(self.rfile.read(length)))

        def _answer(self, query: Query) -> None:
            path = urlsplit(self.path).path.removeprefix("/api/2.0/mlflow/")
            told.asked.append((path, query, dict(self.headers)))
            found = told.answers.get(path, (404, "nothing here"))
            if callable(found):
                found = found(query)
            status, content = found if isinstance(found, tuple) else (200, found)
            body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()


def run_of(id_: str, end_ms: int, **more: Any) -> dict[str, Any]:
    """A run as runs/search shows it, with one value."""
    metrics = [{"key": "auc", "value": 0.9, "timestamp": end_ms, "step": 0}]
    info = {"run_id": id_, "run_name": id_, "status": "FINISHED", "end_time": end_ms}
    return {
        "info": {**info, **more.pop("info", {})},
        "data": {"metrics": metrics, "params": [], "tags": [], **more},
    }

"""The service that gets the points: what it has already, and what is sent to it."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from service.cli.client import Client
from service.cli.exits import FAILED, EndedError
from service.mlflow.mapping import Point


class Lupus:
    """One source of a running service."""

    def __init__(self, client: Client, source: str) -> None:
        self._client = client
        self._path = f"/v1/sources/{source}"
        self._releases: set[str] | None = None
        self.sent = 0

    def create(self) -> None:
        """Make the source, unless it is there."""
        try:
            self._client.call("GET", self._path)
        except EndedError:
            self._client.call("PUT", self._path, repeat=True, json={"kind": "managed"})

    def series(self, metric: str, labels: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        """What the catalog has of a metric with these labels, whatever others there are."""
        query: dict[str, Any] = {"metric": metric, "limit": 200}
        # A value that begins so would be left out, not looked for.
        asked = {name: [value] for name, value in labels.items() if not value.startswith("!")}
        if asked:
            query["labels"] = json.dumps(asked)
        while True:
            page = self._client.call("GET", f"{self._path}/series", params=query)
            for one in page["items"]:  # a name may read as a glob
                if one["metric"] == metric and labels.items() <= one["labels"].items():
                    yield one
            if not page["cursor"]:
                return
            query["cursor"] = page["cursor"]

    def send(self, points: Sequence[Point]) -> None:
        """Store points; they are searchable afterwards.

        The same points on the same day are one ingest: what an overlap reads again costs nothing.
        """
        body = _body(points)
        today = datetime.now(UTC).date()
        key = f"mlflow-{today}-{hashlib.sha256(body).hexdigest()}"
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        ingest = self._client.call(
            "POST", f"{self._path}/points", repeat=True, content=body, headers=headers
        )
        while ingest["state"] not in ("succeeded", "failed"):
            ingest = self._client.call("GET", f"/v1/ingests/{ingest['id']}", params={"wait": "20s"})
        if ingest["state"] == "failed":
            raise EndedError(FAILED, ingest["error"])
        self.sent += len(points)

    def release(self, event: Mapping[str, Any]) -> bool:
        """Record a release that is not among the newest thousand; whether it was new."""
        path = f"{self._path}/events"
        if self._releases is None:
            self._releases = {one["name"] for one in self._client.call("GET", path)["items"]}
        if event["name"] in self._releases:
            return False
        self._client.call("POST", path, repeat=True, json=event)
        self._releases.add(event["name"])
        return True


def instant(time_ms: int) -> str:
    """A time as the API takes it."""
    moment = datetime.fromtimestamp(time_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"


def milliseconds(text: str) -> int:
    """A time as the API says it."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def _body(points: Iterable[Point]) -> bytes:
    rows = [
        {
            "metric": point.metric,
            "labels": {name: value for name, value in sorted(point.labels.items()) if value},
            "time": instant(point.time_ms),
            "value": point.value,
        }
        for point in points
    ]
    return json.dumps({"points": rows}, ensure_ascii=False).encode()

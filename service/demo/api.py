"""The few HTTP calls of the demonstration."""

import io
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx2
import pyarrow as pa
import pyarrow.parquet

from service.demo.series import DemoSeries

ENDED = ("succeeded", "partial", "failed", "cancelled")
PATIENCE_SECONDS = 300.0
PARQUET = "application/vnd.apache.parquet"


class DemoError(Exception):
    """The service did not do what the demonstration asked; the message says what it answered."""


class Api:
    """A client of one service on this machine."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx2.Client(base_url=url, timeout=120.0, trust_env=False)

    def call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        """One call whose answer is JSON; anything but 2xx is an error with the problem's words."""
        answer = self._http.request(method, path, **arguments)
        if answer.is_success:
            parsed: dict[str, Any] = answer.json() if answer.content else {}
            return parsed
        raise DemoError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")

    def ready(self) -> bool:
        """Whether the service answers and can work."""
        try:
            return self._http.get("/readyz").status_code == 200
        except httpx2.TransportError:
            return False

    def send(self, source: str, series: Sequence[DemoSeries]) -> str:
        """Post all points of a source as one Parquet body; returns the ingest's id."""
        buffer = io.BytesIO()
        pa.parquet.write_table(_as_table(series), buffer)
        answer = self.call(
            "POST",
            f"/v1/sources/{source}/points",
            content=buffer.getvalue(),
            headers={"content-type": PARQUET},
        )
        return str(answer["id"])

    def send_point(self, series: DemoSeries, row: int, value: float) -> str:
        """Rewrite one point; returns the ingest's id."""
        point = {
            "metric": series.metric,
            "labels": series.labels,
            "time": series.times[row].isoformat(),
            "value": value,
        }
        path = f"/v1/sources/{series.source}/points"
        return str(self.call("POST", path, json={"points": [point]})["id"])

    def detect(self, body: Mapping[str, Any]) -> str:
        """Ask for a detection; returns the run's id."""
        return str(self.call("POST", "/v1/detections", json=body)["id"])

    def wait(
        self, path: str, is_over: Callable[[Mapping[str, Any]], bool], every: float = 0.2
    ) -> dict[str, Any]:
        """Look again and again until it is over."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = self.call("GET", path)
            if is_over(answer):
                return answer
            if time.monotonic() > give_up:
                raise DemoError(f"{path} is still {answer.get('state')} after 5 minutes")
            time.sleep(every)

    def anomalies(self, source: str, rule: str) -> list[dict[str, Any]]:
        """All that stand as found."""
        found: list[dict[str, Any]] = []
        query = {"source": source, "rule": rule, "status": "found", "limit": "500"}
        while True:
            page = self.call("GET", "/v1/anomalies", params=query)
            found += page["items"]
            if not page.get("cursor"):
                return found
            query["cursor"] = page["cursor"]


def _as_table(series: Sequence[DemoSeries]) -> pa.Table:
    metrics, labels, times, values = [], [], [], []
    for one in series:
        for row, (moment, value) in enumerate(zip(one.times, one.values.tolist(), strict=True)):
            if row not in one.missing:
                metrics.append(one.metric)
                labels.append(list(one.labels.items()))
                times.append(moment)
                values.append(value)
    return pa.table(
        {
            "metric": metrics,
            "labels": pa.array(labels, pa.map_(pa.string(), pa.string())),
            "time": pa.array(times, pa.timestamp("ms", "UTC")),
            "value": pa.array(values, pa.float64()),
        }
    )

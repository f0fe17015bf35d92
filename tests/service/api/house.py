"""A small driver of the application, and requests that are right."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI
from starlette.testclient import TestClient

from service.api.resources import Resources
from service.auth.caller import VERBS, Verb
from service.auth.issue import issue_token
from service.database.deliveries import Delivery
from service.settings import Settings, load_settings
from storage.index import Anomaly, AnomalyWrite
from storage.series_key import anomaly_id

URL = "http://127.0.0.1:8700"
DAY_MS = 86_400_000
WAREHOUSE = "warehouse"  # folder of the connection of that name, beside the data
# 2026-06-01T00:00:00Z
FIRST_MS = 1_780_272_000_000


def settings_of(folder: Path, **more: Any) -> Settings:
    """Settings with all data below a test's folder."""
    return load_settings(data=folder / "data", **more)


def idle_settings(folder: Path, **more: Any) -> Settings:
    """The same without a worker."""
    return settings_of(folder, worker=False, **more)


class House:
    """An opened application as its callers see it."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.resources: Resources = app.state.resources
        self.http = self.client()

    def client(self, token: str | None = None, **more: Any) -> httpx2.Client:
        """A caller: the local administrator, or one with a token."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return TestClient(
            self.app,
            base_url=more.pop("base_url", URL),
            client=more.pop("client", ("127.0.0.1", 50000)),
            headers=headers,
            raise_server_exceptions=True,
        )

    def token(
        self, sources: Sequence[str] = ("*",), verbs: Sequence[Verb] = VERBS, life_ms: int = DAY_MS
    ) -> str:
        """A new token."""
        now_ms = self.resources.clock.now_ms()
        return issue_token(
            self.resources.database, "test", sources, verbs, now_ms + life_ms, now_ms, "test"
        )[1]

    def call(self, method: str, path: str, status: int = 200, **arguments: Any) -> dict[str, Any]:
        """The JSON of an answer that has this status."""
        answer = self.http.request(method, path, **arguments)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        parsed: dict[str, Any] = answer.json() if answer.content else {}
        return parsed

    def source(self, name: str, **body: Any) -> str:
        """A managed source."""
        answer = self.http.put(f"/v1/sources/{name}", json={"kind": "managed", **body})
        assert answer.status_code in (200, 201), answer.text
        return name

    def send(self, source: str, points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Points that are stored when this returns."""
        path = f"/v1/sources/{source}/points"
        answer = self.http.post(path, json={"points": list(points)})
        assert answer.status_code in (200, 202), answer.text
        ingest: dict[str, Any] = answer.json()
        while ingest["state"] in ("queued", "running", "stored"):  # the index is slow today
            ingest = self.call("GET", f"/v1/ingests/{ingest['id']}", params={"wait": "60s"})
        assert ingest["state"] == "succeeded", ingest
        return ingest

    def detect(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A detection that is over when this returns."""
        run = self.call("POST", "/v1/detections", 202, json=dict(body))
        while run["ended_at"] is None:
            run = self.call("GET", f"/v1/detections/{run['id']}", params={"wait": "60s"})
        return run

    def anomaly(self, source: str) -> str:
        """An anomaly in the index; returns its id."""
        id_ = anomaly_id(source, "check", "0" * 32, FIRST_MS)
        found = Anomaly(
            id=id_,
            source=source,
            rule="check",
            series="0" * 32,
            metric="ndcg@10",
            labels={"region": "jp"},
            ts_ms=FIRST_MS,
            value=0.1,
            expected=0.4,
            lower=0.3,
            upper=0.5,
            score=3.0,
            severity="major",
            direction="down",
            reason="ok",
            status="found",
            cause=None,
            transition=1,
            episode_start_ms=FIRST_MS,
            detector="threshold",
            detector_hash="",
            run="run",
            generation=1,
            written_at_ms=FIRST_MS,
        )
        self.resources.stores.index.write_anomalies([AnomalyWrite(found, None)])
        return id_

    def delivery(self, source: str) -> Delivery:
        """A delivery that was sent."""
        return Delivery(
            id=f"msg_{source}",
            run=f"run {source}",
            source=source,
            channel="acc-hook",
            event="anomaly",
            counter=1,
            body='{"type": "lupus.anomaly.v1"}',
            state="sent",
            created_ms=FIRST_MS,
        )


def daily(
    values: Sequence[float], metric: str = "ndcg@10", labels: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """One point a day from 2026-06-01 on."""
    return [
        {
            "metric": metric,
            "labels": dict(labels or {}),
            "time": rfc3339(FIRST_MS + number * DAY_MS),
            "value": value,
        }
        for number, value in enumerate(values)
    ]


def rfc3339(time_ms: int) -> str:
    """A time in UTC."""
    from service.api.times import rfc3339 as text

    return text(time_ms)


def detection(source: str, **more: Any) -> dict[str, Any]:
    """A request that is right."""
    return {
        "source": source,
        "metric": "ndcg@10",
        "rule": "check",
        "range": {"start": "2026-10-08", "end": "2026-10-29"},
        "detector": {"type": "threshold", "lower": 0.2},
        **more,
    }

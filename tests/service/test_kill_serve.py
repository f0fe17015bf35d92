"""`lupus-server serve` killed while it ingests and while it detects, as seen over HTTP."""

import random
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.service.served import Served, served

SEED = 11
SOURCE = "job.killed"
RULE = "daily"
SERIES = 60
DAYS = 250
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
LAST = FIRST + timedelta(days=DAYS)
NAMES = ("run", "generation", "written_at")  # differ between two services


def points() -> bytes:
    rng = np.random.default_rng(SEED)
    values = 100 + rng.normal(0, 1, (SERIES, DAYS))
    values[::7, -3] += 20
    lines = ["metric,region,time,value"]
    for region, row in enumerate(values.tolist()):
        lines += [
            f"m,{region},{(FIRST + timedelta(days=day)).isoformat()},{value!r}"
            for day, value in enumerate(row)
        ]
    return "\n".join(lines).encode()


def detection() -> dict[str, Any]:
    return {
        "rule": RULE,
        "source": SOURCE,
        "metric": "m",
        "range": {"start": (LAST - timedelta(days=7)).isoformat(), "end": LAST.isoformat()},
        "detector": {"type": "prophet"},
    }


def carry_out(service: Served, kill: Any) -> tuple[list[Any], list[Any]]:
    """Ingest and detect; ``kill`` may strike after each acceptance. Anomalies and a chart."""
    service.http.put(f"/v1/sources/{SOURCE}", json={"kind": "managed"}).raise_for_status()
    headers = {"content-type": "text/csv", "idempotency-key": "points-1"}
    ingest = service.post(f"/v1/sources/{SOURCE}/points", content=points(), headers=headers)
    kill(service)
    again = service.post(f"/v1/sources/{SOURCE}/points", content=points(), headers=headers)
    assert again["id"] == ingest["id"]
    path = f"/v1/ingests/{ingest['id']}"
    ended = service.wait_for(path, lambda a: a.json()["state"] in ("succeeded", "failed")).json()
    assert (ended["state"], ended["points"]) == ("succeeded", SERIES * DAYS)
    headers = {"idempotency-key": "detection-1"}
    run = service.post("/v1/detections", json=detection(), headers=headers)
    kill(service)
    assert service.post("/v1/detections", json=detection(), headers=headers)["id"] == run["id"]
    kill(service)
    path = f"/v1/detections/{run['id']}"
    over = ("succeeded", "partial", "failed", "cancelled")
    ended = service.wait_for(path, lambda answer: answer.json()["state"] in over).json()
    assert ended["state"] == "succeeded", ended
    query = {"source": SOURCE, "rule": RULE, "limit": "500"}
    found = service.http.get("/v1/anomalies", params=query).json()["items"]
    span = {"start": FIRST.isoformat(), "end": LAST.isoformat()}
    chart = {"source": SOURCE, "metric": "m", "limit": "100", **span}
    drawn = service.http.get("/v1/points", params=chart).json()["items"]
    for document in (*found, *(a for series in drawn for a in series["anomalies"])):
        for name in NAMES:
            document.pop(name)
    return sorted(found, key=lambda document: str(document["id"])), drawn


@pytest.mark.slow
def test_a_killed_service_ends_with_the_documents_of_an_undisturbed_one(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    kills = 0

    def kill(service: Served) -> None:
        nonlocal kills
        time.sleep(chance.random() * 0.4)
        service.end(signal.SIGKILL)
        kills += 1
        service.start()

    with served(tmp_path / "calm") as service:
        expected = carry_out(service, lambda _: None)
    with served(tmp_path / "killed") as service:
        assert carry_out(service, kill) == expected
    assert kills == 3
    assert len(expected[0]) >= len(range(0, SERIES, 7))

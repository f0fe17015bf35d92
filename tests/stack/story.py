"""The seed story: 100 series of 400 days, planted events, one detection, then 5 % rewritten.

The same calls are made on a service with embedded parts and on one with the production stack, and
must give the same documents.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.service.served import Served

SOURCE = "job.rank-eval"
RULE = "ndcg-daily"
METRIC = "ndcg@10"
SEED = 5
DAYS = 400
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
LAST = FIRST + timedelta(days=DAYS)
WINDOW = 14  # days that the detection judges
ENDED = ("succeeded", "partial", "failed", "cancelled")
# What two runs of the same request on two services may differ in.
OWN = ("run", "generation", "written_at")
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Story:
    """The values of all series; ``detector`` judges the last two weeks."""

    series: int = 100
    detector: Mapping[str, Any] = field(default_factory=lambda: {"type": "prophet"})

    def values(self) -> Values:
        """Series by day: a weekly season, noise, and an event in every tenth series."""
        rng = np.random.default_rng(SEED)
        week = np.sin(np.arange(DAYS) * 2 * np.pi / 7)
        values = 100 + 3 * week + rng.normal(0, 1, (self.series, DAYS))
        values[::10, -5] += 25
        values[5::10, -9] -= 25
        return values

    def rewritten(self, values: Values) -> Values:
        """Five series of a hundred told anew: three events are taken back, two appear."""
        again = values.copy()
        again[self.taken_back, -5] -= 25
        again[self.appearing, -4] += 30
        return again

    @property
    def taken_back(self) -> list[int]:
        """Series whose event was a mistake."""
        return [0, 40, 80]

    @property
    def appearing(self) -> list[int]:
        """Series in which the mistake had hidden an event."""
        return [3, 53]

    def rows(self, values: Values, some: Sequence[int] | None = None) -> bytes:
        """Points as CSV, of all series or of some."""
        lines = ["metric,region,time,value"]
        for number in range(self.series) if some is None else some:
            lines += [
                f"{METRIC},r{number:03},{(FIRST + timedelta(days=day)).isoformat()},{value!r}"
                for day, value in enumerate(values[number].tolist())
            ]
        return "\n".join(lines).encode()

    def detection(self, channels: Sequence[str] = ("hook",)) -> dict[str, Any]:
        """The body of the request."""
        told = {"channels": list(channels), "max_age": "36500d", "min_severity": "warning"}
        return {
            "rule": RULE,
            "source": SOURCE,
            "metric": METRIC,
            "range": {
                "start": (LAST - timedelta(days=WINDOW)).isoformat(),
                "end": LAST.isoformat(),
            },
            "detector": dict(self.detector),
            "notify": told,
        }


def take_part(service: Served, hook: str) -> str:
    """The source and a webhook; its signing secret."""
    service.http.put(f"/v1/sources/{SOURCE}", json={"kind": "managed"}).raise_for_status()
    channel = {"kind": "webhook", "url": hook, "events": ["anomaly", "withdrawn", "partial"]}
    answer = service.http.put("/v1/channels/hook", json=channel)
    assert answer.is_success, answer.text
    return str(answer.json()["new_secret"])


def ingest(service: Served, rows: bytes, key: str, seconds: float = 600) -> dict[str, Any]:
    """Send points and wait until they are stored and indexed."""
    headers = {"content-type": "text/csv", "idempotency-key": key}
    sent = service.post(f"/v1/sources/{SOURCE}/points", content=rows, headers=headers)
    over = ("succeeded", "failed")
    path = f"/v1/ingests/{sent['id']}"
    ended = service.wait_for(path, lambda a: a.json().get("state") in over, seconds).json()
    assert ended["state"] == "succeeded", ended
    return dict(ended)


def detect(
    service: Served,
    body: Mapping[str, Any],
    seconds: float = 600,
    meanwhile: Callable[[str], None] = lambda run: None,
) -> dict[str, Any]:
    """Ask for a detection and wait for its end; ``meanwhile`` may disturb it."""
    run = str(service.post("/v1/detections", json=body)["id"])
    meanwhile(run)
    return ended(service, run, seconds)


def ended(service: Served, run: str, seconds: float = 600) -> dict[str, Any]:
    """The run's page when it is over."""
    path = f"/v1/detections/{run}"
    page = service.wait_for(path, lambda a: a.json().get("state") in ENDED, seconds).json()
    return dict(page)


def anomalies(service: Served) -> list[dict[str, Any]]:
    """Every document of the rule, found and withdrawn, without what is a run's own."""
    found: list[dict[str, Any]] = []
    query = {"source": SOURCE, "rule": RULE, "limit": "200"}
    while True:
        answer = service.http.get("/v1/anomalies", params=query)
        assert answer.is_success, answer.text
        found += answer.json()["items"]
        cursor = answer.json().get("cursor")
        if not cursor:
            break
        query["cursor"] = cursor
    for document in found:
        for name in OWN:
            document.pop(name)
    return sorted(found, key=lambda document: str(document["id"]))


def same(one: Any, other: Any, path: str = "") -> None:
    """Equal, and numbers within 1e-9 of each other, relatively."""
    if isinstance(one, float) and isinstance(other, float):
        assert abs(one - other) <= 1e-9 * max(1.0, abs(one), abs(other)), (path, one, other)
    elif isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys(), path
        for name in one:
            same(one[name], other[name], f"{path}.{name}")
    elif isinstance(one, list) and isinstance(other, list):
        assert len(one) == len(other), path
        for number, (a, b) in enumerate(zip(one, other, strict=True)):
            same(a, b, f"{path}[{number}]")
    else:
        assert one == other, path


def delivered(receive: Callable[[], int], count: int, seconds: float = 60) -> None:
    """Wait until a receiver has got so many messages."""
    give_up = time.monotonic() + seconds
    while receive() < count:
        assert time.monotonic() < give_up, f"{receive()} of {count} messages"
        time.sleep(0.05)

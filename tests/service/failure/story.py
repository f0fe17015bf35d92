"""A long day of a service over HTTP: sources, channels, rules, ingests and runs in between.

Every request has an Idempotency-Key and is sent until it is answered, so a service that is killed
meanwhile ends with the same documents as one that nobody disturbed.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import numpy as np

from tests.service.receiver import Receiver
from tests.service.served import Served

OVER = ("succeeded", "partial", "failed", "cancelled")
EVENTS = ["anomaly", "withdrawn", "no_data", "partial", "failed", "succeeded"]
NAMES = ("run", "generation", "written_at")  # differ between two services
_HISTORY_DAYS = 20
_ROUND_DAYS = 3
_TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@dataclass(frozen=True)
class Story:
    """How long it is. Each round sends new days to every source and judges them by its rules."""

    sources: int = 4
    rules: int = 10  # of a source; after the first round only two of them
    rounds: int = 2
    series: int = 12
    channels: int = 3

    @property
    def runs(self) -> int:
        return self.sources * sum(len(self.rules_of(number)) for number in range(self.rounds))

    def rules_of(self, number: int) -> range:
        return range(self.rules if number == 0 else min(2, self.rules))

    @property
    def first(self) -> datetime:
        return _TODAY - timedelta(days=_HISTORY_DAYS + _ROUND_DAYS * self.rounds)

    def window(self, number: int) -> tuple[datetime, datetime]:
        """The days that a round adds."""
        start = self.first + timedelta(days=_HISTORY_DAYS + _ROUND_DAYS * number)
        return start, start + timedelta(days=_ROUND_DAYS)

    def payload(self, source: int, number: int) -> bytes:
        """The points of a round as CSV; the first has the history too. Some series jump."""
        start, end = self.window(number)
        begin = self.first if number == 0 else start
        chance = np.random.default_rng(source)
        days = _HISTORY_DAYS + _ROUND_DAYS * self.rounds
        values = 100 + chance.normal(0, 1, (self.series, days))
        jumps = range(0, days - _HISTORY_DAYS, 2)
        for row in range(0, self.series, 3):
            values[row, [_HISTORY_DAYS + day for day in jumps]] += 30
        lines = ["metric,k,time,value"]
        for row in range(self.series):
            for day in range((begin - self.first).days, (end - self.first).days):
                stamp = (self.first + timedelta(days=day)).isoformat()
                lines.append(f"m,{row},{stamp},{float(values[row, day])!r}")
        return "\n".join(lines).encode()

    def detection(self, source: int, rule: int, number: int, after: str) -> dict[str, Any]:
        start, end = self.window(number)
        return {
            "rule": f"rule-{rule}",
            "source": name_of(source),
            "metric": "m",
            "after": [after],
            "range": {"start": start.isoformat(), "end": end.isoformat()},
            "detector": {"type": "threshold", "upper": 105.0 + rule},
            "notify": {
                "channels": [f"hook-{rule % self.channels}"],
                "on": EVENTS,
                "min_severity": "warning",
                "max_age": "60d",
            },
        }


def name_of(source: int) -> str:
    return f"job.s{source}"


@dataclass
class Told:
    """A story that is told to a service."""

    story: Story
    service: Served
    receiver: Receiver
    runs: dict[tuple[int, int, int], str] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)
    tolerated: tuple[int, ...] = (503,)  # with such an answer it is asked again
    pause: Callable[[int], None] = lambda asked: None  # before each run, told how many there are

    def tell(self) -> None:
        """Ask for everything; answers come from whoever serves at that moment."""
        for channel in range(self.story.channels):
            body = {"kind": "webhook", "url": self.receiver.url, "events": EVENTS}
            self._ask("PUT", f"/v1/channels/hook-{channel}", json=body)
        for source in range(self.story.sources):
            self._ask("PUT", f"/v1/sources/{name_of(source)}", json={"kind": "managed"})
        for number in range(self.story.rounds):
            for source in range(self.story.sources):
                self._round(source, number)

    def _round(self, source: int, number: int) -> None:
        path = f"/v1/sources/{name_of(source)}/points"
        headers = {"content-type": "text/csv", "idempotency-key": f"points-{number}"}
        sent = self._ask("POST", path, content=self.story.payload(source, number), headers=headers)
        for rule in self.story.rules_of(number):
            self.pause(len(self.runs))
            asked = self.story.detection(source, rule, number, sent["id"])
            key = {"idempotency-key": f"run-{source}-{rule}-{number}"}
            run = self._ask("POST", "/v1/detections", json=asked, headers=key)
            self.runs[source, rule, number] = run["id"]

    def _ask(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        give_up = time.monotonic() + 240
        while True:
            try:
                answer = self.service.http.request(method, path, **arguments)
            except httpx2.TransportError:
                assert time.monotonic() < give_up, f"{path}\n{self.service.log[-3000:]}"
                time.sleep(0.05)
                continue
            if answer.is_success:
                content: dict[str, Any] = answer.json()
                return content
            self.bad.append(f"{method} {path}: {answer.status_code} {answer.text}")
            assert answer.status_code in self.tolerated, self.bad[-1]
            time.sleep(0.2)

    def finish(self, seconds: float = 900) -> None:
        """Until every run is over and every message has arrived."""
        for run in self.runs.values():
            self.service.wait_for(
                f"/v1/detections/{run}", lambda a: a.json()["state"] in OVER, seconds
            )
        query = "/v1/deliveries?state=pending&limit=1"
        self.service.wait_for(query, lambda a: a.is_success and not a.json()["items"], seconds)

    def documents(self) -> dict[str, Any]:
        """Everything that was found and said, but names and times of writing."""
        return {
            "anomalies": sorted(map(_nameless, self._all("/v1/anomalies")), key=_by_id),
            "charts": [self._charts(source) for source in range(self.story.sources)],
            "runs": {key: self._page(run) for key, run in self.runs.items()},
            "said": sorted(self._said()),
        }

    def _page(self, run: str) -> tuple[Any, ...]:
        page = self.service.http.get(f"/v1/detections/{run}").json()
        return page["state"], page["counts"], page.get("error")

    def _charts(self, source: int) -> list[Any]:
        span = {"start": self.story.first.isoformat(), "end": _TODAY.isoformat()}
        query = {"source": name_of(source), "metric": "m", "limit": "100", **span}
        drawn: list[Any] = self.service.http.get("/v1/points", params=query).json()["items"]
        for series in drawn:
            series["anomalies"] = sorted(map(_nameless, series["anomalies"]), key=_by_id)
        return drawn

    def _said(self) -> Iterator[tuple[str, ...]]:
        for one in self._deliveries():
            data = json.loads(one)["data"]
            rows = [row["anomaly"] for row in data.get("rows", [])]
            yield (
                json.loads(one)["type"],
                data["source"]["name"],
                data["rule"],
                data["title"],
                *rows,
            )

    def _deliveries(self) -> list[str]:
        return [got.body.decode() for got in {got.id: got for got in self.receiver.got}.values()]

    def _all(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            query = {"limit": "500", **({"cursor": cursor} if cursor else {})}
            page = self.service.http.get(path, params=query).json()
            found += page["items"]
            cursor = page.get("cursor")
            if not cursor:
                return found

    def check_messages(self) -> None:
        """At least once, and each time with the same id and body."""
        bodies: dict[str, set[bytes]] = {}
        for got in self.receiver.got:
            bodies.setdefault(got.id, set()).add(got.body)
        assert all(len(each) == 1 for each in bodies.values())
        queued = Counter(one["id"] for one in self._all("/v1/deliveries"))
        assert queued.keys() == bodies.keys()
        assert {one["state"] for one in self._all("/v1/deliveries")} == {"sent"}


def _nameless(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in NAMES}


def _by_id(document: dict[str, Any]) -> str:
    return str(document["id"])

"""Points to the service: each part is one ingest, however often it is sent.

The key of a request is made from what it says, so a job that is tried again makes no second ingest.
Where the first one failed, or others have sent other values since, another key makes another one.
"""

import hashlib
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from lupus.client.body import Body, body_of
from lupus.client.fault import refusal
from lupus.client.points import Points
from lupus.client.progress import Progress
from lupus.client.sent import Sent
from lupus.client.service import Answer, Service
from lupus.client.standing import points_stand
from lupus.client.upload import upload
from lupus.errors import PointsError, RefusedError, WaitError

MOST_POINTS = 5_000_000  # of one ingest
UPLOAD_BYTES = 8_000_000
_OVER = ("succeeded", "failed")
_PATIENCE_SECONDS = 20.0
_MOST_REPLAYS = 8


@dataclass(frozen=True)
class Way:
    """How to send; ``wait_seconds`` None waits for nothing."""

    wait_seconds: Optional[float] = 3600.0
    progress: Optional[bool] = None


def send_points(service: Service, source: str, points: Points, way: Way) -> Sent:
    """Send points that are checked already."""
    with Progress(way.progress) as told:
        outcomes = [
            _Part(service, source, part, way, told).send() for part in points.parts(MOST_POINTS)
        ]
    state = "nothing" if not outcomes else "succeeded"
    if any(outcome.state != "succeeded" for outcome in outcomes):
        state = "accepted"
    return Sent(
        source,
        len(points),
        tuple(outcome.id for outcome in outcomes),
        state,
        tuple(points.skipped),
        bool(outcomes) and all(outcome.replayed for outcome in outcomes),
    )


@dataclass(frozen=True)
class _Outcome:
    """What one request came to; an error when its ingest failed."""

    id: str
    state: str
    replayed: bool = False  # by an earlier call of somebody
    error: Optional[RefusedError] = None


class _Part:
    """What becomes one ingest."""

    def __init__(
        self, service: Service, source: str, points: Points, way: Way, progress: Progress
    ) -> None:
        self._service = service
        self._source = source
        self._points = points
        self._way = way
        self._progress = progress

    def send(self) -> _Outcome:
        """Give the ingest that has the points, or raise why there is none."""
        self._progress.say(f"{self._source}: {len(self._points):,} points")
        body = body_of(self._points)
        if len(body.content) >= UPLOAD_BYTES:
            answer = upload(self._service, self._source, body, self._progress)
            if answer is not None:
                return _sound(self._outcome(answer))
        key = hashlib.sha256(f"{self._source}\n{body.sha256}".encode()).hexdigest()
        first = self._posted(body, key)
        if first.replayed and (first.error or not self._stands(first)):
            return self._sent_again(body, key, first)
        if first.error and not isinstance(first.error, PointsError):
            first = self._posted(body, f"{key}.{first.id}")  # a store failed it: once more
        return _sound(first)

    def _sent_again(self, body: Body, key: str, earlier: _Outcome) -> _Outcome:
        for _ in range(_MOST_REPLAYS):
            outcome = self._posted(body, f"{key}.{earlier.id}")
            if not outcome.replayed:
                return _sound(outcome)
            earlier = outcome
        return _sound(self._posted(body, f"{key}.{uuid.uuid4().hex}"))

    def _stands(self, outcome: _Outcome) -> bool:
        under_way = outcome.state != "succeeded"
        return under_way or points_stand(self._service, self._source, self._points)

    def _posted(self, body: Body, key: str) -> _Outcome:
        headers = {**body.headers, "Idempotency-Key": key}
        path = ("sources", self._source, "points")
        try:
            answer = self._service.call("POST", path, None, body.content, headers)
        except RefusedError as refused:
            if "ingest" not in refused.problem:
                raise
            id_, error = str(refused.problem["ingest"]), self._readable(refused.problem, refused)
            return _Outcome(id_, "failed", refused.replayed, error)
        return self._outcome(answer)

    def _outcome(self, answer: Answer) -> _Outcome:
        ingest = self._over(answer.json)
        # A replay after a lost answer is the answer that was lost.
        replayed = answer.replayed and answer.tries == 1
        error = None
        if ingest["state"] == "failed":
            error = self._readable(ingest, RefusedError(str(ingest["error"]), 502, ingest))
        return _Outcome(str(ingest["id"]), str(ingest["state"]), replayed, error)

    def _readable(self, found: Mapping[str, Any], error: RefusedError) -> RefusedError:
        return refusal(found, self._points, error)

    def _over(self, ingest: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._way.wait_seconds is None:
            return ingest
        give_up = time.monotonic() + self._way.wait_seconds
        while ingest["state"] not in _OVER:
            left = give_up - time.monotonic()
            if left <= 0:
                raise WaitError(
                    f"ingest {ingest['id']} is {ingest['state']} after "
                    f"{self._way.wait_seconds:g} s; it goes on"
                )
            self._progress.say(f"{self._source}: {len(self._points):,} points, {ingest['state']}")
            patience = f"{max(1, round(min(left, _PATIENCE_SECONDS)))}s"
            ingest = self._service.get("ingests", str(ingest["id"]), query={"wait": patience})
        return ingest


def _sound(outcome: _Outcome) -> _Outcome:
    if outcome.error:
        raise outcome.error from None
    return outcome

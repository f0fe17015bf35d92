"""A launcher that carries nothing out and commits what a test tells it to."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from storage.objects import Objects
from workflows.commits import PUBLISH, Attempt, run_root
from workflows.context import write_request
from workflows.ingest import Ingested
from workflows.ingest_job import OUTCOME, IngestOutcome, ingest_root, write_ingest_request
from workflows.launcher import Launched, Progress
from workflows.published import Published
from workflows.report import COUNTS, REPORT, Change, Outcome, Report, change_line
from workflows.request import IngestRequest, RunRequest

Act = Literal["succeed", "fail", "refuse", "run", "publish"]


def finish(
    objects: Objects,
    run: str,
    generation: int,
    changes: Sequence[Change] = (),
    outcome: Outcome = "succeeded",
    error: str = "",
    **counts: int,
) -> Report:
    """Commit publish.json and report.json, as the steps would."""
    attempt = Attempt(objects, run_root(run), "publish")
    name = attempt.put("changes.jsonl", b"".join(map(change_line, changes)))
    all_counts = {**dict.fromkeys(COUNTS, 0), "series": 3, "judged": 3, **counts}
    published = Published(run, generation, outcome, all_counts, changes=name, error=error)
    attempt.commit(PUBLISH, published)
    report = Report(run, generation, outcome, all_counts, error=error, changes=name)
    return Attempt(objects, run_root(run), "report").commit(REPORT, report).read(Report)


@dataclass
class FakeLauncher:
    """Plays ``script`` one act for each attempt launched, then succeeds."""

    objects: Objects
    script: list[Act] = field(default_factory=list)
    changes: Sequence[Change] = ()
    launched: list[tuple[str, int]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    link: str = ""
    error: Exception | None = None
    _known: dict[str, tuple[int, Launched]] = field(default_factory=dict)
    _news: threading.Event = field(default_factory=threading.Event)

    def launch(self, request: RunRequest | IngestRequest, attempt: int) -> None:
        id_ = request.run if isinstance(request, RunRequest) else request.job
        if self.error is not None:
            raise self.error
        if self._known.get(id_, (0, None))[0] >= attempt:
            return
        self.launched.append((id_, attempt))
        act = self.script.pop(0) if self.script else "succeed"
        if isinstance(request, RunRequest):
            write_request(self.objects, request)
            if act == "succeed":
                self.end(request)
            elif act == "publish":
                published = Published(request.run, request.generation, "succeeded", {})
                Attempt(self.objects, run_root(request.run), "publish").commit(PUBLISH, published)
        else:
            write_ingest_request(self.objects, request)
            if act == "succeed":
                self.end_ingest(request)
        self._known[id_] = (attempt, self._launched(act))
        self._news.set()

    def _launched(self, act: Act) -> Launched:
        if act == "succeed":
            return Launched("ended", Progress("done"))
        if act == "fail":
            return Launched("ended", Progress("done"), "the pod was lost", transient=True)
        if act == "refuse":
            return Launched("ended", Progress("done"), "plan: no such table", transient=False)
        return Launched("running", Progress("detect", 1, 2, link=self.link))

    def end_ingest(self, request: IngestRequest) -> None:
        done = Ingested(points=7, tombstones=0, series=1, days=1, first_ms=0, last_ms=1, metrics={})
        attempt = Attempt(self.objects, ingest_root(request.job), "ingest")
        attempt.commit(OUTCOME, IngestOutcome(done))

    def end(self, request: RunRequest) -> None:
        finish(self.objects, request.run, request.generation, self.changes)

    def look(self, run: str, attempt: int) -> Launched:
        known = self._known.get(run)
        if known is None or known[0] != attempt:
            return Launched("absent", Progress("waiting"))
        return known[1]

    def forget(self) -> None:
        """As a new process: nothing is known of what was launched before."""
        self._known.clear()

    def cancel(self, run: str) -> None:
        self.cancelled.append(run)

    def wait(self, seconds: float) -> bool:
        found = self._news.wait(seconds)
        self._news.clear()
        return found

    def close(self) -> None:
        return

"""A run that cannot go on: it ends with the reason, or waits for what may come back and says so."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from service.clock import HOUR_MS
from service.database.queue import NewJob, add_job
from storage.errors import FullError, RefusedError
from tests.service.fake_launcher import FakeLauncher
from tests.service.world import World, world
from tests.workflows.world import daily, points
from workflows.commits import PUBLISH, Attempt, run_root
from workflows.failure import Failure, record_failure
from workflows.launcher import Launched, Progress
from workflows.published import Published
from workflows.request import IngestRequest, RunRequest

ALTERED = "object runs/r/plan/keys.parquet was altered: its checksum is not the committed one"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


@dataclass
class Unfinished(FakeLauncher):
    """Every attempt publishes and then fails while it applies, each time as ``told`` says."""

    told: tuple[str, ...] = (ALTERED,)
    transient: bool = False
    attempts: int = 0

    def launch(self, request: RunRequest | IngestRequest, attempt: int) -> None:
        assert isinstance(request, RunRequest)
        if attempt <= self.attempts:
            return
        self.attempts = attempt
        root = run_root(request.run)
        published = Published(request.run, request.generation, "succeeded", {})
        Attempt(self.objects, root, "publish").commit(PUBLISH, published)
        message = self.told[(attempt - 1) % len(self.told)]
        failure = Failure("publish", attempt, "CommitError", message, self.transient, attempt)
        record_failure(self.objects, root, failure)
        ended = Launched("ended", Progress("done"), f"publish: {message}", self.transient)
        self._known[request.run] = (attempt, ended)


def unfinished(house: World, **how: Any) -> Unfinished:
    launcher = Unfinished(house.launcher.objects, **how)
    house.launcher = launcher
    house.parts = replace(house.parts, launcher=launcher)
    return launcher


def test_what_fails_for_good_three_times_is_not_tried_until_the_deadline(house: World) -> None:
    launcher = unfinished(house)
    run = house.accept()
    house.settle(seconds=60, ticks=10)
    ended = house.run(run)
    assert ended.state == "failed"
    assert ended.error == f"published, but not to the end: publish: {ALTERED}"
    assert launcher.attempts == 3


@pytest.mark.parametrize(
    "how", [{"transient": True}, {"told": ("one thing", "another")}], ids=["transient", "various"]
)
def test_what_may_end_in_another_way_is_tried_on(house: World, how: dict[str, Any]) -> None:
    launcher = unfinished(house, **how)
    run = house.accept()
    house.settle(seconds=60, ticks=10)
    assert house.run(run).state == "publishing"
    assert launcher.attempts == 5


def refuse(error: Exception) -> Any:
    def refused(*_given: object) -> None:
        raise error

    return refused


def test_a_run_that_cannot_be_started_says_why_and_starts_when_it_can(house: World) -> None:
    house.launcher.error = FullError("object runs/r/request.json: No space left on device")
    run = house.accept()
    for _ in range(5):
        house.tick("run")
        house.clock.advance(1000)
    waiting = house.run(run)
    assert waiting.state == "running"
    assert waiting.progress is not None
    assert waiting.progress["message"].endswith("request.json: No space left on device")
    house.launcher.error = None
    house.settle()
    assert house.run(run).state == "succeeded"


def test_commits_that_nobody_may_read_are_waited_for_until_the_deadline(
    house: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.launcher.script = ["run"]
    run = house.accept()
    house.tick("run")
    house.clock.advance(1000)
    gone = RefusedError("objects: permission denied")
    monkeypatch.setattr("service.worker.run_tick.read_status", refuse(gone))
    with pytest.raises(RefusedError):
        house.tick("run")
    told = house.run(run).progress
    assert told is not None
    assert told["message"] == "objects: permission denied"
    house.clock.advance(25 * HOUR_MS)
    with house.database.write() as tx:  # the worker that met the error put the job back
        tx.exec_driver_sql("UPDATE jobs SET state = 'queued', owner = NULL")
    house.tick("run")
    ended = house.run(run)
    assert ended.state == "failed"
    assert ended.error.endswith("; now: objects: permission denied")


def test_files_that_cannot_be_folded_are_not_tried_each_minute(house: World) -> None:
    def fold() -> None:
        with house.database.write() as tx:
            add_job(tx, NewJob("compact:shop", "compact", "shop"), house.clock.now_ms())
        house.tick("compact")

    archive = house.parts.stores.archive
    for number in range(16):
        archive.write_points("shop", f"job-{number}", points("m", {}, daily(1), [number]))
    (folder,) = folders(house)
    (folder / "job-0.parquet").write_bytes(b"")
    archive.write_points("shop", "job-99", points("m", {}, daily(1), [99.0]))
    fold()
    with house.database.read() as tx:
        states = tx.exec_driver_sql("SELECT state FROM jobs WHERE kind = 'compact'").scalars()
        assert list(states) == ["done"]
    assert len(list(folder.glob("job-*.parquet"))) == 17


def folders(house: World) -> list[Path]:
    root = Path(str(house.database.engine.url.database)).parent
    return list((root / "archive" / "points" / "source=shop").iterdir())

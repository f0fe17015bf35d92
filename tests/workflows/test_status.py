"""Commits tell how far a run is; a cancel is a commit too."""

import pytest

from storage.folder import FolderObjects
from tests.workflows.world import World, write_daily
from workflows.commits import Commit, create_commit
from workflows.detect import detect
from workflows.errors import AlreadyPublishedError
from workflows.failure import Failure, read_failures, record_failure
from workflows.plan import plan
from workflows.publish import publish
from workflows.status import cancel, read_status, run_failures


def test_a_run_goes_from_plan_to_done(world: World) -> None:
    write_daily(world.stores, 4)
    context = world.context(group_points=70, local_chunk_seconds=1e-9)
    objects = world.stores.objects

    def told() -> tuple[str, int, int | None, bool]:
        status = read_status(objects, "r1")
        progress = status.progress
        return progress.stage, progress.chunks_done, progress.chunks, status.published

    assert told() == ("plan", 0, None, False)
    world.ask()
    assert len(plan(context, "r1").chunks) == 2
    assert told() == ("detect", 0, 2, False)
    detect(context, "r1", 1)
    assert told() == ("detect", 1, 2, False)
    detect(context, "r1", 0)
    assert told() == ("publish", 2, 2, False)
    create_commit(objects, "runs/r2/publish.json", Commit("publish", "n", {}, {}))
    assert read_status(objects, "r2").published
    publish(context, "r1")
    assert told() == ("done", 2, 2, True)
    assert read_status(objects, "r1").report is not None


def test_a_cancel_is_kept_and_repeated_without_harm(world: World) -> None:
    objects = world.stores.objects
    cancel(objects, "r1")
    cancel(objects, "r1")
    status = read_status(objects, "r1")
    assert (status.cancelled, status.published, status.progress.stage) == (True, False, "done")


def test_a_published_run_cannot_be_cancelled(world: World) -> None:
    objects = world.stores.objects
    create_commit(objects, "runs/r1/publish.json", Commit("publish", "n", {}, {}))
    with pytest.raises(AlreadyPublishedError, match="r1"):
        cancel(objects, "r1")
    assert not read_status(objects, "r1").cancelled


def failure(message: str, at_ms: int) -> Failure:
    return Failure("detect", 1, "OSError", message, True, at_ms, chunk=3, log=("a", "b"))


def test_failures_are_kept_in_the_order_of_time(world: World) -> None:
    objects = world.stores.objects
    for at_ms in (3, 1, 2):
        record_failure(objects, "runs/r1", failure(f"at {at_ms}", at_ms))
    assert run_failures(objects, "r1") == [failure(f"at {at}", at) for at in (1, 2, 3)]
    assert read_failures(objects, "runs/r2") == []


def test_a_store_that_cannot_keep_a_failure_hides_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(world.stores.objects, FolderObjects)
    record_failure(world.stores.objects, "runs/../r1", failure("x", 1))
    assert "could not be kept" in caplog.text

"""What every implementation of objects does."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from storage.errors import ExistsError, InvalidError, NotFoundError
from storage.objects import Objects
from tests.storage.implementations import OBJECTS, contract

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture(params=contract(OBJECTS))
def implementation(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def objects(implementation: str, tmp_path: Path) -> Iterator[Objects]:
    opened = OBJECTS[implementation](tmp_path)
    yield opened
    opened.delete_prefix("")


def test_what_was_put_is_read_back_and_overwritten(objects: Objects) -> None:
    objects.put("runs/1/plan.json", b"a")
    objects.put("runs/1/plan.json", b"")
    assert objects.get("runs/1/plan.json") == b""
    assert objects.local_path("runs/1/plan.json").read_bytes() == b""


def test_create_writes_once(objects: Objects) -> None:
    objects.create("marker", b"first")
    with pytest.raises(ExistsError, match="marker"):
        objects.create("marker", b"second")
    assert objects.get("marker") == b"first"


def test_absent_objects(objects: Objects) -> None:
    assert objects.get_or_none("no/such") is None
    with pytest.raises(NotFoundError, match="no/such"):
        objects.get("no/such")
    with pytest.raises(NotFoundError, match="no/such"):
        objects.local_path("no/such")
    assert list(objects.names("no/")) == []
    assert objects.delete_prefix("no/") == 0


@pytest.mark.parametrize("size", [0, 10, 12_000_000])
def test_put_file_keeps_every_byte(objects: Objects, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "local").write_bytes(data)
    objects.put_file("big/file", tmp_path / "local")
    assert objects.local_path("big/file").read_bytes() == data


def test_put_file_of_an_absent_file_says_so(objects: Objects, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="gone"):
        objects.put_file("big/file", tmp_path / "gone")


def test_names_begin_with_the_prefix_in_order(objects: Objects) -> None:
    for name in ("runs/2/b", "runs/1/chunk/10.json", "runs/1/chunk/2.json", "runs/10/a", "x"):
        objects.put(name, b".")
    assert list(objects.names("runs/1")) == [
        "runs/1/chunk/10.json",
        "runs/1/chunk/2.json",
        "runs/10/a",
    ]
    assert list(objects.names("runs/1/chunk/1")) == ["runs/1/chunk/10.json"]
    assert len(list(objects.names(""))) == 5


def test_delete_prefix_removes_what_is_below_and_nothing_else(objects: Objects) -> None:
    for name in ("runs/1/a", "runs/1/b/c", "runs/10/a"):
        objects.put(name, b".")
    assert objects.delete_prefix("runs/1/") == 2
    assert list(objects.names("runs/")) == ["runs/10/a"]
    objects.put("runs/1/a", b"again")
    assert objects.get("runs/1/a") == b"again"


@pytest.mark.parametrize(
    "name", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", ".a", "a b", "a\nb", "é", "a#1"]
)
def test_odd_names_are_refused(objects: Objects, name: str) -> None:
    with pytest.raises(InvalidError, match="object name"):
        objects.put(name, b"")
    with pytest.raises(InvalidError, match="object name"):
        objects.get(name)


def _create(implementation: str, folder: Path, barrier: Barrier, mine: str) -> None:
    objects = OBJECTS[implementation](folder)
    barrier.wait(60)
    for turn in range(50):
        try:
            objects.create(f"race/{turn}", mine.encode())
            objects.put(f"won/{mine}/{turn}", b"")
        except ExistsError:
            continue


def test_of_two_processes_that_create_exactly_one_wins(
    implementation: str, objects: Objects, tmp_path: Path
) -> None:
    barrier = SPAWN.Barrier(2)
    processes = [
        SPAWN.Process(target=_create, args=(implementation, tmp_path, barrier, mine))
        for mine in ("a", "b")
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    for turn in range(50):
        winner = objects.get(f"race/{turn}").decode()
        loser = "b" if winner == "a" else "a"
        assert objects.get_or_none(f"won/{winner}/{turn}") is not None
        assert objects.get_or_none(f"won/{loser}/{turn}") is None


def _create_large(implementation: str, folder: Path, barrier: Barrier) -> None:
    objects = OBJECTS[implementation](folder)
    data = b"x" * 5_000_000
    barrier.wait(60)
    for turn in range(10_000):
        objects.create(f"large/{turn}", data)


def test_a_killed_writer_leaves_whole_objects_only(
    implementation: str, objects: Objects, tmp_path: Path
) -> None:
    barrier = SPAWN.Barrier(2)
    process = SPAWN.Process(target=_create_large, args=(implementation, tmp_path, barrier))
    process.start()
    barrier.wait(60)
    process.join(0.15)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    for name in objects.names("large/"):
        assert len(objects.get(name)) == 5_000_000
    objects.delete_prefix("large/")
    assert list(objects.names("large/")) == []

"""One attempt of a step counts, whoever is late, killed or answered wrongly."""

import threading
from pathlib import Path

import pytest

from storage.errors import ExistsError, UnreachableError
from storage.folder import FolderObjects
from workflows.commits import Attempt, Commit, check_cancelled, create_commit, read_commit
from workflows.errors import CancelledError, CommitError


@pytest.fixture
def objects(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path / "objects")


def test_a_commit_names_its_files_and_verifies_them(objects: FolderObjects) -> None:
    attempt = Attempt(objects, "runs/r", "plan", image="lupus:1")
    name = attempt.put("keys", b"abc")
    commit = attempt.commit("plan.json", {"chunks": 3})
    assert commit == read_commit(objects, "runs/r/plan.json")
    assert commit.bytes(objects, name) == b"abc"
    assert commit.path(objects, name).read_bytes() == b"abc"
    assert commit.body == {"chunks": 3}
    assert name == f"runs/r/plan/{attempt.nonce}/keys"


def test_an_altered_file_is_noticed(objects: FolderObjects) -> None:
    attempt = Attempt(objects, "runs/r", "plan")
    name = attempt.put("keys", b"abc")
    commit = attempt.commit("plan.json", {})
    objects.put(name, b"abd")
    with pytest.raises(CommitError, match="altered"):
        commit.bytes(objects, name)
    with pytest.raises(CommitError, match="altered"):
        commit.path(objects, name)
    with pytest.raises(CommitError, match="not part"):
        commit.path(objects, "runs/r/plan/other/keys")


def test_the_loser_goes_on_from_the_winner_and_leaves_nothing(objects: FolderObjects) -> None:
    first, late = (Attempt(objects, "runs/r", "plan") for _ in range(2))
    late.put("keys", b"late")
    name = first.put("keys", b"first")
    first.commit("plan.json", {"who": "first"})
    winner = late.commit("plan.json", {"who": "late"})
    assert winner.nonce == first.nonce
    assert winner.body == {"who": "first"}
    assert sorted(objects.names("runs/r/")) == ["runs/r/plan.json", name]


def test_of_many_at_once_exactly_one_counts(objects: FolderObjects) -> None:
    attempts = [Attempt(objects, "runs/r", "plan") for _ in range(8)]
    winners: list[Commit] = []

    def work(attempt: Attempt) -> None:
        attempt.put("keys", attempt.nonce.encode())
        winners.append(attempt.commit("plan.json", {}))

    threads = [threading.Thread(target=work, args=(attempt,)) for attempt in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(winners) == 8
    assert len({winner.nonce for winner in winners}) == 1
    assert len(list(objects.names("runs/r/plan/"))) == 1


class ForgetfulObjects(FolderObjects):
    """A store that saves, loses the answer, and says at the client's retry: exists already."""

    def create(self, name: str, data: bytes) -> None:
        super().create(name, data)
        raise ExistsError("exists already")


def test_the_refusal_of_ones_own_success_is_a_success(tmp_path: Path) -> None:
    attempt = Attempt(ForgetfulObjects(tmp_path), "runs/r", "plan")
    name = attempt.put("keys", b"abc")
    winner = attempt.commit("plan.json", {})
    assert winner.nonce == attempt.nonce
    assert winner.bytes(attempt.objects, name) == b"abc"


def test_a_failed_check_keeps_the_marker_away(objects: FolderObjects) -> None:
    def check() -> None:
        raise CancelledError("cancelled")

    with pytest.raises(CancelledError):
        Attempt(objects, "runs/r", "detect", check=check).commit("chunk/0.json", {})
    assert read_commit(objects, "runs/r/chunk/0.json") is None


def test_a_marker_of_another_format_is_refused(objects: FolderObjects) -> None:
    objects.put("runs/r/plan.json", b'{"format": 99}')
    with pytest.raises(CommitError, match="format 1"):
        read_commit(objects, "runs/r/plan.json")


def test_a_cancelled_run_is_noticed(objects: FolderObjects) -> None:
    check_cancelled(objects, "r")
    create_commit(objects, "runs/r/publish.json", Commit("publish", "n", {}, {"counts": {}}))
    check_cancelled(objects, "r")
    create_commit(objects, "runs/s/publish.json", Commit("publish", "n", {}, {"cancelled": True}))
    with pytest.raises(CancelledError, match="run s"):
        check_cancelled(objects, "s")


class GoneObjects(FolderObjects):
    def delete_prefix(self, prefix: str) -> int:
        raise UnreachableError("gone")


def test_rubbish_that_cannot_be_removed_does_not_stop_the_loser(tmp_path: Path) -> None:
    objects = GoneObjects(tmp_path)
    first = Attempt(objects, "runs/r", "plan").commit("plan.json", {})
    assert Attempt(objects, "runs/r", "plan").commit("plan.json", {}).nonce == first.nonce

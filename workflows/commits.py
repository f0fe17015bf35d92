"""Attempts and commits: many may try a step, one counts.

Every attempt writes below its own nonce, ``<root>/<step>/<nonce>/`` with root ``runs/<id>`` or
``ingest/<id>``. Only a marker commits (``plan.json``, ``chunk/<i>.json``, ``publish.json``,
``report.json``): it is created if absent and names the nonce and the checksums of its files, so
an attempt that comes late can waste time and nothing else.
"""

import contextlib
import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from storage.errors import ExistsError, StorageError
from storage.objects import Objects
from workflows.codec import dump, from_plain, load, to_plain
from workflows.errors import CancelledError, CommitError

COMMIT_FORMAT = 1
T = TypeVar("T")


def new_nonce() -> str:
    """The name of one attempt: nobody else has it."""
    return secrets.token_hex(8)


def run_root(run: str) -> str:
    """Where everything of a run lies."""
    return f"runs/{run}"


@dataclass(frozen=True)
class Commit:
    """A marker: the attempt that counts, its files (name -> sha256) and what the step says."""

    step: str
    nonce: str
    files: Mapping[str, str]
    body: Mapping[str, Any]
    image: str = ""  # what made it, for people

    def read(self, cls: type[T]) -> T:
        """The body as the dataclass that the step committed."""
        return from_plain(cls, self.body)

    def path(self, objects: Objects, name: str) -> Path:
        """A file of this commit on the local disk, verified."""
        wanted = self._checksum(name)
        path = objects.local_path(name)
        with path.open("rb") as file:
            _compare(name, wanted, hashlib.file_digest(file, "sha256").hexdigest())
        return path

    def bytes(self, objects: Objects, name: str) -> bytes:
        """A small file of this commit, verified."""
        wanted = self._checksum(name)
        data = objects.get(name)
        _compare(name, wanted, hashlib.sha256(data).hexdigest())
        return data

    def _checksum(self, name: str) -> str:
        if name not in self.files:
            raise CommitError(f"object {name} is not part of the commit of {self.step}")
        return self.files[name]


def _compare(name: str, wanted: str, found: str) -> None:
    if wanted != found:
        raise CommitError(f"object {name} was altered: its checksum is not the committed one")


def read_commit(objects: Objects, name: str) -> Commit | None:
    """The commit of that name, or None when nobody has committed."""
    data = objects.get_or_none(name)
    if data is None:
        return None
    try:
        return load(Commit, data, COMMIT_FORMAT)
    except CommitError as error:
        raise CommitError(f"object {name}: {error}") from error


def nothing() -> None:
    """Nothing to check before a commit."""


@dataclass(frozen=True)
class Attempt:
    """One try of a step: files below its nonce, then one commit.

    ``check`` runs right before the marker is created and raises when this process may no longer
    commit (its run was cancelled, its parent is gone).
    """

    objects: Objects
    root: str
    step: str
    image: str = ""
    check: Callable[[], None] = nothing
    nonce: str = field(default_factory=new_nonce)
    files: dict[str, str] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """Where this attempt writes."""
        return f"{self.root}/{self.step}/{self.nonce}/"

    def put(self, name: str, data: bytes) -> str:
        """Write a small file; returns its object name."""
        full = self.prefix + name
        self.objects.put(full, data)
        self.files[full] = hashlib.sha256(data).hexdigest()
        return full

    def put_file(self, name: str, path: Path) -> str:
        """Write a file from the local disk; returns its object name."""
        full = self.prefix + name
        with path.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
        self.objects.put_file(full, path)
        self.files[full] = checksum
        return full

    def commit(self, marker: str, body: object) -> Commit:
        """Commit under ``<root>/<marker>`` and return the commit that counts.

        It is this attempt's own when its ``nonce`` says so. Otherwise another attempt was first:
        this one's files are discarded, and the caller goes on from the winner's.
        """
        mine = Commit(self.step, self.nonce, dict(self.files), to_plain(body), self.image)
        self.check()
        winner = create_commit(self.objects, f"{self.root}/{marker}", mine)
        if winner.nonce != self.nonce:
            self.discard()
        return winner

    def discard(self) -> None:
        """Remove what this attempt wrote; what cannot be removed now is the janitor's."""
        with contextlib.suppress(StorageError):
            self.objects.delete_prefix(self.prefix)


def create_commit(objects: Objects, name: str, mine: Commit) -> Commit:
    """Create a marker if absent and return the one that counts.

    "Exists already" can be the answer to one's own success (saved, but the answer was lost and the
    client asked again): the nonce in the marker decides, not the answer.
    """
    try:
        objects.create(name, dump(mine, COMMIT_FORMAT))
    except ExistsError:
        winner = read_commit(objects, name)
        if winner is None:
            raise CommitError(f"object {name} exists and cannot be read") from None
        return winner
    return mine


PUBLISH = "publish.json"


def is_cancelled(commit: Commit | None) -> bool:
    """Whether a publish commit is a cancellation."""
    return commit is not None and commit.body.get("cancelled") is True


def check_cancelled(objects: Objects, run: str) -> None:
    """Raise CancelledError when the run was cancelled."""
    if is_cancelled(read_commit(objects, f"{run_root(run)}/{PUBLISH}")):
        raise CancelledError(f"run {run} was cancelled")

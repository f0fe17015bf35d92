"""Local copies: the right version, bounded in number and in memory, many processes at once."""

import filecmp
import multiprocessing
import os
import random
import subprocess
import sys
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from storage.errors import ExistsError
from storage.s3.copies import FOLDER, IN_USE_SECONDS, Copies
from storage.s3.objects import S3Objects
from storage.s3.store import open_store
from tests.storage.s3.bucket import Bucket, bucket_of, empty

pytestmark = pytest.mark.real
SPAWN = multiprocessing.get_context("spawn")


def test_an_object_that_was_overwritten_is_fetched_again(bucket: Bucket, tmp_path: Path) -> None:
    objects = S3Objects(bucket.url, bucket.s3, tmp_path)
    objects.put("a", b"old")
    old = objects.local_path("a")
    assert objects.local_path("a") == old
    fetched = old.stat().st_ino
    objects.put("a", b"new")
    assert objects.local_path("a").read_bytes() == b"new"
    assert old.read_bytes() == b"old"
    assert old.stat().st_ino == fetched


def test_two_buckets_never_share_a_copy(bucket: Bucket, tmp_path: Path) -> None:
    one = S3Objects(f"{bucket.url}/one", bucket.s3, tmp_path)
    other = S3Objects(f"{bucket.url}/other", bucket.s3, tmp_path)
    for objects in (one, other):
        objects.put("a", b"equal")
    assert one.local_path("a") != other.local_path("a")


def test_old_copies_make_room_and_fresh_ones_stay(bucket: Bucket, tmp_path: Path) -> None:
    objects = S3Objects(bucket.url, bucket.s3, tmp_path)
    for number in range(6):
        objects.put(str(number), os.urandom(1000))
    store = open_store(bucket.url, bucket.s3)
    paths = [Copies(store, "w", tmp_path, 2500).path(str(number)) for number in range(4)]
    assert all(path.exists() for path in paths)  # all fresh: somebody may be about to open them
    long_ago = time.time() - 2 * IN_USE_SECONDS
    for age, path in enumerate(paths):
        os.utime(path, (long_ago + age, long_ago + age))
    leftover = tmp_path / FOLDER / ".killed"
    leftover.write_bytes(b"half")
    os.utime(leftover, (1, 1))
    last = Copies(store, "w", tmp_path, 2500).path("4")
    assert [path.exists() for path in (*paths, last)] == [False, False, False, True, True]
    assert not leftover.exists()


def test_a_large_file_passes_through_a_bounded_memory(tmp_path: Path) -> None:
    source = random.Random(1)
    with (tmp_path / "large").open("wb") as file:
        for _ in range(300):
            file.write(source.randbytes(1 << 20))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.storage.s3.memory", str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
            timeout=250,
        )
        bucket = bucket_of(tmp_path)
        copy = S3Objects(bucket.url, bucket.s3, tmp_path / "scratch").local_path("large")
        assert filecmp.cmp(copy, tmp_path / "large", shallow=False)
        assert max(int(mib) for mib in done.stdout.split()) < 160, done.stdout
    finally:
        empty(bucket_of(tmp_path))


NAMES = 100
PROCESSES = 8


def _create(folder: Path, barrier: Barrier, mine: str) -> None:
    bucket = bucket_of(folder)
    objects = S3Objects(bucket.url, bucket.s3, folder / "scratch")
    barrier.wait(120)
    won = []
    for number in range(NAMES):
        try:
            objects.create(f"race/{number}", mine.encode())
        except ExistsError:
            continue
        won.append(str(number))
    (folder / f"won-{mine}").write_text(" ".join(won))


def test_of_eight_processes_exactly_one_creates_each_name(tmp_path: Path) -> None:
    barrier = SPAWN.Barrier(PROCESSES)
    processes = [
        SPAWN.Process(target=_create, args=(tmp_path, barrier, str(mine)))
        for mine in range(PROCESSES)
    ]
    try:
        for process in processes:
            process.start()
        for process in processes:
            process.join(200)
            assert process.exitcode == 0
        bucket = bucket_of(tmp_path)
        objects = S3Objects(bucket.url, bucket.s3, tmp_path / "scratch")
        winners = {
            number: str(mine)
            for mine in range(PROCESSES)
            for number in (tmp_path / f"won-{mine}").read_text().split()
        }
        said = [w for m in range(PROCESSES) for w in (tmp_path / f"won-{m}").read_text().split()]
        assert sorted(said, key=int) == [str(number) for number in range(NAMES)]
        for number, mine in winners.items():
            assert objects.get(f"race/{number}").decode() == mine
    finally:
        empty(bucket_of(tmp_path))

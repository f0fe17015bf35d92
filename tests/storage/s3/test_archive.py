"""What the archive in a bucket does besides the contract: compaction without locks, failures."""

import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from storage.parquet.engine import Engine
from storage.s3 import compaction
from storage.s3.archive import S3Archive
from storage.s3.compaction import compact_partition
from storage.s3.copies import Copies, Copy
from storage.s3.files import BucketFiles
from storage.s3.layout import is_mark, live
from storage.selector import Selector
from storage.source import SourceSpec
from tests.storage.points import START_MS, Row, rows_of, table
from tests.storage.s3.bucket import Bucket
from tests.storage.s3.proxy import Answer, Call, Forward, proxy, slow_down

if TYPE_CHECKING:
    from obstore import ObjectMeta

pytestmark = pytest.mark.real
SOURCE = SourceSpec("s")
ALL = Selector(("*",), 0, 10**14)
DAY = "points/source=s/dt=2026-01-01"


@pytest.fixture
def files(bucket: Bucket, tmp_path: Path) -> Iterator[BucketFiles]:
    opened = BucketFiles(bucket.url, bucket.s3, tmp_path / "scratch")
    yield opened
    opened.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = Engine(512, 2, tmp_path / "scratch")
    yield opened
    opened.close()


@pytest.fixture
def archive(files: BucketFiles, engine: Engine) -> S3Archive:
    return S3Archive(files, engine, {})


def fill(archive: S3Archive, jobs: range) -> None:
    """One small ingest per job, all into one day."""
    for job in jobs:
        rows: list[Row] = [
            ("m", {"n": str(n)}, START_MS + job % 5, float(job), job) for n in (1, 2)
        ]
        archive.write_points("s", f"job-{job}", table(rows))


def test_a_copy_that_is_tidied_up_before_it_is_linked_is_fetched_again(
    files: BucketFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.put("a/b", b"content")
    files.local_path("a/b")
    find = Copies.copy
    removed: list[str] = []

    def found_too_late(self: Copies, name: str, meta: "ObjectMeta") -> Copy:
        found = find(self, name, meta)
        if not removed:
            found.path.unlink()
            removed.append(name)
        return found

    monkeypatch.setattr(Copies, "copy", found_too_late)
    snapshot = files.snapshot(files.listed("a"))
    assert removed == ["a/b"]
    assert (snapshot.folder / "a/b").read_bytes() == b"content"


def compact(files: BucketFiles, engine: Engine, grace_seconds: float = 3600) -> int:
    return compact_partition(files, engine, "points", DAY, files.listed(DAY), grace_seconds)


def test_the_seventeenth_file_starts_a_compaction_that_changes_no_answer(
    archive: S3Archive, files: BucketFiles
) -> None:
    fill(archive, range(16))
    before = rows_of(archive.scan(SOURCE, ALL))
    archive.write_points("s", "more", table([("m", {"n": "x"}, START_MS, 1.0, 1)]))
    assert len(live(files.listed(DAY))) == 1
    after = rows_of(archive.scan(SOURCE, ALL))
    assert sorted(after) == sorted([*before, ('m{n="x"}', START_MS, 1.0)])


def test_a_job_written_again_after_a_compaction_counts_again(
    archive: S3Archive, files: BucketFiles
) -> None:
    fill(archive, range(17))
    archive.write_points("s", "job-3", table([("m", {"n": "9"}, START_MS, 1.0, 3)]))
    assert ('m{n="9"}', START_MS, 1.0) in rows_of(archive.scan(SOURCE, ALL))
    assert len(live(files.listed(DAY))) == 2


def test_two_compactions_at_once_lose_nothing(
    archive: S3Archive, files: BucketFiles, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the first has merged and not yet marked, a second one sees one file more."""
    monkeypatch.setattr(compaction, "MOST_FILES", 100)
    fill(archive, range(18))
    before = rows_of(archive.scan(SOURCE, ALL))
    monkeypatch.setattr(compaction, "MOST_FILES", 16)
    mark = BucketFiles.mark

    def meanwhile(self: BucketFiles, names: Iterator[str]) -> None:
        monkeypatch.setattr(BucketFiles, "mark", mark)
        assert compact(files, engine) == 19
        mark(self, names)

    monkeypatch.setattr(BucketFiles, "mark", meanwhile)
    assert compact(files, engine) == 18
    assert len(live(files.listed(DAY))) == 1
    assert rows_of(archive.scan(SOURCE, ALL)) == before


def test_one_that_is_killed_before_its_marks_leaves_doubles_and_no_gap(
    archive: S3Archive, files: BucketFiles, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "MOST_FILES", 100)
    fill(archive, range(18))
    before = rows_of(archive.scan(SOURCE, ALL))
    monkeypatch.setattr(compaction, "MOST_FILES", 16)
    with monkeypatch.context() as patch:
        patch.setattr(BucketFiles, "mark", lambda _self, _names: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            compact(files, engine)
    assert rows_of(archive.scan(SOURCE, ALL)) == before
    assert compact(files, engine) == 19
    assert rows_of(archive.scan(SOURCE, ALL)) == before


def test_old_files_are_removed_after_the_grace_and_not_before(
    archive: S3Archive, files: BucketFiles, engine: Engine
) -> None:
    fill(archive, range(17))
    rows = rows_of(archive.scan(SOURCE, ALL))
    kept = len(files.listed(DAY))
    assert kept == 17 + 17 + 1  # files, their marks, the merged one
    compact(files, engine, 3600)
    assert len(files.listed(DAY)) == kept
    until = datetime.now(UTC) + timedelta(seconds=30)
    while len(files.listed(DAY)) > 1 and datetime.now(UTC) < until:
        compact(files, engine, 0)
    (left,) = files.listed(DAY)
    assert not is_mark(left["path"])
    assert rows_of(archive.scan(SOURCE, ALL)) == rows


def test_with_one_call_in_ten_refused_the_archive_is_exact(
    bucket: Bucket, tmp_path: Path, engine: Engine
) -> None:
    chance, lock, refused = random.Random(3), threading.Lock(), []

    def one_in_ten(call: Call, forward: Forward) -> Answer | None:
        with lock:
            refuse = chance.random() < 0.1
        if refuse:
            refused.append(call.path)
        return slow_down() if refuse else forward(call)

    with proxy(bucket.s3.endpoint, one_in_ten) as endpoint:
        flaky = BucketFiles(bucket.url, bucket.through(endpoint), tmp_path / "other")
        archive = S3Archive(flaky, engine, {})
        fill(archive, range(20))
        found = rows_of(archive.scan(SOURCE, ALL))
        flaky.close()
    assert len(refused) > 5
    wanted = [
        (f'm{{n="{n}"}}', START_MS + place, float(15 + place)) for n in (1, 2) for place in range(5)
    ]
    assert sorted(found) == sorted(wanted)


def test_a_second_question_fetches_nothing_and_a_scan_keeps_no_files(
    archive: S3Archive, bucket: Bucket, tmp_path: Path, engine: Engine
) -> None:
    fill(archive, range(3))
    gets = []

    def count(call: Call, forward: Forward) -> Answer | None:
        if call.method == "GET" and call.path.endswith(".parquet"):
            gets.append(call.path)
        return forward(call)

    with proxy(bucket.s3.endpoint, count) as endpoint:
        seen = BucketFiles(bucket.url, bucket.through(endpoint), tmp_path / "other")
        counted = S3Archive(seen, engine, {})
        first = rows_of(counted.scan(SOURCE, ALL))
        assert len(gets) == 3
        assert rows_of(counted.scan(SOURCE, ALL)) == first
        assert len(gets) == 3
        held = [path for path in (tmp_path / "other").glob("lupus-s3-*/*") if any(path.iterdir())]
        assert held == []
        seen.close()

"""What the Parquet archive does besides the contract: files, compaction, kills, full disks."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from storage.archive import Archive
from storage.errors import CorruptError, FullError, RefusedError, StorageError
from storage.parquet import compaction, layout
from storage.parquet.compaction import compact_partition
from storage.parquet.engine import Engine
from storage.selector import Selector
from storage.series_key import SeriesKey
from storage.settings import StorageSettings
from storage.source import SourceSpec
from storage.stores import open_archive
from tests.storage.disks import remount
from tests.storage.implementations import settings
from tests.storage.points import DAY_MS, START_MS, Row, rows_of, table

SOURCE = SourceSpec("s")
ALL = Selector(("*",), 0, 10**14)
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    opened = open_archive(settings(tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = Engine(512, 2, tmp_path / "scratch")
    yield opened
    opened.close()


@pytest.fixture
def partition(tmp_path: Path) -> Path:
    return layout.partition_folder(tmp_path / "archive", "points", "s", START_MS // DAY_MS)


def fill(archive: Archive, jobs: int, first: int = 0) -> list[Row]:
    """One small ingest per job, all into one day; job n rewrites what job n - 5 wrote."""
    rows: list[Row] = [
        ("m", {"n": str(n)}, START_MS + job % 5, float(job), job)
        for job in range(first, first + jobs)
        for n in range(3)
    ]
    for job in range(first, first + jobs):
        place = (job - first) * 3
        archive.write_points("s", f"job-{job}", table(rows[place : place + 3]))
    return rows


# Layout


def test_files_lie_and_look_as_designed(archive: Archive, tmp_path: Path) -> None:
    rows: list[Row] = [
        (metric, {"region": region, "a": "1"}, START_MS + n * DAY_MS // 2, float(n), 7)
        for n in (3, 1, 2, 0)
        for metric in ("b", "a")
        for region in ("jp", "us", "")
    ]
    archive.write_points("s", "j1", table(rows))
    files = sorted((tmp_path / "archive").rglob("*.parquet"))
    assert [str(file.relative_to(tmp_path / "archive")) for file in files] == [
        "points/source=s/dt=2026-01-01/j1.parquet",
        "points/source=s/dt=2026-01-02/j1.parquet",
    ]
    for file in files:
        parquet = pq.ParquetFile(file)
        assert parquet.schema_arrow.names == [
            "series", "metric", "labels", "ts", "value", "sequence",
        ]  # fmt: skip
        assert parquet.metadata.row_group(0).column(0).compression == "ZSTD"
        written = parquet.read().to_pylist()
        places = [(row["metric"], row["series"], row["ts"]) for row in written]
        assert places == sorted(places)
        for row in written:
            key = SeriesKey("s", row["metric"], tuple(row["labels"]))
            assert row["series"] == key.id
            assert row["labels"] == sorted(row["labels"])


def test_names_that_begin_with_a_dot_or_underscore_are_not_data(
    archive: Archive, partition: Path
) -> None:
    rows = fill(archive, 1)
    for name in (".job-9.0000.tmp", "_SUCCESS", "._x.parquet", ".x.parquet", "notes.txt"):
        (partition / name).write_bytes(b"half a file")
    assert len(rows_of(archive.scan(SOURCE, ALL))) == len(rows)


def test_scratch_folders_of_dead_processes_are_removed(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    (scratch / "lupus-duckdb-dead").mkdir(parents=True)
    living, other = Engine(512, 1, scratch), Engine(512, 1, scratch)
    for engine in (living, other):
        with engine.cursor() as cursor:
            assert cursor.sql("SELECT 1").fetchall() == [(1,)]
    assert len(list(scratch.iterdir())) == 2
    assert not (scratch / "lupus-duckdb-dead").exists()
    living.close()
    other.close()
    assert list(scratch.iterdir()) == []


def test_a_long_query_writes_nothing_to_standard_output(
    engine: Engine,
) -> None:
    """DuckDB's progress bar appears there after two seconds, terminal or not."""
    with engine.cursor() as cursor:
        shown = cursor.sql("SELECT current_setting('enable_progress_bar')").fetchall()
    assert shown == [(False,)]


# Compaction


def test_seventeen_files_become_one_by_themselves(archive: Archive, partition: Path) -> None:
    rows = fill(archive, 16)
    assert len(layout.live_files(partition)) == 16
    rows += fill(archive, 1, first=16)
    (merged,) = layout.live_files(partition)
    assert pq.ParquetFile(merged).metadata.num_rows == 15  # five times of three series
    assert len({(row[1]["n"], row[2]) for row in rows}) == 15


def test_old_files_stay_for_those_who_listed_them(
    archive: Archive, engine: Engine, partition: Path
) -> None:
    fill(archive, 16)
    listed = layout.live_files(partition)
    fill(archive, 1, first=16)
    assert all(file.exists() for file in listed)
    compact_partition(engine, "points", partition, grace_seconds=3600)
    assert all(file.exists() for file in listed)
    compact_partition(engine, "points", partition, grace_seconds=-1)
    assert not any(file.exists() for file in listed)
    assert len(list(partition.iterdir())) == 1
    assert len(rows_of(archive.scan(SOURCE, ALL))) == 15


def test_abandoned_temporary_files_are_removed_when_old(
    archive: Archive, engine: Engine, partition: Path
) -> None:
    fill(archive, 1)
    abandoned = partition / layout.temporary_name("job-1")
    abandoned.write_bytes(b"half")
    compact_partition(engine, "points", partition, grace_seconds=3600)
    assert abandoned.exists()
    compact_partition(engine, "points", partition, grace_seconds=-1)
    assert not abandoned.exists()


def test_a_retry_after_compaction_counts_again(archive: Archive, partition: Path) -> None:
    """The job's old file is marked; the new one under its name must not be."""
    fill(archive, 17)
    changed: list[Row] = [("m", {"n": "9"}, START_MS, 1.0, 3)]
    archive.write_points("s", "job-3", table(changed))
    assert ('m{n="9"}', START_MS, 1.0) in rows_of(archive.scan(SOURCE, ALL))
    assert {file.name for file in layout.live_files(partition)} > {"job-3.parquet"}


def test_of_two_compactions_at_once_the_second_gives_up(
    archive: Archive, engine: Engine, partition: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = fill(archive, 16)
    merge, inner = compaction.merge, Engine(512, 1, partition.parent)

    def merge_twice(*arguments: object) -> Path:
        """While the first has merged but not replaced, a second one does it all."""
        mine = merge(*arguments)  # type: ignore[arg-type]
        monkeypatch.setattr(compaction, "merge", merge)
        assert compact_partition(inner, "points", partition, 3600) == 17
        return mine

    rows += [("m", {"n": "x"}, START_MS, 1.0, 1)]
    (partition / "more.parquet").write_bytes((partition / "job-1.parquet").read_bytes())
    monkeypatch.setattr(compaction, "merge", merge_twice)
    assert compact_partition(engine, "points", partition, 3600) == 0
    inner.close()
    assert len(layout.live_files(partition)) == 1
    assert not list(partition.glob(".*.tmp"))
    assert len(rows_of(archive.scan(SOURCE, ALL))) == 15


def test_a_compaction_killed_before_its_marks_leaves_harmless_doubles(
    archive: Archive, engine: Engine, partition: Path
) -> None:
    fill(archive, 17)
    expected = rows_of(archive.scan(SOURCE, ALL))
    for mark in partition.glob(".*.superseded"):
        mark.unlink()
    assert len(layout.live_files(partition)) == 18
    assert rows_of(archive.scan(SOURCE, ALL)) == expected
    assert compact_partition(engine, "points", partition, 3600) == 18
    assert rows_of(archive.scan(SOURCE, ALL)) == expected


def _ingest(folder: Path, barrier: Barrier, done: Event, mine: int) -> None:
    archive = open_archive(settings(folder))
    barrier.wait(60)
    for turn in range(20):
        rows: list[Row] = [("m", {"n": str(n)}, START_MS, float(turn), turn) for n in range(3)]
        archive.write_points("s", f"writer-{mine}-{turn}", table(rows))
    done.set()
    archive.close()


@pytest.mark.slow
def test_readers_see_neither_loss_nor_doubles_while_files_are_folded(tmp_path: Path) -> None:
    """Two processes ingest and compact; each read has every series once, never going back."""
    archive = open_archive(settings(tmp_path))
    archive.write_points("s", "first", table([("m", {"n": str(n)}, START_MS, -1.0, -1)
                                              for n in range(3)]))  # fmt: skip
    barrier, done = SPAWN.Barrier(3), [SPAWN.Event(), SPAWN.Event()]
    writers = [
        SPAWN.Process(target=_ingest, args=(tmp_path, barrier, done[mine], mine))
        for mine in range(2)
    ]
    for writer in writers:
        writer.start()
    barrier.wait(60)
    seen: list[float] = []
    while not all(event.is_set() for event in done):
        rows = rows_of(archive.scan(SOURCE, ALL))
        assert len(rows) == 3
        values = {value for _, _, value in rows}
        seen.append(min(value for value in values if value is not None))
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    assert seen == sorted(seen)
    assert {value for _, _, value in rows_of(archive.scan(SOURCE, ALL))} == {19.0}
    archive.close()


# Kills and disks


def _write_days(folder: Path, barrier: Barrier) -> None:
    archive = open_archive(settings(folder))
    rows: list[Row] = [
        ("m", {"n": str(n)}, START_MS + day * DAY_MS, 1.0, 1)
        for n in range(200)
        for day in range(60)
    ]
    barrier.wait(60)
    for turn in range(1_000):
        archive.write_points("s", f"job-{turn % 3}", table(rows))


@pytest.mark.parametrize("after_ms", [30, 170, 390])
def test_a_killed_writer_leaves_whole_files_only(tmp_path: Path, after_ms: int) -> None:
    barrier = SPAWN.Barrier(2)
    process = SPAWN.Process(target=_write_days, args=(tmp_path, barrier))
    process.start()
    barrier.wait(60)
    process.join(after_ms / 1_000)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    archive = open_archive(settings(tmp_path))
    scan = archive.scan(SOURCE, ALL)
    found = rows_of(scan)
    per_day = {ts: sum(1 for _, other, _ in found if other == ts) for _, ts, _ in found}
    assert set(per_day.values()) <= {200}
    archive.write_points("s", "again", table([("m", {}, START_MS, 1.0, 1)]))
    assert len(rows_of(archive.scan(SOURCE, ALL))) == len(found) + 1
    archive.close()


def test_a_full_disk_is_said_and_shows_nothing(small_disk: Path) -> None:
    archive = open_archive(settings(small_disk))
    kept: list[Row] = [("kept", {}, START_MS, 1.0, 1)]
    archive.write_points("s", "kept", table(kept))
    rows: list[Row] = [
        (f"m{n}", {"n": str(n)}, START_MS + n % 30 * DAY_MS, n / 7, 1) for n in range(40_000)
    ]
    with pytest.raises(FullError) as caught:
        archive.write_points("s", "large", table(rows))
    assert caught.value.transient
    assert list(archive.series(SOURCE, ALL)) == [SeriesKey("s", "kept")]
    assert not list(small_disk.rglob("*.tmp"))
    archive.write_points("s", "small", table(kept))
    archive.close()


def test_a_full_scratch_disk_is_said(small_disk: Path, tmp_path: Path) -> None:
    engine = Engine(64, 2, small_disk)
    with (
        pytest.raises(StorageError) as caught,
        engine.cursor() as cursor,
    ):
        cursor.sql(
            "SELECT hash(i) AS h, i FROM range(20_000_000) t(i) ORDER BY h"
        ).to_arrow_reader().read_all()
    assert caught.value.transient
    engine.close()


def test_a_read_only_archive_reads_and_refuses_to_write(small_disk: Path, tmp_path: Path) -> None:
    writable = open_archive(settings(small_disk))
    rows = fill(writable, 2)
    writable.close()
    remount(small_disk, "ro")
    archive = open_archive(settings_with_scratch(small_disk, tmp_path))
    assert len(rows_of(archive.scan(SOURCE, ALL))) == len(rows)
    with pytest.raises(RefusedError, match="ead-only") as caught:
        archive.write_points("s", "more", table(rows))
    assert not caught.value.transient
    archive.close()
    remount(small_disk, "rw")


def settings_with_scratch(folder: Path, scratch: Path) -> StorageSettings:
    return replace(settings(folder), scratch=scratch)


@pytest.mark.parametrize("damage", ["cut", "text", "zero", "middle"])
def test_a_corrupt_file_is_named(archive: Archive, partition: Path, damage: str) -> None:
    rows: list[Row] = [("m", {"n": str(n)}, START_MS + n, n * 1.7, 1) for n in range(5_000)]
    archive.write_points("s", "bad", table(rows))
    archive.write_points("s", "good", table(rows[:10]))
    bad = partition / "bad.parquet"
    data = bytearray(bad.read_bytes())
    if damage == "middle":
        middle = len(data) // 2
        data[middle - 4_000 : middle + 4_000] = random.Random(1).randbytes(8_000)
    damaged = {"cut": data[: len(data) // 2], "text": b"hello", "zero": b"", "middle": data}
    bad.write_bytes(bytes(damaged[damage]))
    with pytest.raises(CorruptError, match=r"bad\.parquet") as caught:
        rows_of(archive.scan(SOURCE, ALL))
    assert not caught.value.transient
    bad.unlink()
    assert len(rows_of(archive.scan(SOURCE, ALL))) == 10


def test_a_file_size_limit_is_a_full_disk(tmp_path: Path) -> None:
    """The same when the limit is the process's own and no file system is at its end."""
    script = (
        "import resource, signal, sys, pathlib\n"
        "from tests.storage.implementations import settings\n"
        "from tests.storage.points import table\n"
        "from storage.errors import FullError\n"
        "from storage.stores import open_archive\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "archive = open_archive(settings(pathlib.Path(sys.argv[1])))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "rows = [('m', {'n': str(n)}, n, n / 7, 1) for n in range(10000)]\n"
        "try:\n"
        "    archive.write_points('s', 'j', table(rows))\n"
        "except FullError:\n"
        "    sys.exit(0 if not list(pathlib.Path(sys.argv[1]).rglob('*.tmp')) else 3)\n"
        "sys.exit(4)\n"
    )
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", script, str(tmp_path)]
    assert subprocess.run(command, cwd=root, check=False, timeout=60).returncode == 0


def test_marks_age_by_their_own_time(archive: Archive, engine: Engine, partition: Path) -> None:
    fill(archive, 17)
    long_ago = time.time() - 7 * 3600
    marks = list(partition.glob(".*.superseded"))
    for mark in marks[:5]:
        os.utime(mark, (long_ago, long_ago))
    compact_partition(engine, "points", partition, compaction.GRACE_SECONDS)
    assert len(list(partition.glob(".*.superseded"))) == 12
    assert len(list(partition.glob("*.parquet"))) == 13

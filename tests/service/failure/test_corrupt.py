"""Files that are not what they should be: named, with what helps; everything else works."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.app import open_app
from service.errors import DamagedDatabaseError
from storage.errors import CorruptError
from storage.selector import EVERYTHING
from storage.source import SourceSpec
from storage.stores import open_archive
from tests.service.api.house import House, daily, idle_settings
from tests.workflows.kills import SETTINGS
from tests.workflows.world import (
    SOURCE,
    THRESHOLD,
    World,
    points,
    request,
    storage_settings,
    write_daily,
)
from tests.workflows.world import (
    daily as days,
)
from workflows.context import write_request
from workflows.report import Report, read_report
from workflows.step_entry import StepCall, StepOutcome, StepWorld, run_step

ADVICE = "restore the file from the backup, or move it away and send its points again"
Spoil = Callable[[Path], object]
FOREIGN = pa.table({"id": [1, 2], "name": ["a", "b"]})

SPOILS: dict[str, Spoil] = {
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-100]),
    "flipped": lambda file: file.write_bytes(
        bytes(byte ^ 0xFF if 8 < at < 200 else byte for at, byte in enumerate(file.read_bytes()))
    ),
    "empty": lambda file: file.write_bytes(b""),
    "text": lambda file: file.write_text("metric,value\n"),
    "foreign": lambda file: pq.write_table(FOREIGN, file),
}


@pytest.fixture
def spoiled(world: World) -> Path:
    """A world of daily series, and a file of one of the days that a run reads."""
    write_daily(world.stores, 3)
    folder = sorted((world.root / "archive" / "points" / f"source={SOURCE}").iterdir())[-2]
    file = folder / "spoiled.parquet"
    shutil.copy(next(folder.glob("*.parquet")), file)
    return file


@pytest.mark.parametrize("how", SPOILS)
def test_a_run_names_the_file_and_what_to_do(world: World, spoiled: Path, how: str) -> None:
    SPOILS[how](spoiled)
    write_request(world.stores.objects, request("r1"))
    failed = run(world, StepCall("plan", "r1"))
    assert failed.exit_code == 65
    assert failed.kind == "CorruptError"
    assert str(spoiled) in failed.error
    assert ADVICE in failed.error
    assert run(world, StepCall("publish", "r1")).exit_code == 0
    assert report(world, "r1").outcome == "failed"
    assert report(world, "r1").error == failed.error
    spoiled.unlink()
    carry_out(world, "r2")
    assert report(world, "r2").counts["new"] == 3


def test_what_does_not_read_the_file_works(world: World, spoiled: Path) -> None:
    spoiled.write_bytes(b"")
    early = request("early", end_ms=request().start_ms, start_ms=request().start_ms - 86_400_000)
    write_request(world.stores.objects, early)
    carry_out(world, "early")
    other = SourceSpec("job.other")
    world.stores.archive.write_points(other.name, "job", points("ndcg", {}, days(40), [9.0] * 40))
    write_request(world.stores.objects, request("other", source=other, detector=THRESHOLD))
    carry_out(world, "other")
    assert report(world, "early").outcome == "succeeded"
    assert report(world, "other").counts["new"] == 7


@pytest.mark.parametrize("how", SPOILS)
def test_compaction_removes_nothing_good(tmp_path: Path, how: str) -> None:
    archive = open_archive(storage_settings(tmp_path))
    for number in range(16):  # one more is folded
        archive.write_points(
            "s", f"job-{number}", points("m", {}, days(2), [number, number], number)
        )
    bad_day, good_day = sorted((tmp_path / "archive" / "points" / "source=s").iterdir())
    SPOILS[how](bad_day / "job-3.parquet")
    before = {file.name: file.read_bytes() for file in bad_day.glob("*.parquet")}
    archive.write_points("s", "job-99", points("m", {}, days(2), [99, 99], 99))
    assert before.items() <= {f.name: f.read_bytes() for f in bad_day.glob("*.parquet")}.items()
    assert not list(bad_day.glob(".*")), "no mark takes a good file out of reading"
    with pytest.raises(CorruptError, match=r"job-3\.parquet"):
        archive.compact("s")
    assert list(good_day.glob("compact-*.parquet")), "the other partition is folded all the same"
    (bad_day / "job-3.parquet").unlink()
    archive.write_points("s", "job-99", points("m", {}, days(2), [99, 99], 99))
    archive.write_points("s", "job-100", points("m", {}, days(2)[:1], [100], 100))
    assert list(bad_day.glob("compact-*.parquet"))
    found = list(archive.scan(SourceSpec("s"), EVERYTHING).batches)
    assert [value for batch in found for value in batch["value"].to_pylist()] == [100.0, 99.0]
    archive.close()


@pytest.mark.parametrize("content", [b"", b"{}", b'{"format": 1', b"\x00\xff" * 50])
@pytest.mark.parametrize("marker", ["plan.json", "chunk/0.json"])
def test_a_commit_that_is_spoiled_ends_the_step_with_its_name(
    world: World, marker: str, content: bytes
) -> None:
    write_daily(world.stores, 3)
    write_request(world.stores.objects, request("r1"))
    assert run(world, StepCall("plan", "r1")).exit_code == 0
    run(world, StepCall("detect", "r1", 0))
    world.stores.objects.put(f"runs/r1/{marker}", content)
    failed = run(world, StepCall("publish", "r1"))
    assert failed.exit_code == 65
    assert f"object runs/r1/{marker}: " in failed.error


def overwrite(file: Path) -> None:
    """As a disk that lies: every page but the first is noise."""
    data = file.read_bytes()
    file.write_bytes(data[:4096] + b"\xa5" * (len(data) - 4096))


@pytest.mark.parametrize("spoil", [overwrite, lambda file: file.write_text("hello" * 999)])
def test_a_damaged_database_is_refused_with_what_helps(tmp_path: Path, spoil: Spoil) -> None:
    with open_app(idle_settings(tmp_path)) as app:
        House(app).source("shop")
    file = tmp_path / "data" / "lupus.db"
    spoil(file)
    told = r"the database .*lupus\.db is damaged .* put the backup in its place"
    with pytest.raises(DamagedDatabaseError, match=told), open_app(idle_settings(tmp_path)):
        pass


def test_a_damaged_index_is_refused_with_what_helps(tmp_path: Path) -> None:
    with open_app(idle_settings(tmp_path)) as app:
        house = House(app)
        house.source("shop")
        house.send("shop", daily([1.0] * 9))
    (tmp_path / "data" / "index.db").write_text("hello" * 999)
    with (
        pytest.raises(CorruptError, match=r"index\.db.*remove the file .*rebuild-index"),
        open_app(idle_settings(tmp_path)),
    ):
        pass


def run(world: World, call: StepCall) -> StepOutcome:
    return run_step(call, StepWorld(storage_settings(world.root), SETTINGS))


def carry_out(world: World, name: str) -> None:
    if name not in ("early", "other"):
        write_request(world.stores.objects, request(name))
    chunks = run(world, StepCall("plan", name)).chunks
    for chunk in range(chunks):
        assert run(world, StepCall("detect", name, chunk)).exit_code == 0
    assert run(world, StepCall("publish", name)).exit_code == 0


def report(world: World, name: str) -> Report:
    found = read_report(world.stores.objects, name)
    assert found is not None
    return found

"""What a process that is killed in mid-insert leaves on the server goes a day later."""

import multiprocessing
import os
import signal
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import obstore
import pytest

from storage.hive.insert import InsertLoading
from storage.stores import open_archive
from tests.storage.hive_archive.shared import archive_settings
from tests.storage.hive_archive.warehouse import Warehouse, warehouse
from tests.storage.implementations import settings
from tests.storage.points import START_MS, Row, table

pytestmark = pytest.mark.real

ROWS: list[Row] = [("m", {}, START_MS, 1.0, 1)]
DAY_MS = 86_400_000


def killed_in_mid_insert(stored: Any) -> None:
    """Write as a process that is killed when its rows are staged."""

    def die(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    InsertLoading._insert = die  # type: ignore[assignment, method-assign]
    open_archive(stored).write_points("s", "job", table(ROWS))


def tables(house: Warehouse) -> set[str]:
    found = house.connection.table(f"SHOW TABLES IN `{house.database}`")
    names = {str(cell) for column in found.columns for cell in column.to_pylist()}
    return {name for name in names if "stage" in name}


def staged(house: Warehouse) -> list[str]:
    paths = [each["path"] for batch in obstore.list(house.store, "staging") for each in batch]
    return [path for path in paths if path.endswith(".parquet")]


@pytest.mark.parametrize("engine", ["hive", "spark"])
def test_a_killed_insert_leaves_nothing_for_long(engine: str, tmp_path: Path) -> None:
    with warehouse(engine, tmp_path) as house:
        stored = archive_settings(house, settings(tmp_path), load="insert")
        spawn = multiprocessing.get_context("spawn")
        process = spawn.Process(target=killed_in_mid_insert, args=(stored,))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        somebodys = "lupus_stage_of_mine"
        house.connection.execute(f"CREATE TABLE `{house.database}`.`{somebodys}` (`n` int)")
        assert len(tables(house) - {somebodys}) == len(staged(house)) == 1

        now_ms = time.time_ns() // 1_000_000
        with closing(open_archive(stored)) as archive:
            assert archive.tidy(now_ms - DAY_MS) == 0, "it may still be at work"
            assert len(staged(house)) == 1
            assert archive.tidy(now_ms + 1) == 1
            assert tables(house) == {somebodys}
            assert staged(house) == []
            assert archive.tidy(now_ms + 1) == 0
            archive.write_points("s", "job", table(ROWS))
            assert archive.days("points", "s") == ["2026-01-01"]

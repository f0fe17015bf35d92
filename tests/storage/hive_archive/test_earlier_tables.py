"""Tables that an earlier version made get the columns that came since."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from storage.archive import ADDED_TO_RESULTS, RESULT_SCHEMA, Archive
from storage.hive import ddl
from storage.parquet import write
from storage.stores import open_archive
from tests.storage.hive_archive.shared import archive_settings
from tests.storage.hive_archive.warehouse import Warehouse, warehouse
from tests.storage.implementations import settings
from tests.storage.points import START_MS, results

pytestmark = pytest.mark.real

OLDER = pa.schema([field for field in RESULT_SCHEMA if field.name not in ADDED_TO_RESULTS])
SAID = '{"kind": "level", "size": 1.5}'


@pytest.fixture
def house(engine: str, tmp_path: Path) -> Iterator[Warehouse]:
    with warehouse(engine, tmp_path) as opened:
        yield opened


def rows(generation: int, change: str | None = None) -> pa.Table:
    return results([{
        "rule": "r", "series": "q", "ts": START_MS + generation, "generation": generation,
        "run": f"run-{generation}", "value": 1.0, "change": change,
    }])  # fmt: skip


def found(archive: Archive) -> list[tuple[int, str | None]]:
    current = archive.read_results("s", "r", START_MS, START_MS + 100)
    return [(row["generation"], row["change"]) for row in current.to_pylist()]


@pytest.mark.parametrize(
    ("engine", "load"), [("hive", "external"), ("hive", "insert"), ("spark", "external")]
)
def test_what_is_there_says_nothing_and_what_comes_does(
    house: Warehouse, load: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = archive_settings(house, settings(tmp_path), load)
    with monkeypatch.context() as earlier:
        earlier.setattr(ddl, "ADDED_TO_RESULTS", ())
        earlier.setattr(ddl, "RESULT_SCHEMA", OLDER)
        earlier.setitem(ddl.SCHEMAS, "results", OLDER)
        earlier.setattr(write, "RESULT_SCHEMA", OLDER)
        with closing(open_archive(asked)) as archive:
            archive.write_results("s", "run-1", rows(1))
    table, view = (f"`{house.database}`.lupus_results{end}" for end in ("", "_current"))
    before = house.connection.table(f"SELECT * FROM {view}")
    assert before.num_rows == 1
    assert not any("change" in name for name in before.column_names)

    for run in (2, 3):  # the second process finds everything as it should be
        with closing(open_archive(asked)) as archive:
            # Into the partition that is there: it too must know the column.
            archive.write_results("s", f"run-{run}", rows(run, SAID))
            assert found(archive)[0] == (1, None)
            assert found(archive)[-1] == (run, SAID)
    for name in (table, view):
        seen = house.connection.table(f"SELECT `generation`, `change` FROM {name}")
        pairs = zip(*(column.to_pylist() for column in seen.columns), strict=True)
        assert sorted(pairs, key=lambda pair: pair[0]) == [(1, None), (2, SAID), (3, SAID)]

"""PySpark, the newest and the oldest that the library is for, gives the numbers of the others."""

import json
import os
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import lupus
from lupus.statistics import Numeric, Statistics, Summary
from lupus.statistics.spark import FAN_IN
from tests.library.statistics import tables
from tests.library.statistics.test_engines import assert_same
from tests.real import server

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]
DRILL = Path(__file__).with_name("spark_drill.py")


def python(version: str) -> str:
    """The interpreter with PySpark; a machine without Python 3.9 has no oldest one."""
    if version == "newest":
        return server("LUPUS_TEST_PYSPARK")
    if not os.environ.get("LUPUS_TEST_PYSPARK_OLD"):
        pytest.skip("LUPUS_TEST_PYSPARK_OLD is not set: it needs a Python 3.9")
    return os.environ["LUPUS_TEST_PYSPARK_OLD"]


def zipped(folder: Path) -> Path:
    """The library as `--py-files` takes it."""
    path, package = folder / "lupus.zip", Path(lupus.__file__).parent
    with zipfile.ZipFile(path, "w") as file:
        for module in package.rglob("*.py"):
            file.write(module, Path("lupus") / module.relative_to(package))
    return path


def answers(version: str, folder: Path, orders: Sequence[dict[str, Any]]) -> list[Any]:
    """Have the statistics computed, all in one session."""
    asked, answered = folder / "orders.json", folder / "answers.json"
    asked.write_text(json.dumps(orders))
    done = subprocess.run(
        [python(version), str(DRILL), str(zipped(folder)), str(asked), str(answered)],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-8000:]
    found: list[Any] = json.loads(answered.read_text())
    return found


@pytest.mark.parametrize("version", ["newest", "oldest"])
def test_spark_gives_the_numbers_of_the_others(version: str, tmp_path: Path) -> None:
    table = tables.arrow(tables.rows(1500, 23))
    pq.write_table(table, tmp_path / "rows.parquet")
    pq.write_table(table.slice(0, 0), tmp_path / "none.parquet")
    wrong = Statistics({"title": Numeric("mean")})
    cases = [
        (tables.WANTED, "rows", 3),
        (tables.GROUPED, "rows", FAN_IN + 1),
        (tables.GROUPED, "none", 1),
        (tables.ANY, "none", 1),
        (Statistics(), "rows", 1),
        (wrong, "rows", 1),
    ]
    orders = [
        {
            "spec": spec.to_dict(),
            "file": str(tmp_path / f"{file}.parquet"),
            "partitions": partitions,
            "at": tables.AT.timestamp(),
        }
        for spec, file, partitions in cases
    ]
    *found, refused = answers(version, tmp_path, orders)
    for (spec, file, _), document in zip(cases, found, strict=False):
        wanted = spec.compute(table if file == "rows" else table.slice(0, 0), at=tables.AT)
        summary = Summary.from_dict(document)
        assert_same(summary.metrics(), wanted.metrics())
        assert summary.types == wanted.types
    assert refused.startswith("title is text: Numeric (mean) is for integer")

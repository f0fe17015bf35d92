"""PySpark, the newest and the oldest that the library is for, gives the metrics of pandas."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.library.statistics.test_spark import python, zipped

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]
DRILL = Path(__file__).with_name("spark_drill.py")


@pytest.mark.parametrize("version", ["newest", "oldest"])
def test_spark_gives_the_metrics_of_pandas(version: str, tmp_path: Path) -> None:
    answers = tmp_path / "answers.json"
    done = subprocess.run(
        [python(version), str(DRILL), str(zipped(tmp_path)), str(answers)],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-8000:]
    found = json.loads(answers.read_text())
    for case, rows in found["metrics"].items():
        assert rows, case
        for name, labels, pandas, spark in rows:
            assert spark == (pandas if pandas is None else pytest.approx(pandas, abs=1e-9)), (
                f"{case}: {name} {labels}"
            )
    assert "the frame has no column 'q'" in found["errors"][0]
    assert "most_groups=3" in found["errors"][1]

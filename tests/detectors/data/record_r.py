"""Ask R for the answers to the seeded calls: `python -m tests.detectors.data.record_r`.

It needs `Rscript` (Debian: r-base-core). Committed is what it wrote; the tests need no R.
"""

import json
import subprocess
import sys
from math import isnan
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.detectors.r_cases import Call, calls

HERE = Path(__file__).parent
ANSWERS = HERE / "r_answers.json"


def line(call: Call) -> str:
    fields = [call.period, repr(call.max_anomalies), repr(call.alpha), call.direction]
    fields += ["NA" if field is None else field for field in (call.chunk, call.threshold)]
    values = " ".join("NA" if isnan(value) else repr(value) for value in call.values)
    return "\t".join([*map(str, fields), values])


def answers() -> list[list[int] | None]:
    """Rows of each call, None for a refusal."""
    with TemporaryDirectory() as folder:
        asked = Path(folder, "calls.tsv")
        asked.write_text("".join(line(call) + "\n" for call in calls()))
        done = subprocess.run(
            ["Rscript", "--vanilla", str(HERE / "esd.R"), str(asked)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    lines = done.stdout.split("\n")[:-1]
    return [None if one == "error" else [int(row) for row in one.split()] for one in lines]


if __name__ == "__main__":
    found = answers()
    ANSWERS.write_text("[\n" + ",\n".join(json.dumps(rows) for rows in found) + "\n]\n")
    sys.stdout.write(f"{len(found)} answers, {sum(rows is None for rows in found)} refusals\n")

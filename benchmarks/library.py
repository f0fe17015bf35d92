"""Processor time: importing the users' library beyond its HTTP library, and writing a body.

`python -m benchmarks.library [POINTS]` prints the best of several runs of each.
"""

import subprocess
import sys
import time
from pathlib import Path

LIBRARY = Path(__file__).resolve().parent.parent / "library"
RUNS = 9
IMPORTS = {
    "urllib3": "import urllib3",
    "lupus": "import lupus",
    "lupus after urllib3": "import urllib3; begin = time.process_time(); import lupus",
    "lupus.Client after urllib3": (
        "import urllib3; begin = time.process_time(); import lupus; lupus.Client"
    ),
    "numpy, to compare": "import numpy",
}


def import_ms(statement: str) -> float:
    """Best time of a statement in processes of its own."""
    code = (
        f"import sys, time; sys.path.insert(0, {str(LIBRARY)!r}); begin = time.process_time()\n"
        f"{statement}\nprint((time.process_time() - begin) * 1000)"
    )
    runs = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(RUNS)
    )
    return min(float(run.stdout) for run in runs)


def main(count: int) -> None:
    for name, statement in IMPORTS.items():
        print(f"import {name}: {import_ms(statement):.1f} ms")
    import numpy as np
    import pandas as pd

    from lupus.client import body
    from lupus.client.points import Collector

    table = pd.DataFrame(
        {
            "metric": "rows",
            "shop": np.arange(count) % 1000,
            "time": pd.date_range("2020-01-01", periods=count // 1000 + 1, freq="h", tz="UTC")[
                np.arange(count) // 1000
            ],
            "value": np.random.default_rng(1).normal(size=count),
        }
    )
    collector = Collector()
    begin = time.process_time()
    collector.add(table, None)
    points = collector.finish()
    checked = time.process_time() - begin
    print(f"checking {count:,} rows of pandas: {checked:.2f} s")
    for name, write in (("Parquet", body.body_of), ("gzip of lines", body.as_lines)):
        begin = time.process_time()
        size = len(write(points).content)
        print(f"writing {name}: {time.process_time() - begin:.2f} s, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)

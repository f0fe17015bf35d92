"""One side's process: python worker.py SIDE TABLE; Python 3.9 and no import of this project.

Loads the table, says "ready", works once for each line of its input, and says in JSON the seconds,
the processor's seconds, and at first what it found.
"""

import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def load(side: str, path: Path) -> Any:
    engine = side.rpartition("_")[2]
    if engine == "spark":
        from pyspark.sql import SparkSession

        session = (
            SparkSession.builder.master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.memory", "3g")
            .config("spark.sql.shuffle.partitions", "4")
            .getOrCreate()
        )
        session.sparkContext.setLogLevel("ERROR")
        return session.read.parquet(str(path))
    files = sorted(str(file) for file in path.glob("*.parquet"))
    if engine == "polars":
        import polars

        return polars.read_parquet(files).rechunk()
    import pandas

    return pandas.concat([pandas.read_parquet(file) for file in files], ignore_index=True)


def told(found: Any) -> dict[str, float]:
    if hasattr(found, "label_names"):
        pairs = [(one.name, one.labels.get("value"), one.value) for one in found]
        return {".".join(filter(None, pair[:2])): pair[2] for pair in pairs}
    return {name: float(value) for name, value in (found or {}).items() if value is not None}


def main() -> None:
    side, path = sys.argv[1], Path(sys.argv[2])
    # By its path: a side has the name of the package that it uses.
    spec = importlib.util.spec_from_file_location(f"side_{side}", HERE / "sides" / f"{side}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    frame = load(side, path)
    print("ready", flush=True)
    for _ in sys.stdin:
        wall, processor = time.perf_counter(), time.process_time()
        found = module.work(frame)
        seconds = time.perf_counter() - wall, time.process_time() - processor
        print("answer " + json.dumps([*seconds, told(found)]), flush=True)


if __name__ == "__main__":
    sys.path.pop(0)
    main()

"""What test_spark.py runs in an interpreter that has PySpark.

python spark_drill.py LUPUS_ZIP ANSWERS; the answers are JSON: by case, rows of metric, labels, the
value of pandas and that of Spark.
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, sys.argv[1])

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession

from lupus import Metrics
from lupus.checks import Schema
from lupus.errors import LupusError
from lupus.evaluation import (
    Binary,
    RankedLists,
    Ranking,
    evaluate,
    reproduce,
    spark,
)

ROWS = 600
PARTITIONS = 5
CASES = {
    "binary": (Binary("clicked", "p", distinct=50), "region"),
    "ranking": (Ranking("user", "item", "score", "clicked", k=[3], category="kind"), "region"),
    "lists": (RankedLists("guesses", "tags", k=[2]), ()),
}

SCHEMA = {
    "columns": {
        "p": {"type": "number", "range": {"at_most": 0.5}, "quartiles": {"p25": 0.2, "p75": 0.8}},
        "kind": {"type": "text", "categories": {"known": ["cat", "dog"]}},
        "item": {"type": "text", "pattern": {"regex": "i[0-9]"}},
        "row": {"type": "number", "distribution": {"rows": 9, "edges": [9], "shares": [0, 1, 0]}},
        "tags": {"type": "array", "unique": {"at_least": 9}},
        "gone": {"type": "number"},
    }
}


def main(zipped: str, answers: str) -> None:
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "20")
        .config("spark.sql.shuffle.partitions", "2")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    session.sparkContext.addPyFile(zipped)
    spark.ROWS_AT_ONCE = 50  # many blocks in a partition
    rows = _rows()
    frame = session.createDataFrame(_plain(rows)).repartition(PARTITIONS)
    found = {
        name: _both(evaluate(rows, task, by).metrics(), evaluate(frame, task, by).metrics())
        for name, (task, by) in CASES.items()
    }
    other = rows.assign(p=rows["p"].where(rows.index % 3 > 0, 0.5))[rows.index % 7 > 0]
    keys = ["user", "item", "row"]
    online = session.createDataFrame(_plain(other))
    found["reproduction"] = _both(
        reproduce(other, rows, keys, "p", "region").metrics(),
        reproduce(online, frame, keys, "p", "region").metrics(),
    )
    schema = Schema.from_dict(SCHEMA)
    found["checks"] = _both(schema.check(other).metrics(), schema.check(online).metrics())
    nothing = evaluate(frame.limit(0), Binary("clicked", "p")).metrics()
    found["nothing"] = _both(evaluate(rows[:0], Binary("clicked", "p")).metrics(), nothing)
    errors = [
        _said(lambda: evaluate(frame, Binary("clicked", "q"))),
        _said(lambda: evaluate(frame, Binary("clicked", "p"), "user", most_groups=3)),
    ]
    Path(answers).write_text(json.dumps({"metrics": found, "errors": errors}))
    session.stop()


def _rows() -> pd.DataFrame:
    random = np.random.default_rng(5)
    kinds = np.array(["cat", "dog", "eel"], dtype=object)
    rows = pd.DataFrame(
        {
            "row": range(ROWS),
            "clicked": random.choice([0.0, 1.0, np.nan], ROWS, p=[0.6, 0.3, 0.1]),
            "p": random.uniform(size=ROWS),
            "y": random.normal(size=ROWS),
            "kind": random.choice(kinds, ROWS),
            "guess": random.choice(kinds, ROWS),
            "region": random.choice(np.array(["jp", "tw", None], dtype=object), ROWS),
            "user": random.integers(0, 60, ROWS),
            "item": [f"i{item}" for item in random.integers(0, 15, ROWS)],
            "score": random.uniform(size=ROWS).round(1),
        }
    )
    for name in ("tags", "guesses"):
        sets = [random.choice(kinds, size, replace=False).tolist() for size in rows["row"] % 3]
        rows[name] = pd.Series(sets)
    return rows


def _plain(rows: pd.DataFrame) -> pd.DataFrame:
    """Text as objects, which every PySpark takes."""
    return rows.astype(dict.fromkeys(("kind", "guess", "region", "item"), object))


def _both(one: Metrics, two: Metrics) -> list[Any]:
    there = [{(each.name, str(each.labels)): each.value for each in side} for side in (one, two)]
    return [
        [*key, there[0].get(key, "absent"), there[1].get(key, "absent")]
        for key in {**there[0], **there[1]}
    ]


def _said(call: Any) -> str:
    try:
        call()
    except LupusError as error:
        return str(error)
    return "nothing"


if __name__ == "__main__":
    main(*sys.argv[1:3])

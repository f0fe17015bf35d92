"""What test_spark.py runs in an interpreter that has PySpark: statistics of Parquet files.

python spark_drill.py LUPUS_ZIP ORDERS ANSWERS; the orders are JSON: a list of {spec, file,
partitions, at}, the answers too: a list of summaries, or texts of errors.
"""

import json
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

sys.path.insert(0, sys.argv[1])

from pyspark.sql import SparkSession

from lupus.statistics import Statistics, StatisticsError


def main(zipped: str, orders: str, answers: str) -> None:
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.session.timeZone", "America/New_York")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "60")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.adaptive.enabled", "false")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    session.sparkContext.addPyFile(zipped)
    found = [answer(session, order) for order in json.loads(Path(orders).read_text())]
    Path(answers).write_text(json.dumps(found))
    session.stop()


def answer(session: SparkSession, order: dict[str, Any]) -> Any:
    at = datetime.fromtimestamp(order["at"], timezone.utc)  # noqa: UP017  Python 3.9 has no datetime.UTC
    frame = session.read.parquet(order["file"]).repartition(order["partitions"])
    try:
        return Statistics.from_dict(order["spec"]).compute(frame, at=at).to_dict()
    except StatisticsError as error:
        return str(error)


if __name__ == "__main__":
    main(*sys.argv[1:4])

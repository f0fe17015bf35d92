"""How long the report of a run takes, and how large its page is, on each kind of index.

    python -m benchmarks.report [series] [anomalies]

By default a run over 1,000 series of 100 days with 200 anomalies. Elasticsearch takes part when
LUPUS_TEST_ELASTICSEARCH_URL names a server. The median of nine answers counts.
"""

import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from service.app import open_app
from service.clock import DAY_MS
from service.database.runs import get_run, update_run
from tests.service.api.house import FIRST_MS, House, detection, idle_settings
from tests.storage.elasticsearch.server import PLAIN, own_place
from workflows.codec import from_plain, to_plain
from workflows.context import StepContext, write_request
from workflows.detect import detect
from workflows.plan import plan
from workflows.publish import publish
from workflows.request import RunRequest

SOURCE, DAYS, JUDGED, TIMES, SEED = "bench.report", 100, 14, 9, 5


def table(series: int, anomalies: int) -> bytes:
    """Parquet of daily points; so many of the last two weeks are far off."""
    rng = np.random.default_rng(SEED)
    values = 0.4 + rng.normal(0, 0.004, (series, DAYS))
    slots = rng.choice(series * JUDGED, anomalies, replace=False)
    values[slots // JUDGED, DAYS - 1 - slots % JUDGED] -= 0.1
    times = FIRST_MS + DAY_MS * np.arange(DAYS)
    labels = [[("region", f"r{n % 40}"), ("model", f"m{n // 40}")] for n in range(series)]
    columns = {
        "metric": pa.repeat("ndcg@10", series * DAYS),
        "labels": pa.array(labels, pa.map_(pa.string(), pa.string())).take(
            pa.array(np.repeat(np.arange(series), DAYS))
        ),
        "time": pa.array(np.tile(times, series), pa.timestamp("ms", "UTC")),
        "value": values.ravel(),
    }
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def ran(house: House, body: bytes) -> dict[str, Any]:
    """The ended run; its steps are taken in this process, one after the other."""
    house.source(SOURCE)
    headers = {"content-type": "application/vnd.apache.parquet"}
    answer = house.http.post(f"/v1/sources/{SOURCE}/points", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    start, end = (time.gmtime((FIRST_MS + DAY_MS * day) / 1000) for day in (DAYS - JUDGED, DAYS))
    days = {"start": time.strftime("%Y-%m-%d", start), "end": time.strftime("%Y-%m-%d", end)}
    asked = detection(SOURCE, range=days, detector={"type": "threshold", "lower": 0.35})
    run = house.call("POST", "/v1/detections", 202, json=asked)["id"]
    resources = house.resources
    stores, now_ms = resources.stores, resources.clock.now_ms
    context = StepContext(stores.objects, resources.settings.steps, now_ms, stores)
    with resources.database.read() as tx:
        accepted = get_run(tx, run)
    assert accepted is not None
    write_request(stores.objects, from_plain(RunRequest, accepted.request))
    for chunk in plan(context, run).chunks:
        detect(context, run, chunk.number)
    report = publish(context, run)
    with resources.database.write() as tx:
        update_run(
            tx,
            run,
            state=report.outcome,
            started_ms=now_ms(),
            ended_ms=now_ms(),
            report=to_plain(report),
            notified={},
        )
    return house.call("GET", f"/v1/detections/{run}")


def measured(house: House, run: dict[str, Any]) -> tuple[float, int]:
    """Median seconds of an answer, and its bytes."""
    seconds, size = [], 0
    for _ in range(TIMES):
        start = time.perf_counter()
        answer = house.http.get(f"/v1/detections/{run['id']}/report")
        seconds.append(time.perf_counter() - start)
        assert answer.status_code == 200, answer.text
        size = len(answer.content)
    return statistics.median(seconds), size


def indexes(stack: ExitStack) -> Iterator[tuple[str, dict[str, Any]]]:
    """Kinds of index with their settings."""
    yield "sqlite", {}
    if os.environ.get(PLAIN):
        place = stack.enter_context(own_place())
        prefix = place.settings.prefix
        yield (
            "elasticsearch",
            {"index": place.url, "index_prefix": prefix, "index_replicas": 0},
        )


def main() -> int:
    series = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    anomalies = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    body = table(series, anomalies)
    with ExitStack() as stack:
        for kind, index in indexes(stack):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            settings = idle_settings(folder, inline_points=10**9, **index)
            with open_app(settings) as app:
                house = House(app)
                run = ran(house, body)
                seconds, size = measured(house, run)
            print(
                f"{kind:14} {series:,} series, {run['counts']['anomalous']:,} anomalies: "
                f"{seconds * 1000:5.0f} ms, {size / 1e3:,.0f} kB"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())

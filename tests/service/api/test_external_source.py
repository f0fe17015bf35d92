"""Somebody's own Parquet table: mapped, looked at before, detected, never touched."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.service.api.house import WAREHOUSE, House, detection

MAPPING: dict[str, Any] = {
    "kind": "external",
    "connection": "warehouse",
    "table": "daily_eval",
    "time": {"columns": ["dt"], "format": "%Y%m%d"},
    "timezone": "Asia/Tokyo",
    "metric_column": "name",
    "value_column": "score",
    "label_columns": ["region"],
    "partitions": [{"column": "dt", "format": "%Y%m%d"}],
    "metrics": {"ndcg@10": {"step": "1d"}},
}


@pytest.fixture(scope="module")
def table(working: House) -> Path:
    folder = working.resources.settings.folder.parent / WAREHOUSE / "daily_eval"
    for number in range(70):
        day = date(2026, 8, 20) + timedelta(days=number)
        part = folder / f"dt={day:%Y%m%d}"
        part.mkdir(parents=True)
        score = 0.1 if day == date(2026, 10, 19) else 0.4
        rows = pa.table({"name": ["ndcg@10"], "score": [score], "region": ["jp"]})
        pq.write_table(rows, part / "part-0.parquet")
    return folder


def _content(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_dry_run_shows_what_the_mapping_yields(working: House, table: Path) -> None:
    path = "/v1/sources/ext.dry"
    found = working.call("PUT", path, json=MAPPING, params={"dry_run": True})
    assert "SELECT" in found["sql"]
    assert found["partitions"], "which folders a detection would read"
    assert all(one.startswith("dt=") for one in found["partitions"])
    assert found["series"] == 1
    assert 1 <= len(found["points"]) <= 5
    assert found["points"][0]["series"] == 'ndcg@10{region="jp"}'
    assert found["points"][0]["time"].endswith("T15:00:00Z"), "midnight in Tokyo"
    assert working.call("GET", path, 404), "nothing was stored"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"connection": "nowhere"}, "nowhere"),
        ({"table": "missing"}, "missing"),
        ({"value_column": "missing"}, "missing"),
    ],
)
def test_a_dry_run_says_what_does_not_fit(
    working: House, table: Path, change: dict[str, Any], said: str
) -> None:
    body = {**MAPPING, **change}
    problem = working.call("PUT", "/v1/sources/ext.dry", 422, json=body, params={"dry_run": True})
    assert said in problem["detail"]


def test_a_detection_reads_it_and_leaves_it_as_it_is(working: House, table: Path) -> None:
    before = _content(table)
    assert working.http.put("/v1/sources/ext.eval", json=MAPPING).status_code == 201
    run = working.detect(detection("ext.eval"))
    assert run["state"] == "succeeded", run
    assert run["counts"]["judged"] == 21, "8 to 28 October"
    found = working.call("GET", "/v1/anomalies", params={"source": "ext.eval"})["items"]
    assert [one["time"] for one in found] == ["2026-10-18T15:00:00Z"]
    query = {"source": "ext.eval", "metric": "ndcg@10", "start": "2026-10-08", "end": "2026-10-29"}
    (chart,) = working.call("GET", "/v1/points", params=query)["items"]
    assert chart["name"] == 'ndcg@10{region="jp"}'
    assert chart["values"] == [0.1 if day == 19 else 0.4 for day in range(8, 29)]
    refused = working.http.post("/v1/sources/ext.eval/points", json={"points": []})
    assert refused.status_code == 409
    working.call("DELETE", "/v1/sources/ext.eval", params={"purge": True})
    assert _content(table) == before


def test_what_the_source_lacks_fails_the_run_with_the_field(working: House, table: Path) -> None:
    working.http.put("/v1/sources/ext.gone", json={**MAPPING, "table": "gone"})
    run = working.detect(detection("ext.gone"))
    assert run["state"] == "failed"
    assert "gone" in run["error"]

"""Points in every format, small at once and large later, and what the catalog learns."""

import gzip
import io
import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.app import open_app
from service.settings import Settings
from tests.service.api.house import DAY_MS, FIRST_MS, House, daily, idle_settings, rfc3339

POINTS = daily([0.1, 0.2, None, 0.4], labels={"region": "jp"})  # type: ignore[list-item]


def _json() -> bytes:
    return json.dumps({"points": POINTS}).encode()


def _ndjson() -> bytes:
    return "\n".join(json.dumps(point) for point in POINTS).encode()


def _csv() -> bytes:
    lines = ["metric,time,value,region"]
    for point in POINTS:
        value = "null" if point["value"] is None else point["value"]
        lines.append(f"{point['metric']},{point['time']},{value},jp")
    return "\n".join(lines).encode()


def _table() -> pa.Table:
    times = [datetime.fromtimestamp(FIRST_MS / 1000 + n * 86400, UTC) for n in range(len(POINTS))]
    return pa.table(
        {
            "metric": ["ndcg@10"] * len(POINTS),
            "labels": pa.array(
                [[("region", "jp")]] * len(POINTS), pa.map_(pa.string(), pa.string())
            ),
            "time": pa.array(times, pa.timestamp("ms", "UTC")),
            "value": pa.array([point["value"] for point in POINTS], pa.float64()),
        }
    )


def _parquet() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(_table(), buffer)
    return buffer.getvalue()


def _arrow() -> bytes:
    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, _table().schema) as writer:
        writer.write_table(_table())
    return buffer.getvalue()


FORMATS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "json": ("application/json", _json),
    "ndjson": ("application/x-ndjson", _ndjson),
    "csv": ("text/csv; charset=utf-8", _csv),
    "parquet": ("application/vnd.apache.parquet", _parquet),
    "arrow": ("application/vnd.apache.arrow.stream", _arrow),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_gives_the_same_points(idle: House, format_: str, packed: bool) -> None:
    media, make = FORMATS[format_]
    source = idle.source(f"fmt.{format_}.{'gz' if packed else 'plain'}")
    headers = {"content-type": media} | ({"content-encoding": "gzip"} if packed else {})
    body = gzip.compress(make()) if packed else make()
    ingest = idle.call("POST", f"/v1/sources/{source}/points", content=body, headers=headers)
    assert (ingest["state"], ingest["points"]) == ("succeeded", 4)
    assert idle.call("GET", f"/v1/ingests/{ingest['id']}") == ingest
    query = {"source": source, "metric": "*", "start": "2026-06-01", "end": "2026-07-01"}
    chart = idle.call("GET", "/v1/points", params=query)["items"]
    assert [one["name"] for one in chart] == ['ndcg@10{region="jp"}']
    assert chart[0]["times_ms"] == [FIRST_MS + n * DAY_MS for n in (0, 1, 3)]
    assert chart[0]["values"] == [0.1, 0.2, 0.4]


def test_the_catalog_learns_metrics_and_series(idle: House) -> None:
    source = idle.source("cat.learned", metrics={"described": {"unit": "ms"}})
    idle.send(source, daily([1.0, 2.0, 3.0], "latency", {"region": "jp", "model": "a"}))
    idle.send(source, daily([1.0, 2.0, 3.0], "latency", {"region": "tw"}))
    metrics = idle.call("GET", f"/v1/sources/{source}/metrics")["items"]
    assert [metric["metric"] for metric in metrics] == ["described", "latency"]
    assert metrics[0]["shown"] == {"unit": "ms"}
    assert (metrics[1]["series"], metrics[1]["step"]) == (2, "1d")
    assert metrics[1]["last"] == "2026-06-03T00:00:00Z"

    def names(*labels: str) -> list[str]:
        page = idle.call("GET", f"/v1/sources/{source}/series", params={"labels": list(labels)})
        return sorted(one["name"] for one in page["items"])

    assert names("region=jp") == ['latency{model="a",region="jp"}']
    assert names("model=") == ['latency{region="tw"}']
    assert names('{"region": ["jp", "tw"]}') == names()
    assert names("region=!jp") == ['latency{region="tw"}']
    first = idle.call("GET", f"/v1/sources/{source}/series", params={"limit": 1})
    rest = idle.call(
        "GET", f"/v1/sources/{source}/series", params={"limit": 1, "cursor": first["cursor"]}
    )
    assert first["items"] != rest["items"]


def test_all_or_nothing(idle: House) -> None:
    source = idle.source("all.or-nothing")
    bad = [*daily([1.0] * 3), {"metric": "ndcg@10", "time": "never", "value": 1.0}]
    answer = idle.http.post(f"/v1/sources/{source}/points", json={"points": bad})
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["errors"][0]["pointer"] == "/points/3/time"
    ingest = idle.call("GET", f"/v1/ingests/{problem['ingest']}")
    assert ingest["state"] == "failed"
    assert ingest["errors"][0]["row"] == 4
    assert not idle.call("GET", f"/v1/sources/{source}/series")["items"]


def test_many_points_are_stored_later(idle: House, working: House) -> None:
    many = "metric,time,value\n" + "".join(
        f"m,{rfc3339(FIRST_MS + n * 60_000)},{n}\n" for n in range(10_001)
    )
    headers = {"content-type": "text/csv"}
    path = "/v1/sources/many.later/points"
    idle.source("many.later")
    answer = idle.http.post(path, content=many, headers=headers)
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/ingests/{answer.json()['id']}"
    assert answer.json()["state"] == "queued"
    working.source("many.later")
    ingest = working.call("POST", path, 202, content=many, headers=headers)
    ended = working.call("GET", f"/v1/ingests/{ingest['id']}", params={"wait": "60s"})
    assert (ended["state"], ended["points"]) == ("succeeded", 10_001)


def test_the_same_key_stores_once_however_the_body_is_packed(idle: House) -> None:
    source = idle.source("key.points")
    path, key = (
        f"/v1/sources/{source}/points",
        {"idempotency-key": "k1", "content-type": "text/csv"},
    )
    first = idle.http.post(path, content=_csv(), headers=key)
    again = idle.http.post(
        path, content=gzip.compress(_csv()), headers={**key, "content-encoding": "gzip"}
    )
    assert first.json() == again.json()
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    other = idle.http.post(path, content=_csv() + b"\n", headers=key)
    assert other.status_code == 422
    assert other.json()["type"].endswith("idempotency-key-reused")


def test_media_types_that_are_not_taken_are_refused_with_those_that_are(idle: House) -> None:
    source = idle.source("media.points")
    path = f"/v1/sources/{source}/points"
    wrong = idle.http.post(path, content=b"x", headers={"content-type": "application/xml"})
    assert wrong.status_code == 415
    assert "text/csv" in wrong.json()["detail"]
    packed = {"content-type": "text/csv", "content-encoding": "br"}
    wrong = idle.http.post(path, content=b"x", headers=packed)
    assert (wrong.status_code, wrong.headers["accept-encoding"]) == (415, "gzip, identity")
    not_gzip = {"content-type": "text/csv", "content-encoding": "gzip"}
    assert idle.http.post(path, content=b"plain", headers=not_gzip).status_code == 415
    cut = gzip.compress(_csv())[:-9]
    assert idle.http.post(path, content=cut, headers=not_gzip).status_code == 415


def _bomb(mib: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    piece = b"\0" * 1024 * 1024
    return b"".join(packer.compress(piece) for _ in range(mib)) + packer.flush()


def test_a_body_is_bounded_also_after_decompression(tmp_path: Path) -> None:
    with open_app(idle_settings(tmp_path, max_body_mb=2)) as app:
        house = House(app)
        path = f"/v1/sources/{house.source('bomb.source')}/points"
        headers = {"content-type": "text/csv"}
        bomb = _bomb(64)
        assert len(bomb) < 100_000
        packed = house.http.post(
            path, content=bomb, headers={**headers, "content-encoding": "gzip"}
        )
        assert packed.status_code == 413
        assert "LUPUS_MAX_BODY_MB" in packed.json()["detail"]
        plain = house.http.post(path, content=b"x" * (3 * 1024 * 1024), headers=headers)
        assert plain.status_code == 413
        assert not list((tmp_path / "data" / "scratch").iterdir()), "nothing is left behind"
        assert not list(house.resources.stores.objects.names("ingest/"))


class TestSources:
    def test_the_first_points_make_a_source_on_loopback(self, idle: House) -> None:
        idle.send("made.by-points", daily([1.0]))
        assert idle.call("GET", "/v1/sources/made.by-points")["kind"] == "managed"
        answer = idle.http.post("/v1/sources/Bad/points", json={"points": daily([1.0])})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["parameter"] == "source"

    def test_only_who_may_manage_makes_a_source_by_points(self, idle: House) -> None:
        client = idle.client(idle.token(["made.*"], ["ingest"]))
        answer = client.post("/v1/sources/made.never/points", json={"points": daily([1.0])})
        assert answer.status_code == 404

    def test_no_source_is_made_where_that_is_turned_off(self, settings: Settings) -> None:
        with open_app(settings.model_copy(update={"auto_create_sources": False})) as app:
            answer = House(app).http.post("/v1/sources/new/points", json={"points": daily([1.0])})
        assert answer.status_code == 404

    def test_put_creates_then_replaces(self, idle: House) -> None:
        first = idle.http.put("/v1/sources/put.twice", json={"display_name": "One"})
        again = idle.http.put("/v1/sources/put.twice", json={"timezone": "Asia/Tokyo"})
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json()["body"] == {"kind": "managed", "timezone": "Asia/Tokyo"}
        body: dict[str, Any] = {
            "kind": "external",
            "connection": "c",
            "table": "t",
            "time": {"columns": "dt", "format": "%Y%m%d"},
            "value_columns": ["a"],
        }
        changed = idle.http.put("/v1/sources/put.twice", json=body)
        assert changed.status_code == 409

    def test_a_deleted_source_keeps_its_name_until_it_is_purged(self, idle: House) -> None:
        source = idle.source("gone.source")
        idle.send(source, daily([1.0, 2.0]))
        assert idle.call("DELETE", f"/v1/sources/{source}")["series"] == 1
        assert idle.call("GET", f"/v1/sources/{source}", 404)
        posted = idle.http.post(f"/v1/sources/{source}/points", json={"points": daily([1.0])})
        assert posted.status_code == 404
        assert idle.http.put(f"/v1/sources/{source}", json={}).status_code == 409
        said = idle.call("DELETE", f"/v1/sources/{source}", params={"purge": True, "dry_run": True})
        assert said["purged"] is False
        done = idle.call("DELETE", f"/v1/sources/{source}", params={"purge": True})
        assert done["purged"] is True
        assert idle.http.put(f"/v1/sources/{source}", json={}).status_code == 201
        assert not idle.call("GET", f"/v1/sources/{source}/series")["items"]
        assert not idle.call("GET", f"/v1/sources/{source}/metrics")["items"]

    def test_a_source_with_work_under_way_is_not_purged(self, idle: House) -> None:
        source = idle.source("busy.source")
        body = {
            "source": source,
            "metric": "m",
            "rule": "r",
            "range": {"last": "7d"},
            "detector": {"type": "threshold", "upper": 1},
        }
        idle.call("POST", "/v1/detections", 202, json=body)
        problem = idle.call("DELETE", f"/v1/sources/{source}", 409, params={"purge": True})
        assert "1 runs" in problem["detail"]
        assert idle.call("GET", f"/v1/sources/{source}")

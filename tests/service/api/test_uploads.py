"""Files of points that go past the service into the bucket, and are named then."""

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from service.app import open_app
from tests.service.api.conftest import _FAST
from tests.service.api.house import House, idle_settings, settings_of
from tests.storage.s3.bucket import bucket_of, empty

CSV = b"metric,time,value,region\nm,2026-06-01T00:00:00Z,1.5,jp\nm,2026-06-02T00:00:00Z,2.5,jp\n"


def on_s3(folder: Path) -> dict[str, Any]:
    """Settings of objects in the test bucket."""
    bucket = bucket_of(folder)
    return {
        "objects": f"{bucket.url}/objects",
        "s3_endpoint": bucket.s3.endpoint,
        "s3_access_key_id": bucket.s3.access_key_id,
        "s3_secret_access_key": bucket.s3.secret_access_key.read(),
    }


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("uploads")
    try:
        with open_app(
            settings_of(folder, processes=1, max_upload_mb=1, **on_s3(folder)), pace=_FAST
        ) as app:
            yield House(app)
    finally:
        empty(bucket_of(folder))


def offer(house: House, source: str, **body: Any) -> dict[str, Any]:
    return house.call(
        "POST", f"/v1/sources/{source}/uploads", 201, json={"content_type": "text/csv", **body}
    )


def put(offered: dict[str, Any], data: bytes) -> int:
    """Send a file as somebody who knows nothing of the service."""
    answer = httpx2.request(
        offered["method"], offered["url"], headers=offered["headers"], content=data
    )
    return answer.status_code


def name(house: House, source: str, upload: str) -> httpx2.Response:
    return house.http.post(f"/v1/sources/{source}/points", json={"upload": upload})


def _parquet() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pacsv.read_csv(io.BytesIO(CSV)), buffer)
    return buffer.getvalue()


@pytest.mark.real
@pytest.mark.parametrize(
    ("body", "data"),
    [
        ({}, CSV),
        ({"content_encoding": "gzip"}, gzip.compress(CSV)),
        ({"content_type": "application/vnd.apache.parquet"}, _parquet()),
    ],
    ids=["csv", "gzip", "parquet"],
)
def test_an_upload_is_stored_once_however_often_it_is_named(
    house: House, request: pytest.FixtureRequest, body: dict[str, Any], data: bytes
) -> None:
    source = house.source(f"up-{request.node.callspec.id}")
    offered = offer(house, source, **body)
    assert put(offered, data) == 200
    first = name(house, source, offered["id"])
    assert first.status_code == 202, first.text
    ingest = house.call("GET", f"/v1/ingests/{first.json()['id']}", params={"wait": "60s"})
    assert (ingest["state"], ingest["points"]) == ("succeeded", 2), ingest
    again = name(house, source, offered["id"])
    assert again.json()["id"] == first.json()["id"] == offered["id"]
    assert again.headers["Idempotency-Replayed"] == "true"


@pytest.mark.real
def test_a_signed_request_writes_once_and_only_what_it_names(house: House) -> None:
    source = house.source("up-once")
    offered = offer(house, source)
    assert put(offered, CSV) == 200
    assert put(offered, b"other") == 412
    elsewhere = {**offered, "url": offered["url"].replace("/upload?", "/payload?")}
    assert put(elsewhere, CSV) == 403


@pytest.mark.real
def test_what_was_named_cannot_be_changed_any_more(house: House) -> None:
    source = house.source("up-late")
    offered = offer(house, source)
    put(offered, CSV)
    first = name(house, source, offered["id"])
    put({**offered, "headers": {}}, b"something else")
    payload = house.resources.stores.objects.get(f"ingest/{offered['id']}/payload")
    assert payload == CSV
    assert first.status_code == 202


@pytest.mark.real
def test_an_upload_that_is_missing_foreign_or_too_large_is_refused(house: House) -> None:
    mine, other = house.source("up-mine"), house.source("up-other")
    offered = offer(house, mine)
    missing = name(house, mine, offered["id"])
    assert missing.status_code == 409
    assert "nothing was uploaded" in missing.json()["detail"]
    put(offered, CSV)
    assert name(house, other, offered["id"]).status_code == 404
    for unknown in ("0" * 26, "../../secret", ""):
        assert name(house, mine, unknown).status_code == 404
    large = offer(house, mine)
    put(large, b"x" * (1024 * 1024 + 1))
    refused = name(house, mine, large["id"])
    assert refused.status_code == 413
    assert "LUPUS_MAX_UPLOAD_MB" in refused.json()["detail"]


@pytest.mark.real
def test_an_upload_needs_the_verb_and_a_format_that_is_known(house: House) -> None:
    source = house.source("up-guarded")
    reader = house.client(house.token([source], ["read"]))
    path = f"/v1/sources/{source}/uploads"
    assert reader.post(path, json={"content_type": "text/csv"}).status_code == 403
    assert house.http.post(path, json={"content_type": "text/html"}).status_code == 415
    unclear = house.http.post(f"/v1/sources/{source}/points", json={"upload": "a", "points": []})
    assert unclear.status_code == 422


def test_with_objects_in_a_folder_points_are_posted_themselves(tmp_path: Path) -> None:
    with open_app(idle_settings(tmp_path)) as app:
        house = House(app)
        source = house.source("s")
        refused = house.http.post(
            f"/v1/sources/{source}/uploads", json={"content_type": "text/csv"}
        )
        assert refused.status_code == 409
        assert "post the points themselves" in refused.json()["detail"]

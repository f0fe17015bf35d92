"""Large bodies go into the bucket of a real S3 server, by signed requests that stay secret."""

import logging
from collections.abc import Iterator

import pytest
import uvicorn

from lupus import Client, Metric, Metrics, PointsError
from lupus.client.connection import pool_for
from service.app import open_app
from service.demo.process import free_port
from storage.objects import UploadableObjects
from tests.library.client.test_send import DAY, ingests
from tests.library.conftest import serving
from tests.service.api.conftest import _FAST
from tests.service.api.house import House, settings_of
from tests.service.api.test_uploads import on_s3
from tests.storage.s3.bucket import bucket_of, empty

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def bucket_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A service whose objects are in the test bucket."""
    folder, port = tmp_path_factory.mktemp("library-s3"), free_port()
    settings = settings_of(folder, processes=1, port=port, **on_s3(folder))
    try:
        with open_app(settings, pace=_FAST) as app, serving(uvicorn.Config(app, port=port)):
            yield House(app)
    finally:
        empty(bucket_of(folder))


@pytest.fixture
def uploading(bucket_house: House, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr("lupus.client.send.UPLOAD_BYTES", 1000)
    return Client(f"http://127.0.0.1:{bucket_house.resources.settings.port}")


def many(count: int, length: int = 1) -> Metrics:
    return Metrics([Metric("rows", float(n), {"shop": f"{n}" * length}) for n in range(count)])


def test_a_large_file_is_uploaded_and_stored(
    bucket_house: House, uploading: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sent = uploading.send("job.upload", many(12_000), DAY)
    assert (sent.state, sent.points, ingests(bucket_house, "job.upload")) == (
        "succeeded",
        12_000,
        1,
    )
    objects = bucket_house.resources.stores.objects
    assert isinstance(objects, UploadableObjects)
    assert objects.size(f"ingest/{sent.ingests[0]}/upload") > 1000
    catalog = bucket_house.call("GET", "/v1/sources/job.upload/metrics")["items"]
    assert [one["series"] for one in catalog] == [12_000]
    assert "/uploads" in caplog.text
    assert "Signature" not in caplog.text


def test_points_at_fault_of_an_upload_are_named(uploading: Client) -> None:
    with pytest.raises(PointsError, match="nothing was stored") as caught:
        uploading.send("job.upload-faults", many(2000, 100), DAY)
    assert caught.value.points[0].point.startswith("rows{shop=")


def test_a_bucket_that_is_away_is_asked_again(
    uploading: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    real = pool_for

    class Elsewhere:
        """Connections that lead to a closed port."""

        def request(self, method: str, url: str, **options: object) -> object:
            return real(url).request(method, "http://127.0.0.1:9/secret", retries=False)

    def away_at_first(url: str, ca_bundle: str | None) -> object:
        tried.append(url)
        return Elsewhere() if len(tried) == 1 else real(url, ca_bundle)

    monkeypatch.setattr("lupus.client.upload.pool_for", away_at_first)
    assert uploading.send("job.upload-away", many(2000), DAY).state == "succeeded"
    assert len(tried) == 2

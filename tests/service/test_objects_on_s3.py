"""The service's start with objects in a bucket."""

from pathlib import Path

import pytest

from service.app import open_app
from service.errors import SettingsError
from tests.service.api.house import idle_settings
from tests.storage.s3.bucket import Bucket, own_bucket, unconditional
from tests.storage.s3.proxy import proxy, slow_down

pytestmark = pytest.mark.real


def start(folder: Path, bucket: Bucket, endpoint: str, secret: str = "") -> None:
    """Open the service once and close it."""
    settings = idle_settings(
        folder,
        objects=bucket.url,
        s3_endpoint=endpoint,
        s3_access_key_id=bucket.s3.access_key_id,
        s3_secret_access_key=secret or bucket.s3.secret_access_key.read(),
    )
    with open_app(settings):
        pass


def test_it_starts_where_conditional_puts_work(tmp_path: Path) -> None:
    with own_bucket() as bucket:
        start(tmp_path, bucket, bucket.s3.endpoint)


def test_it_refuses_a_server_without_them(tmp_path: Path) -> None:
    with (
        own_bucket() as bucket,
        proxy(bucket.s3.endpoint, unconditional(bucket)) as endpoint,
        pytest.raises(SettingsError, match="conditional puts"),
    ):
        start(tmp_path, bucket, endpoint)


def test_it_refuses_credentials_that_are_wrong(tmp_path: Path) -> None:
    with own_bucket() as bucket, pytest.raises(SettingsError, match="LUPUS_OBJECTS") as caught:
        start(tmp_path, bucket, bucket.s3.endpoint, "wrong-secret")
    assert "wrong-secret" not in str(caught.value)


def test_it_starts_while_the_server_is_busy(tmp_path: Path) -> None:
    with own_bucket() as bucket, proxy(bucket.s3.endpoint, lambda _c, _f: slow_down()) as endpoint:
        start(tmp_path, bucket, endpoint)

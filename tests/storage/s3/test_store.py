"""What opens a bucket: URLs, settings, and secrets that change while it is open."""

import time
from dataclasses import replace
from pathlib import Path

import obstore
import pytest
from obstore.exceptions import PermissionDeniedError

from storage.errors import InvalidError
from storage.s3.store import SECRET_LIFE, open_store, place_of
from storage.secret import Secret
from storage.settings import S3Settings
from tests.storage.s3.bucket import own_bucket, with_secret


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [
        ("s3://data", "data", ""),
        ("s3://data/", "data", ""),
        ("S3://data/a/b=1/", "data", "a/b=1"),
        ("gs://data/a", "data", "a"),
        ("az://data/a", "data", "a"),
    ],
)
def test_a_url_names_bucket_and_prefix(url: str, bucket: str, prefix: str) -> None:
    place = place_of("objects", url)
    assert (place.bucket, place.prefix) == (bucket, prefix)


@pytest.mark.parametrize(
    "url",
    ["s3://", "s3:///a", "s3://k:secret@b/a", "s3://b/a?x=secret", "s3://b/../a", "ftp://b/secret"],
)
def test_other_urls_are_refused_without_being_shown(url: str) -> None:
    with pytest.raises(InvalidError, match="objects") as caught:
        open_store(url, S3Settings())
    assert "k:" not in str(caught.value)
    assert "x=" not in str(caught.value)


def test_half_a_credential_is_refused() -> None:
    with pytest.raises(InvalidError, match="belong together"):
        open_store("s3://b", S3Settings(access_key_id="k"))
    with pytest.raises(InvalidError, match="belong together"):
        open_store("s3://b", S3Settings(secret_access_key=Secret("s")))


def test_a_secret_file_or_ca_bundle_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    with pytest.raises(InvalidError, match="gone"):
        open_store("s3://b", S3Settings(access_key_id="k", secret_access_key=Secret(file=gone)))
    with pytest.raises(InvalidError, match="LUPUS_CA_BUNDLE"):
        open_store("s3://b", S3Settings(ca_bundle=gone))
    gone.write_text("no certificate")
    with pytest.raises(InvalidError, match="cannot be opened"):
        open_store("s3://b", S3Settings(ca_bundle=gone))


@pytest.mark.real
def test_a_rotated_secret_file_is_seen_without_opening_again(tmp_path: Path) -> None:
    with own_bucket() as bucket:
        secret = bucket.s3.secret_access_key.read()
        file = tmp_path / "secret"
        store = open_store(bucket.url, with_secret(bucket.s3, file, "old"))
        with pytest.raises(PermissionDeniedError):
            obstore.put(store, "a", b"1", mode="overwrite")
        file.write_text(secret + "\n")
        time.sleep(SECRET_LIFE.total_seconds() + 0.2)
        obstore.put(store, "a", b"1", mode="overwrite")
        other = open_store(bucket.url, replace(bucket.s3, access_key_id="nobody"))
        with pytest.raises(PermissionDeniedError):
            obstore.get(other, "a")

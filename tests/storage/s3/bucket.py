"""The test bucket: settings for it, and prefixes that are removed at the end."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import obstore

from storage.s3.store import open_store
from storage.secret import Secret
from storage.settings import S3Settings
from tests.real import own_name, server
from tests.storage.s3.proxy import Answer, Call, Forward, Rule


@dataclass(frozen=True)
class Bucket:
    """Where a test may write: a bucket of the real server below a prefix of its own."""

    url: str
    s3: S3Settings

    def through(self, endpoint: str) -> S3Settings:
        """The same, by way of a proxy."""
        return replace(self.s3, endpoint=endpoint)


def real_bucket(prefix: str = "") -> Bucket:
    """The bucket of LUPUS_TEST_S3_URL below a prefix."""
    parts = urlsplit(server("LUPUS_TEST_S3_URL"))
    settings = S3Settings(
        endpoint=f"{parts.scheme}://{parts.hostname}:{parts.port}",
        access_key_id=parts.username or "",
        secret_access_key=Secret(parts.password or ""),
    )
    return Bucket(f"s3://{parts.path.strip('/')}/{prefix or own_name()}", settings)


def bucket_of(folder: Path) -> Bucket:
    """The prefix that belongs to a test's folder: each of its processes finds the same."""
    return real_bucket(
        "t" + hashlib.sha256(f"{os.uname().nodename}{folder}".encode()).hexdigest()[:16]
    )


@contextmanager
def own_bucket() -> Iterator[Bucket]:
    """A prefix that is empty at the start and gone at the end."""
    bucket = real_bucket()
    try:
        yield bucket
    finally:
        empty(bucket)


def empty(bucket: Bucket) -> None:
    """Remove everything below the prefix."""
    store = open_store(bucket.url, bucket.s3)
    paths = [entry["path"] for batch in obstore.list(store, chunk_size=1000) for entry in batch]
    for first in range(0, len(paths), 1000):
        obstore.delete(store, paths[first : first + 1000])


def with_secret(settings: S3Settings, path: Path, secret: str) -> S3Settings:
    """The same settings with the secret in a file."""
    path.write_text(secret)
    return replace(settings, secret_access_key=Secret(file=path))


def unconditional(bucket: Bucket) -> Rule:
    """A proxy's rule: the server overwrites what should be created only if absent."""
    beside = open_store(bucket.url, bucket.s3)
    prefix = bucket.url.removeprefix("s3:/") + "/"

    def rule(call: Call, forward: Forward) -> Answer | None:
        condition = {name.lower() for name in call.headers} & {"if-none-match"}
        if call.method != "PUT" or not condition:
            return forward(call)
        # The header is signed, so a proxy cannot just leave it out: it writes on its own.
        done = obstore.put(beside, call.path.removeprefix(prefix), call.body, mode="overwrite")
        return Answer(200, [("ETag", str(done["e_tag"]))])

    return rule

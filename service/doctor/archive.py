"""The archive and the named connections: a folder, a bucket, or a Hive server."""

from collections.abc import Iterator

from service.doctor import hive
from service.doctor.folders import check_folder
from service.doctor.objects import bucket_failure, check_objects
from service.settings import Settings
from storage.check import Finding
from storage.connections import named
from storage.errors import StorageError
from storage.location import BUCKETS, folder_of, scheme_of
from storage.selector import Selector
from storage.source import SourceSpec
from storage.stores import open_archive

PART = "archive"
_NOTHING = Selector(("*",), 0, 1)


def check(settings: Settings) -> Iterator[Finding]:
    """Whether points and results can be written and read."""
    url = settings.archive_url
    if scheme_of(url) == "hive":
        yield from hive.check_archive(PART, settings)
        return
    if scheme_of(url) in BUCKETS:
        yield from _write_bucket(PART, url, settings, "LUPUS_ARCHIVE")
    else:
        folder = folder_of(PART, url)
        yield from check_folder(PART, "folder", folder, "LUPUS_ARCHIVE")
        if not folder.is_dir():
            return
    yield _read(settings)


def check_connections(settings: Settings) -> Iterator[Finding]:
    """Each place that external sources may read; nothing is written there."""
    for connection in named(settings.stores.connections):
        part = f"connection {connection.name}"
        scheme = scheme_of(connection.url)
        if scheme == "hive":
            yield from hive.check_connection(part, connection, settings)
        elif scheme in BUCKETS:
            yield _list_bucket(part, connection.url, settings)
        else:
            yield _list_folder(part, connection.url)


def _write_bucket(part: str, url: str, settings: Settings, setting: str) -> Iterator[Finding]:
    from storage.s3.objects import S3Objects  # noqa: PLC0415 - not needed for folders

    try:
        bucket = S3Objects(url, settings.stores.s3, settings.scratch_folder)
    except StorageError as error:
        yield Finding(part, "settings", "failed", str(error), f"correct {setting}")
        return
    yield from check_objects(part, bucket, setting)


def _read(settings: Settings) -> Finding:
    try:
        archive = open_archive(settings.stores)
        try:
            archive.series(SourceSpec("doctor"), _NOTHING)
        finally:
            archive.close()
    except StorageError as error:
        return Finding(PART, "read", "failed", str(error), "correct LUPUS_ARCHIVE")
    return Finding(PART, "read", "ok", "a query was answered")


def _list_bucket(part: str, url: str, settings: Settings) -> Finding:
    from storage.s3.objects import S3Objects  # noqa: PLC0415 - not needed for folders

    try:
        bucket = S3Objects(url, settings.stores.s3, settings.scratch_folder)
        there = next(iter(bucket.names("")), None)
    except StorageError as error:
        return bucket_failure(part, error, f"the url of [{part.split(' ')[1]}]")
    if there is None:
        return Finding(part, "read", "warning", "nothing lies there", "check the url")
    return Finding(part, "read", "ok", "can be listed")


def _list_folder(part: str, url: str) -> Finding:
    folder = folder_of(part, url)
    try:
        count = sum(1 for _ in folder.iterdir())
    except OSError as error:
        told = f"{folder}: {error.strerror}"
        return Finding(part, "read", "failed", told, "mount it, or correct the connection's url")
    return Finding(part, "read", "ok", f"{count} entries in {folder}")

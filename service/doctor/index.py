"""The index: SQLite's file, or Elasticsearch, which `storage.elasticsearch.check` knows."""

from collections.abc import Iterator

from service.doctor.folders import check_folder
from service.settings import Settings
from storage.check import Finding
from storage.errors import StorageError
from storage.index import AnomalyQuery
from storage.location import database_file_of, scheme_of
from storage.stores import open_index

PART = "index"


def check(settings: Settings) -> Iterator[Finding]:
    """Reach, credentials, version, rights and templates; or that the file can be written."""
    if scheme_of(settings.index_url) == "sqlite":
        yield from _check_file(settings)
        return
    try:
        from storage.elasticsearch import extra  # noqa: F401, PLC0415 - says what is missing
        from storage.elasticsearch.check import check as check_server  # noqa: PLC0415 - an extra
    except StorageError as error:
        yield Finding(PART, "package", "failed", str(error), "install it, or use the image")
        return
    yield from check_server(PART, settings.index_url, settings.stores)


def _check_file(settings: Settings) -> Iterator[Finding]:
    file = database_file_of(PART, settings.index_url)
    yield from check_folder(PART, "file", file.parent, "LUPUS_INDEX")
    if not file.exists():
        yield Finding(PART, "documents", "ok", f"{file} is made at the first start")
        return
    try:
        index = open_index(settings.stores)
        try:
            index.search_anomalies(AnomalyQuery(), 1)
            index.refresh()
        finally:
            index.close()
    except StorageError as error:
        advice = "remove the file and run lupus-server rebuild-index, or restore a backup"
        yield Finding(PART, "documents", "failed", str(error), advice)
    else:
        yield Finding(PART, "documents", "ok", f"{file} can be searched")

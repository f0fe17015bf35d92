"""Opens the three stores that settings name."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from storage.archive import Archive
from storage.connections import Connection, named
from storage.external import ExternalTables
from storage.folder import FolderObjects
from storage.index import Index
from storage.location import (
    BUCKET_FORMS,
    BUCKETS,
    database_file_of,
    folder_of,
    scheme_of,
    unknown_scheme,
)
from storage.objects import Objects
from storage.parquet.archive import ParquetArchive
from storage.parquet.connection import ParquetTables
from storage.parquet.engine import Engine
from storage.settings import StorageSettings
from storage.sqlite.index import SqliteIndex


@dataclass(frozen=True)
class Stores:
    """Archive, index and objects of one process."""

    archive: Archive
    index: Index
    objects: Objects


def open_objects(settings: StorageSettings) -> Objects:
    """The objects that a URL names; detect steps open nothing else."""
    scheme = scheme_of(settings.objects)
    if scheme == "file":
        return FolderObjects(folder_of("objects", settings.objects))
    if scheme in BUCKETS:
        from storage.s3.objects import S3Objects  # noqa: PLC0415 - not needed for folders

        return S3Objects(settings.objects, settings.s3, settings.scratch)
    raise unknown_scheme("objects", settings.objects, f"file:///folder or {BUCKET_FORMS}")


def open_index(settings: StorageSettings) -> Index:
    """The index that a URL names."""
    if scheme_of(settings.index) in ("http", "https"):
        from storage.elasticsearch import extra  # noqa: F401, PLC0415 - says what is missing
        from storage.elasticsearch.index import ElasticsearchIndex  # noqa: PLC0415 - an extra

        return ElasticsearchIndex(settings.index, settings.elasticsearch)
    if scheme_of(settings.index) == "sqlite":
        return SqliteIndex(database_file_of("index", settings.index))
    raise unknown_scheme(
        "index", settings.index, "sqlite:////absolute/file.db or https://elasticsearch:9200"
    )


def open_archive(settings: StorageSettings) -> Archive:
    """The archive that a URL names, and the named connections it may read besides."""
    engine = Engine(settings.memory_limit_mb, settings.threads, settings.scratch)
    if scheme_of(settings.archive) in BUCKETS:
        from storage.s3.archive import S3Archive  # noqa: PLC0415 - not needed for folders
        from storage.s3.files import BucketFiles  # noqa: PLC0415 - not needed for folders

        bucket = BucketFiles(settings.archive, settings.s3, settings.scratch)
        return S3Archive(bucket, engine, open_connections(settings, engine))
    if scheme_of(settings.archive) == "hive":
        from storage.hive.opening import open_hive_archive  # noqa: PLC0415 - an extra

        connections = open_connections(settings, engine)
        return open_hive_archive(settings, engine, connections, open_archive, open_objects)
    return ParquetArchive(
        folder_of("archive", settings.archive), engine, open_connections(settings, engine)
    )


def open_connections(settings: StorageSettings, engine: Engine) -> dict[str, ExternalTables]:
    """The named connections, which any archive may read; nothing is connected before it is used."""
    return {
        one.name: _open_connection(settings, one, engine) for one in named(settings.connections)
    }


def _open_connection(
    settings: StorageSettings, connection: Connection, engine: Engine
) -> ExternalTables:
    if scheme_of(connection.url) in BUCKETS:
        from storage.s3.files import BucketFiles  # noqa: PLC0415 - not needed for folders
        from storage.s3.tables import S3Tables  # noqa: PLC0415 - not needed for folders

        return S3Tables(BucketFiles(connection.url, settings.s3, settings.scratch), engine)
    if scheme_of(connection.url) == "hive":
        from storage.hive.opening import open_hive_tables  # noqa: PLC0415 - an extra

        return open_hive_tables(connection, settings)
    return ParquetTables(folder_of(f"connection {connection.name}", connection.url), engine)


@contextmanager
def open_stores(settings: StorageSettings) -> Iterator[Stores]:
    """Open what the URLs name; an unknown scheme is refused with the ones that are known."""
    with ExitStack() as stack:
        objects = open_objects(settings)
        index = open_index(settings)
        stack.callback(index.close)
        archive = open_archive(settings)
        stack.callback(archive.close)
        yield Stores(archive, index, objects)

"""Opens the Hive archive and Hive connections that settings name; nothing is connected yet."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from storage.archive import Archive
from storage.connections import Connection, section
from storage.external import Connections
from storage.hive.archive import ExternalLoading, HiveArchive, Loading
from storage.hive.connection import HiveConnection
from storage.hive.external import HiveTables
from storage.hive.insert import InsertLoading
from storage.hive.options import ARCHIVE, HiveOptions, hive_options
from storage.hive.place import archive_place
from storage.hive.staging import Staging
from storage.objects import Objects
from storage.parquet.engine import Engine
from storage.settings import StorageSettings

# What the archive's own statements need; a section's own words win.
_SESSION: Mapping[str, Mapping[str, str]] = {
    "hive": {
        "hive.exec.dynamic.partition.mode": "nonstrict",
        "hive.exec.max.dynamic.partitions": "100000",
        "hive.exec.max.dynamic.partitions.pernode": "100000",
    },
    "spark": {
        # Otherwise an overwriting insert clears the partitions that it does not write, too.
        "spark.sql.sources.partitionOverwriteMode": "dynamic",
        # Files come and go behind its back.
        "spark.sql.hive.filesourcePartitionFileCacheSize": "0",
    },
}
# Hive 4's vectorized reader gives an empty map as null -> null, which cannot be written again.
# Its own sort by partition would undo the order of the rows.
_WRITING: Mapping[str, Mapping[str, str]] = {
    "hive": {
        "hive.vectorized.execution.enabled": "false",
        "hive.optimize.sort.dynamic.partition.threshold": "-1",
    },
    "spark": {},
}


def open_hive_archive(
    settings: StorageSettings,
    engine: Engine,
    connections: Connections,
    files: Callable[[StorageSettings], Archive],
    objects: Callable[[StorageSettings], Objects],
) -> HiveArchive:
    """The archive of a ``hive://`` URL; ``files`` and ``objects`` open what its location names."""
    place = archive_place(settings.archive)
    words = section(settings.connections, ARCHIVE)
    options = hive_options(ARCHIVE, place.server, words, settings.s3.ca_bundle)
    connection = HiveConnection(ARCHIVE, _with_session(options))
    writing = HiveConnection(ARCHIVE, _with(_with_session(options), _WRITING[options.dialect]))
    below = objects(replace(settings, objects=place.location))
    staging = Staging(writing, below, place.seen, place.stage_rows)
    loading: Loading
    if place.load == "external":
        inner = replace(settings, archive=place.location, connections=())
        loading = ExternalLoading(connection, files(inner))
    else:
        loading = InsertLoading(writing, below, place.seen, settings.scratch)
    return HiveArchive(connection, place, loading, connections, engine, staging)


def open_hive_tables(connection: Connection, settings: StorageSettings) -> HiveTables:
    """A named connection to a Hive or Spark server."""
    options = hive_options(
        connection.name, connection.url, connection.options, settings.s3.ca_bundle
    )
    return HiveTables(HiveConnection(connection.name, options))


def _with_session(options: HiveOptions) -> HiveOptions:
    return _with(options, _SESSION[options.dialect])


def _with(options: HiveOptions, settings: Mapping[str, str]) -> HiveOptions:
    return replace(options, session={**settings, **options.session})

"""A Hive server: session, version, and the right to do what Lupus does there."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from service.settings import Settings
from storage.check import Finding
from storage.connections import Connection, section
from storage.errors import NotFoundError, RefusedError, StorageError

if TYPE_CHECKING:
    from storage.hive.connection import HiveConnection

_SECONDS = 60.0  # a server that starts its first session takes half a minute
_PATTERN_SIGNS = "*?[%"


def check_archive(part: str, settings: Settings) -> Iterator[Finding]:
    """Whether tables can be made in its database."""
    from storage.hive.place import archive_place  # noqa: PLC0415 - with Hive only

    try:
        url = archive_place(settings.archive_url).server
    except StorageError as error:
        yield Finding(part, "settings", "failed", str(error), "correct LUPUS_ARCHIVE")
        return
    options = section(settings.stores.connections, part)
    yield from _check(part, url, options, settings, _make_table)


def check_connection(part: str, connection: Connection, settings: Settings) -> Iterator[Finding]:
    """Whether the tables that its allow-list names can be read."""
    yield from _check(part, connection.url, connection.options, settings, _read_tables)


def _check(
    part: str,
    url: str,
    words: Mapping[str, Any],
    settings: Settings,
    use: Callable[[str, "HiveConnection"], Iterator[Finding]],
) -> Iterator[Finding]:
    try:
        from storage.hive.connection import HiveConnection  # noqa: PLC0415 - an extra
        from storage.hive.options import hive_options  # noqa: PLC0415 - with Hive only

        options = hive_options(part.split(" ")[-1], url, words, settings.ca_bundle)
    except StorageError as error:
        yield Finding(part, "settings", "failed", str(error), "correct the setting")
        return
    connection = HiveConnection(options_name(part), options)
    try:
        version = str(connection.table("SELECT version()", _SECONDS).column(0)[0].as_py())
        yield Finding(part, "session", "ok", f"{options.host}:{options.port}/{options.database}")
        yield Finding(part, "version", "ok", version.split(" ")[0])
        yield from use(part, connection)
    except StorageError as error:
        yield _failure(part, error)
    finally:
        connection.close()


def options_name(part: str) -> str:
    """The name of the connection of a part: ``connection warehouse`` is ``warehouse``."""
    return part.rsplit(" ", 1)[-1]


def _failure(part: str, error: StorageError) -> Finding:
    if isinstance(error, RefusedError):
        advice = "check user, password_file or keytab of the connection, and its rights"
        return Finding(part, "credentials", "failed", str(error), advice)
    if isinstance(error, NotFoundError) or "does not exist" in str(error):
        return Finding(part, "database", "failed", str(error), "create it, or correct the url")
    advice = "check host, port, transport and TLS of the connection, and that the server runs"
    return Finding(part, "session", "failed", str(error), advice)


def _make_table(part: str, connection: "HiveConnection") -> Iterator[Finding]:
    name = f"`{connection.options.database}`.`lupus_doctor_{secrets.token_hex(6)}`"
    try:
        connection.execute(f"CREATE TABLE {name} (`x` bigint) STORED AS PARQUET", _SECONDS)
        connection.execute(f"DROP TABLE {name}", _SECONDS)
    except StorageError as error:
        advice = "let this user create and drop tables in the archive's database"
        yield Finding(part, "create tables", "failed", str(error), advice)
    else:
        yield Finding(part, "create tables", "ok", connection.options.database)
    finally:
        with suppress(StorageError):
            connection.execute(f"DROP TABLE IF EXISTS {name}", _SECONDS)


def _read_tables(part: str, connection: "HiveConnection") -> Iterator[Finding]:
    from storage.hive.catalog import TableName, describe  # noqa: PLC0415 - with Hive only

    named = [one for one in connection.options.tables if not set(one) & set(_PATTERN_SIGNS)]
    if not connection.options.tables:
        advice = "add tables = [...]: else every table that this user may read is open to sources"
        yield Finding(part, "tables", "warning", "no allow-list", advice)
    for written in named:
        table = TableName.of(written, connection.options.database)
        try:
            describe(connection, table)
            connection.table(f"SELECT * FROM {table.quoted} LIMIT 1", _SECONDS)  # noqa: S608
        except StorageError as error:
            advice = "grant this user SELECT on it, or take it off the list"
            yield Finding(part, f"table {table}", "failed", str(error), advice)
        else:
            yield Finding(part, f"table {table}", "ok", "can be read")

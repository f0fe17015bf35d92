"""The database: reach, credentials, version, encoding, rights, revision, connections, clock."""

import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from service.database.engine import Database, open_database
from service.database.migrate import check_revision
from service.database.tables import metadata
from service.doctor.folders import check_folder
from service.errors import (
    DatabaseBusyError,
    DatabaseError,
    NewerDatabaseError,
    OlderDatabaseError,
    SettingsError,
)
from service.settings import Settings
from service.settings.checks import is_loopback
from storage.check import Finding

PART = "database"
_OLDEST_SERVER = 13
_SKEW_SECONDS = 5.0
_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")


def check(settings: Settings) -> Iterator[Finding]:
    """A file, or a server."""
    try:
        database = open_database(settings.database_url, settings.database_access)
    except SettingsError as error:
        yield Finding(PART, "settings", "failed", str(error), "correct LUPUS_DATABASE")
        return
    try:
        if database.engine.dialect.name == "sqlite":
            yield from _check_file(database)
        else:
            yield from _check_server(database, settings)
    finally:
        database.close()


def _check_file(database: Database) -> Iterator[Finding]:
    file = Path(str(database.engine.url.database))
    yield from check_folder(PART, "file", file.parent, "LUPUS_DATABASE")
    if not file.exists():
        yield Finding(PART, "revision", "ok", f"{file} is made at the first start")
        return
    try:
        with database.write():  # takes the lock and changes nothing
            pass
    except DatabaseError as error:
        advice = "end what holds it, give this user the right to write, or restore a backup"
        yield Finding(PART, "reach", "failed", str(error), advice)
        return
    yield Finding(PART, "reach", "ok", f"{file} can be written")
    yield _revision(database)


def _check_server(database: Database, settings: Settings) -> Iterator[Finding]:
    try:
        with database.read() as tx:
            number = int(tx.execute(text("SHOW server_version_num")).scalar_one()) // 10000
    except DatabaseError as error:
        yield _unreached(error)
        return
    yield Finding(PART, "reach", "ok", database.name)
    yield _version(number)
    looks = (_encoding, _encryption, _rights, _room, _clock)
    for look in looks:
        try:
            with database.read() as tx:
                yield look(tx, settings)
        except DatabaseError as error:
            advice = "ask the database's administrator"
            yield Finding(PART, look.__name__.strip("_"), "warning", str(error), advice)
    yield _revision(database)


def _unreached(error: DatabaseError) -> Finding:
    told = str(error)
    if isinstance(error, DatabaseBusyError):
        advice = (
            "check host and port in LUPUS_DATABASE, that the server runs and takes writes (no "
            "standby), and that this machine may reach it"
        )
        return Finding(PART, "reach", "failed", told, advice)
    if "certificate" in told or "root.crt" in told:
        advice = "set LUPUS_CA_BUNDLE to the authority that signed the server's certificate"
        return Finding(PART, "certificate", "failed", told, advice)
    if 'database "' in told:
        advice = "create it (CREATE DATABASE name ENCODING 'UTF8'), or correct LUPUS_DATABASE"
        return Finding(PART, "reach", "failed", told, advice)
    advice = (
        "check the user in LUPUS_DATABASE and LUPUS_DATABASE_PASSWORD (or its _FILE), and that "
        "pg_hba.conf lets this user come from here"
    )
    return Finding(PART, "credentials", "failed", told, advice)


def _version(number: int) -> Finding:
    told = f"PostgreSQL {number}"
    if number < _OLDEST_SERVER:
        return Finding(PART, "version", "failed", told, f"needs {_OLDEST_SERVER} or newer")
    return Finding(PART, "version", "ok", told)


def _encoding(tx: Connection, _settings: Settings) -> Finding:
    seen = str(tx.execute(text("SHOW server_encoding")).scalar_one())
    if seen != "UTF8":
        advice = "create the database with ENCODING 'UTF8': names are stored in any language"
        return Finding(PART, "encoding", "failed", seen, advice)
    return Finding(PART, "encoding", "ok", seen)


def _encryption(tx: Connection, _settings: Settings) -> Finding:
    query = "SELECT coalesce(bool_or(ssl), false) FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    url = tx.engine.url
    if tx.execute(text(query)).scalar_one():
        verified = str(url.query.get("sslmode", "")) in ("verify-ca", "verify-full")
        told = "TLS, the server is verified" if verified else "TLS, the server is not verified"
        advice = "add ?sslmode=verify-full to LUPUS_DATABASE and set LUPUS_CA_BUNDLE"
        return Finding(PART, "encryption", "ok" if verified else "warning", told, advice)
    if is_loopback(url.host or ""):
        return Finding(PART, "encryption", "ok", "none, on this machine")
    advice = "turn TLS on at the server and add ?sslmode=verify-full to LUPUS_DATABASE"
    return Finding(PART, "encryption", "warning", "none: others may read along", advice)


def _rights(tx: Connection, _settings: Settings) -> Finding:
    user = str(tx.execute(text("SELECT quote_ident(current_user)")).scalar_one())
    there = set(inspect(tx).get_table_names())
    tables = sorted(set(metadata.tables) & there)
    lacking = [
        f"{right} on {table}"
        for table in tables
        for right in _RIGHTS
        if not tx.execute(
            text("SELECT has_table_privilege(:name, :right)"), {"name": table, "right": right}
        ).scalar_one()
    ]
    if lacking:
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        told = f"{user} lacks {', '.join(lacking[:3])}{more}"
        advice = f"GRANT {', '.join(_RIGHTS)} ON ALL TABLES IN SCHEMA public TO {user}"
        return Finding(PART, "rights", "failed", told, advice)
    makes = tx.execute(
        text("SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)")
    ).scalar_one()
    if makes:
        return Finding(PART, "rights", "ok", f"{user} may read, write and migrate")
    advice = f"GRANT CREATE ON SCHEMA public TO {user}, or let another user run migrations"
    told = f"{user} may not make tables"
    return Finding(PART, "rights", "warning" if tables else "failed", told, advice)


def _room(tx: Connection, settings: Settings) -> Finding:
    most = int(tx.execute(text("SHOW max_connections")).scalar_one())
    mine = settings.database_connections
    told = f"a process takes up to {mine} of the server's {most} connections"
    if mine * 2 > most:
        advice = "lower LUPUS_DATABASE_CONNECTIONS or raise max_connections: two processes fill it"
        return Finding(PART, "connections", "warning", told, advice)
    return Finding(PART, "connections", "ok", told)


def _clock(tx: Connection, _settings: Settings) -> Finding:
    before = time.time()
    theirs = float(tx.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())
    skew = theirs - (before + time.time()) / 2
    told = f"{abs(skew):.1f} s apart"
    if abs(skew) > _SKEW_SECONDS:
        advice = "set both machines' clocks by NTP: times in messages and ranges come from ours"
        return Finding(PART, "clock", "warning", told, advice)
    return Finding(PART, "clock", "ok", told)


def _revision(database: Database) -> Finding:
    try:
        check_revision(database)
    except OlderDatabaseError as error:
        advice = "run lupus-server migrate, or start the service, which does"
        return Finding(PART, "revision", "warning", str(error), advice)
    except NewerDatabaseError as error:
        advice = "run the newer version, or restore the backup from before"
        return Finding(PART, "revision", "failed", str(error), advice)
    except DatabaseError as error:
        return Finding(PART, "revision", "failed", str(error), "see the message")
    return Finding(PART, "revision", "ok", "of this version")

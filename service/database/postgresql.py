"""The database on a PostgreSQL server: many writers at once.

Writes are READ COMMITTED: a statement that waited for a row sees what the other one made of it, so
counters, fences and the queue's SKIP LOCKED need no second try. What is checked before it is
written takes a lock first (`locks`, ``FOR UPDATE``) or leaves the check to a unique key. Reads are
one REPEATABLE READ snapshot, which never fails and never waits.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from service.database.access import BUSY_SECONDS, Access
from service.errors import (
    DatabaseBusyError,
    DatabaseError,
    DatabaseFullError,
    RequestError,
    SettingsError,
)
from storage.errors import InvalidError

WRITES = "lupus_write"
_VERIFYING = ("require", "verify-ca", "verify-full")

# Milliseconds. A process that hangs or is cut off in a
# transaction must not keep its rows for longer than others wait for a lost lease.
_SESSION = {
    "lock_timeout": int(BUSY_SECONDS * 1000),
    "statement_timeout": 60_000,
    "idle_in_transaction_session_timeout": 60_000,
}
# Seconds, but for the last: a server that vanished without a word is noticed within a lease.
_LIVENESS = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
_POOL_SECONDS = 30
_RECYCLE_SECONDS = 1800  # so that a server that was away gets its share again

# 08 connection, 40 rolled back by conflict or deadlock, 53 out of resources, 55P03 lock not
# available, 57 operator and time-outs, 25P03 idle in a transaction, 58 the machine's own trouble.
_TRANSIENT = ("08", "40", "53", "55P03", "57", "25P03", "58")
_DISK_FULL = "53100"
_READ_ONLY = "25006"  # the server became a standby
# Errors while connecting come without a code.
_LASTING_REFUSALS = (
    "password authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "does not exist",
    "permission denied",
    "certificate",
    "root.crt",
)


def make_engine(url: str, access: Access) -> Engine:
    """A pool of connections to a server.

    Raises
    ------
    SettingsError
        The driver is not installed.
    """
    try:
        engine = create_engine(
            make_url(url),
            pool_size=access.connections,
            max_overflow=0,
            pool_timeout=_POOL_SECONDS,
            pool_recycle=_RECYCLE_SECONDS,
            pool_pre_ping=True,  # after a restart of the server nobody meets a dead connection
            hide_parameters=True,  # an error's text never shows what callers sent
            connect_args=_connect_arguments(make_url(url), access),
        )
    except ModuleNotFoundError:
        raise SettingsError(
            "LUPUS_DATABASE on PostgreSQL needs the extra: pip install 'lupus-server[postgres]'"
        ) from None
    event.listen(engine, "do_connect", _password_reader(access))
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "handle_error", _leave_a_standby)
    return engine


def writer_of(engine: Engine) -> Engine:
    """Its transactions may write, and wait only for rows that another one writes."""
    return engine.execution_options(**{WRITES: True})


def turn_of(_writer: Engine) -> AbstractContextManager[None]:
    """The server hands its locks on in turns itself."""
    return nullcontext()


def reader_of(engine: Engine) -> Engine:
    """Its transactions see one state and write nothing."""
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def error_of(error: DBAPIError, _engine: Engine) -> DatabaseError | RequestError:
    """What the rooms above are told; never the detail line, which shows values of rows."""
    code = getattr(error.orig, "sqlstate", None)
    told = _message_of(error.orig)
    if code is None and isinstance(error, DataError):
        # The driver did not even ask: a name in a path or a query holds a NUL.
        return RequestError(f"the database keeps no such text: {told}")
    if code is None:
        if any(words in told for words in _LASTING_REFUSALS):
            return DatabaseError(f"the database refuses the connection: {told}")
        return DatabaseBusyError(f"the database cannot be reached: {told}")
    if code.startswith("28") or code == "3D000":
        return DatabaseError(f"the database refuses the connection: {told}")
    if code == _DISK_FULL:
        return DatabaseFullError(f"the database has no room left: {told} ({code})")
    if code.startswith(_TRANSIENT) or code == _READ_ONLY:
        return DatabaseBusyError(f"the database is busy or went away: {told} ({code})")
    return DatabaseError(f"the database failed: {told} ({code})")


def _message_of(error: BaseException | None) -> str:
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    return " ".join(str(primary or error).split())


def _connect_arguments(url: URL, access: Access) -> dict[str, Any]:
    arguments: dict[str, Any] = {**_LIVENESS, "application_name": "lupus"}
    asked = url.query.get("sslmode")
    if access.ca_bundle and asked in _VERIFYING:
        arguments["sslrootcert"] = str(access.ca_bundle)
    arguments["target_session_attrs"] = "read-write"  # of several hosts: the one that is not a copy
    # What the URL says wins over our defaults.
    return {name: value for name, value in arguments.items() if name not in url.query}


def _password_reader(access: Access) -> Any:
    def read_password(_dialect: Any, _record: Any, _args: Any, parameters: dict[str, Any]) -> None:
        if access.password:
            try:
                parameters["password"] = access.password.read()
            except InvalidError as error:
                raise DatabaseError(f"the database's password: {error}") from None

    return read_password


def _prepare(connection: Any, _entry: ConnectionPoolEntry) -> None:
    before = connection.autocommit
    connection.autocommit = True
    connection.execute("; ".join(f"SET {name} = {value}" for name, value in _SESSION.items()))
    connection.autocommit = before


def _leave_a_standby(context: ExceptionContext) -> None:
    """After a failover the old connections still work, but nothing can be written there."""
    writes = context.execution_context is not None and context.execution_context.execution_options
    if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY and writes:
        context.is_disconnect = bool(writes.get(WRITES))

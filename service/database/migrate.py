"""Brings the tables up to this version's, and refuses a database of a newer one."""

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from service.database.engine import Database
from service.database.locks import lock
from service.errors import NewerDatabaseError, OlderDatabaseError, RequestError

_log = logging.getLogger(__name__)
_FOLDER = Path(__file__).parent / "migrations"


def upgrade(database: Database) -> str | None:
    """Migrate in one transaction; returns the new revision, or None when nothing was to do.

    Two processes may call it at once: the second waits and finds nothing to do.
    """
    with database.write() as tx:
        _wait_for_others(tx)
        current, head = _revisions(tx, database)
        if current == head:
            return None
        config = _config()
        config.attributes["connection"] = tx
        command.upgrade(config, "head")
        _log.info("database migrated from %s to %s", current or "nothing", head)
        return head


def downgrade(database: Database, revision: str) -> None:
    """Go back to an older version's tables, in one transaction: what only this version knows is
    lost. Nobody else may work with the database meanwhile."""
    with database.write() as tx:
        _wait_for_others(tx)
        current, _ = _revisions(tx, database)
        script = ScriptDirectory.from_config(_config())
        older = [
            one.revision
            for one in script.iterate_revisions(current or "base", "base")
            if one.revision != current
        ]
        if revision not in older:
            raise RequestError(
                f"the database {database.name} is at {current or 'none'}; it can go back to "
                f"{', '.join(sorted(older)) or 'nothing'}"
            )
        config = _config()
        config.attributes["connection"] = tx
        command.downgrade(config, revision)
        _log.info("database taken back from %s to %s", current, revision)


def _wait_for_others(tx: Connection) -> None:
    if tx.dialect.name != "postgresql":
        return
    # Until now nothing is locked, so waiting long harms nobody; a table is waited for briefly,
    # because whoever comes after waits behind us.
    tx.exec_driver_sql("SET LOCAL statement_timeout = 0")
    tx.exec_driver_sql("SET LOCAL lock_timeout = 0")
    lock(tx, "migrations")
    tx.exec_driver_sql("SET LOCAL lock_timeout = '30s'")


def check_revision(database: Database) -> None:
    """Raise when the database is not of this version: for processes that do not migrate."""
    with database.read() as tx:
        current, head = _revisions(tx, database)
    if current != head:
        raise OlderDatabaseError(
            f"the database {database.name} is at revision {current or 'none'}, this version needs "
            f"{head}: run `lupus-server migrate`"
        )


def revision_of(database: Database) -> str | None:
    """Of which version the tables are; None when there are none."""
    with database.read() as tx:
        return MigrationContext.configure(tx).get_current_revision()


def _revisions(tx: Connection, database: Database) -> tuple[str | None, str]:
    script = ScriptDirectory.from_config(_config())
    head = script.get_current_head()
    assert head is not None
    current = MigrationContext.configure(tx).get_current_revision()
    known = {revision.revision for revision in script.walk_revisions()}
    if current is not None and current not in known:
        raise NewerDatabaseError(
            f"the database {database.name} is at revision {current}, which this version does not "
            "know: a newer version made it. Run that version, or restore the backup from before"
        )
    return current, head


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return config

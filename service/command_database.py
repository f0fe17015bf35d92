"""The database for commands that need nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager

from service.clock import Clock, SystemClock
from service.database.engine import Database, open_database
from service.database.migrate import upgrade
from service.settings import load_settings


@contextmanager
def open_for_commands() -> Iterator[tuple[Database, Clock]]:
    """The database of the settings, made when it is not there."""
    settings = load_settings()
    settings.folder.mkdir(parents=True, exist_ok=True)
    database = open_database(settings.database_url, settings.database_access)
    try:
        upgrade(database)
        yield database, SystemClock()
    finally:
        database.close()

"""Secrets: their files can be read, and the key still opens what it once locked."""

import stat
from collections.abc import Iterator
from pathlib import Path

from service.database.channels import list_channels
from service.database.engine import open_database
from service.errors import DatabaseError, SecretError, SettingsError
from service.notifications.channels import kept
from service.secret_box import SecretBox, open_secret_box
from service.settings import Settings, secret_fields
from storage.check import Finding
from storage.errors import StorageError

PART = "secrets"


def check(settings: Settings) -> Iterator[Finding]:
    """Each file, then the key."""
    for name in secret_fields():
        if settings.secret(name).file is not None:
            yield _file(settings, name)
    yield from _key(settings)


def _file(settings: Settings, name: str) -> Finding:
    secret, shown = settings.secret(name), f"LUPUS_{name.upper()}_FILE"
    assert secret.file is not None
    try:
        there = bool(secret.read())
    except StorageError as error:
        return Finding(PART, shown, "failed", str(error), "mount it, or give this user the right")
    if not there:
        return Finding(PART, shown, "failed", f"{secret.file} is empty", "write the secret into it")
    if _others_read(secret.file):
        told = f"{secret.file} can be read by every user of this machine"
        return Finding(PART, shown, "warning", told, f"chmod o-r {secret.file}")
    return Finding(PART, shown, "ok", f"{secret.file} can be read")


def _others_read(file: Path) -> bool:
    # A container has one user, so what a mounted secret's mode says of others means nothing there.
    mounted = file.resolve().parent.name.startswith("..")
    return not mounted and bool(file.stat().st_mode & stat.S_IROTH)


def _key(settings: Settings) -> Iterator[Finding]:
    file = settings.folder / "secret.key"
    given = settings.secret_key.get_secret_value() if settings.secret_key else None
    if given is None and not file.exists():
        if settings.database_url.startswith("sqlite"):
            yield Finding(PART, "key", "ok", f"{file} is made at the first start")
        else:
            told = f"no LUPUS_SECRET_KEY: {file} would be made, for this machine alone"
            advice = "set LUPUS_SECRET_KEY (or its _FILE), the same for every process"
            yield Finding(PART, "key", "warning", told, advice)
        return
    try:
        box = open_secret_box(given, file)
    except SettingsError as error:
        yield Finding(
            PART, "key", "failed", str(error), "restore the file, or set LUPUS_SECRET_KEY"
        )
        return
    yield from _opened(settings, box)


def _opened(settings: Settings, box: SecretBox) -> Iterator[Finding]:
    database = open_database(settings.database_url, settings.database_access)
    try:
        if database.engine.dialect.name == "sqlite":
            file = Path(str(database.engine.url.database))
            if not file.exists():
                yield Finding(PART, "key", "ok", "nothing is locked with it yet")
                return
        with database.read() as tx:
            channels = list_channels(tx)
        for channel in channels:
            kept(box, channel)
    except SecretError as error:
        advice = "set LUPUS_SECRET_KEY to the key of that time"
        yield Finding(PART, "key", "failed", f"channel {channel.name}: {error}", advice)
    except DatabaseError:
        # The database has rows of its own for that, also for one without tables.
        yield Finding(PART, "key", "ok", "there; not tried, because the database cannot be read")
    else:
        yield Finding(PART, "key", "ok", f"opens the secrets of {len(channels)} channels")
    finally:
        database.close()

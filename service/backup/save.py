"""Makes a backup beside a service at work."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, or_, select

from service.backup.copying import copy_file, copy_partition, copy_sqlite, files_below
from service.backup.manifest import (
    ARCHIVE,
    DATABASE,
    INGESTS,
    KEY,
    Manifest,
    write_manifest,
)
from service.clock import DAY_MS
from service.database import tables
from service.database.engine import Database, open_database
from service.database.ingests import ACTIVE
from service.database.migrate import revision_of
from service.errors import BackupError
from service.settings import Settings
from service.version import VERSION
from storage.location import database_file_of, folder_of, scheme_of
from storage.parquet import layout


@dataclass(frozen=True)
class Backup:
    """One backup of what the settings name, into a folder that is new."""

    settings: Settings
    folder: Path
    now_ms: int

    def save(self) -> Manifest:
        """Database, payloads that are not stored yet, archive, key: in this order."""
        if self.folder.exists() and any(self.folder.iterdir()):
            raise BackupError(f"{self.folder} is not empty: name a new folder")
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        database, size = self._database()
        try:
            ingests, staged = self._payloads(database)
            revision = revision_of(database)
        finally:
            database.close()
        files, bytes_ = self._archive()
        manifest = Manifest(
            at=datetime.fromtimestamp(self.now_ms / 1000, UTC).isoformat(timespec="seconds"),
            version=VERSION,
            revision=revision or "",
            database=self._has_database,
            archive=scheme_of(self.settings.archive_url) == "file",
            key=self._key(),
            files=files,
            bytes=bytes_ + size + staged,
            ingests=ingests,
        )
        write_manifest(self.folder, manifest)
        return manifest

    @property
    def _has_database(self) -> bool:
        return scheme_of(self.settings.database_url) == "sqlite"

    def _database(self) -> tuple[Database, int]:
        """The copy, or a server, which has means of its own; what is read next is read there."""
        url = self.settings.database_url
        if not self._has_database:
            return open_database(url, self.settings.database_access), 0
        file = database_file_of("database", url)
        if not file.exists():
            raise BackupError(f"there is no database {file}: nothing to back up")
        size = copy_sqlite(file, self.folder / DATABASE)
        return open_database(f"sqlite:///{(self.folder / DATABASE).resolve()}"), size

    def _payloads(self, database: Database) -> tuple[int, int]:
        """Points that were accepted and are in no archive yet."""
        if scheme_of(self.settings.objects_url) != "file":
            return 0, 0
        objects = folder_of("objects", self.settings.objects_url)
        with database.read() as tx:
            ids = _unstored(tx, self.now_ms)
        size = 0
        for id_ in ids:
            for file in files_below(objects / INGESTS / id_):
                size += copy_file(file, self.folder / file.relative_to(objects))
        return len(ids), size

    def _archive(self) -> tuple[int, int]:
        if scheme_of(self.settings.archive_url) != "file":
            return 0, 0
        root = folder_of("archive", self.settings.archive_url)
        files = bytes_ = 0
        for kind in layout.KINDS:
            for folder in sorted(root.glob(f"{kind}/source=*/dt=*")):
                target = self.folder / ARCHIVE / folder.relative_to(root)
                found, size = copy_partition(layout.live_files, folder, target)
                files, bytes_ = files + found, bytes_ + size
        return files, bytes_

    def _key(self) -> bool:
        """The key that reads the channels' secrets, unless the settings have it."""
        file = self.settings.folder / KEY
        if self.settings.secret_key or not file.exists():
            return False
        copy_file(file, self.folder / KEY)
        (self.folder / KEY).chmod(0o600)
        return True


def _unstored(tx: Connection, now_ms: int) -> list[str]:
    ingests = tables.ingests
    which: ColumnElement[bool] = ingests.c.state.in_(ACTIVE)
    if tx.dialect.name != "sqlite":
        # A dump of a server was made before this: what has ended since is not over in it.
        which = or_(which, ingests.c.ended_ms > now_ms - DAY_MS)
    return list(tx.execute(select(ingests.c.id).where(which).order_by(ingests.c.id)).scalars())

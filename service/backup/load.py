"""Comes back from a backup: files into their places, then the database is settled."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from service.backup.copying import copy_file, files_below
from service.backup.manifest import ARCHIVE, DATABASE, INGESTS, KEY, Manifest, read_manifest
from service.backup.settle import Settled, refuse_a_database_at_work, settle
from service.database.engine import Database, open_database
from service.database.migrate import revision_of, upgrade
from service.errors import BackupError
from service.settings import Settings
from storage.location import database_file_of, folder_of, scheme_of


@dataclass(frozen=True)
class Restoration:
    """One backup, into the places that the settings name; they must be empty."""

    settings: Settings
    folder: Path
    now_ms: int

    def load(self) -> tuple[Manifest, Settled]:
        """Everything that the backup has; a database server's dump is loaded before this."""
        manifest = read_manifest(self.folder)
        self._check(manifest)
        if manifest.archive:
            self._copy(ARCHIVE, folder_of("archive", self.settings.archive_url))
        if manifest.ingests and (self.folder / INGESTS).is_dir():
            objects = folder_of("objects", self.settings.objects_url)
            self._copy(INGESTS, objects / INGESTS)
        if manifest.key:
            copy_file(self.folder / KEY, self.settings.folder / KEY)
            (self.settings.folder / KEY).chmod(0o600)
        if manifest.database:
            self._copy_database()  # last: without it nothing has been restored yet
        return manifest, self._settle(manifest)

    def _check(self, manifest: Manifest) -> None:
        """Refuse before anything is written."""
        settings = self.settings
        if manifest.database != (scheme_of(settings.database_url) == "sqlite"):
            raise BackupError(
                "this backup was made with another kind of database than LUPUS_DATABASE names"
            )
        if manifest.database and database_file_of("database", settings.database_url).exists():
            raise BackupError(
                f"{database_file_of('database', settings.database_url)} is there already: a "
                "backup is restored into an empty place; move the old one away"
            )
        if manifest.archive:
            place = folder_of("archive", settings.archive_url)
            if place.exists() and any(files_below(place)):
                raise BackupError(f"the archive {place} is not empty: move the old one away")
        if manifest.key and (settings.folder / KEY).exists():
            raise BackupError(f"{settings.folder / KEY} is there already: move the old one away")
        if not manifest.database:
            self._check_server()

    def _copy(self, name: str, target: Path) -> None:
        root = self.folder / name
        for file in files_below(root):
            copy_file(file, target / file.relative_to(root))

    def _copy_database(self) -> None:
        file = database_file_of("database", self.settings.database_url)
        draft = file.with_name(f".{file.name}.restored")
        copy_file(self.folder / DATABASE, draft)
        draft.chmod(0o600)
        draft.rename(file)

    def _settle(self, manifest: Manifest) -> Settled:
        with self._opened() as database:
            upgrade(database)
            with database.write() as tx:
                return settle(tx, self.now_ms, manifest.at)

    def _check_server(self) -> None:
        with self._opened() as database:
            if not revision_of(database):
                raise BackupError(
                    "the database is empty: load its own dump first (pg_restore), then this"
                )
            with database.read() as tx:
                refuse_a_database_at_work(tx, self.now_ms)

    @contextmanager
    def _opened(self) -> Iterator[Database]:
        database = open_database(self.settings.database_url, self.settings.database_access)
        try:
            yield database
        finally:
            database.close()

"""Objects in a folder, through obstore: the embedded implementation of `storage.objects`."""

import shutil
from pathlib import Path

import obstore
from obstore.store import LocalStore

from storage.errors import NotFoundError
from storage.object_names import checked_name
from storage.stored_objects import StoredObjects
from storage.translation import system_errors


class FolderObjects(StoredObjects):
    """Files below one folder.

    A write goes to a temporary name beside its place and is then linked or renamed, so a reader
    sees all of it or nothing; a killed writer leaves a temporary name that no listing shows.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        with system_errors(f"objects folder {root}"):
            root.mkdir(parents=True, exist_ok=True)
        super().__init__(LocalStore(root))

    def local_path(self, name: str) -> Path:
        """The file itself."""
        path = self._root / checked_name(name)
        if not path.is_file():
            raise NotFoundError(f"object {name}: does not exist")
        return path

    def delete_prefix(self, prefix: str) -> int:
        """Remove everything below; returns how many."""
        removed = sum(self._delete(name) for name in self.names(prefix))
        if prefix.endswith("/"):
            # What is left are empty folders and temporary names of killed writers.
            shutil.rmtree(self._root / prefix, ignore_errors=True)
        return removed

    def _delete(self, name: str) -> bool:
        try:
            self._asked(name, lambda: obstore.delete(self._store, name))
        except NotFoundError:
            return False  # somebody else removed it first
        return True

    def _listed(self, folder: str) -> list[str]:
        if folder and not (self._root / folder).is_dir():
            return []
        return super()._listed(folder)

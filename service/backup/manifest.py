"""What a backup says about itself."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from service.errors import BackupError

MANIFEST = "manifest.json"
DATABASE = "lupus.db"
ARCHIVE = "archive"
INGESTS = "ingest"
KEY = "secret.key"


@dataclass(frozen=True)
class Manifest:
    """When, by which version, and what is in it; what is not there is kept elsewhere."""

    at: str  # RFC 3339
    version: str
    revision: str  # of the database's tables
    database: bool
    archive: bool
    key: bool
    files: int
    bytes: int
    ingests: int  # payloads that were accepted and not stored yet


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """The last file of a backup: without it a folder is none."""
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1) + "\n", "utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Of a whole backup."""
    try:
        read = json.loads((folder / MANIFEST).read_text("utf-8"))
        return Manifest(**{field.name: read[field.name] for field in fields(Manifest)})
    except (OSError, ValueError, KeyError, TypeError):
        raise BackupError(
            f"{folder} is no backup: it has no readable {MANIFEST}, which is written last"
        ) from None

"""Where the three stores are; built once by the service and passed down."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StorageSettings:
    """URLs of archive, index and objects, and the named connections of external sources."""

    archive: str  # file:///... (hive://... later)
    index: str  # sqlite:///... (https://... later)
    objects: str  # file:///... (s3://... later)
    connections: tuple[tuple[str, str], ...] = ()  # name -> URL of a folder: file:///...
    scratch: Path | None = None  # where DuckDB may spill; None: the system's temporary folder
    memory_limit_mb: int = 1024
    threads: int = 2

"""What LUPUS_ARCHIVE says of a Hive archive besides the server: where files lie, who loads them.

``hive://host:10000/database?location=s3://bucket/prefix&load=external``: Lupus writes Parquet below
the location and makes the partitions known. With ``load=insert`` it stages Parquet there, and the
server inserts from it into tables of its own.
"""

from dataclasses import dataclass
from typing import Literal, cast
from urllib.parse import parse_qsl, urlsplit

from storage.errors import InvalidError
from storage.location import folder_of, scheme_of

Load = Literal["external", "insert"]
LOADS = ("external", "insert")
STAGE_ROWS = 200_000_000  # a scan of more is sorted by the server in many places at once
_SHAPE = "the archive URL must look like hive://host:10000/database?location=s3://bucket/prefix"


@dataclass(frozen=True)
class ArchivePlace:
    """A server's URL, the location of files, and who loads them."""

    server: str
    location: str
    load: Load
    stage_rows: int = STAGE_ROWS

    @property
    def seen(self) -> str:
        """The location as Hadoop names it."""
        if scheme_of(self.location) == "file":
            return f"file://{folder_of('location', self.location)}"
        scheme, _, rest = self.location.rstrip("/").partition("://")
        return f"{'s3a' if scheme.lower() == 's3' else scheme}://{rest}"


def archive_place(url: str) -> ArchivePlace:
    """Read the URL of a Hive archive.

    Raises
    ------
    InvalidError
        A word is missing, unknown or said twice.
    """
    parts = urlsplit(url)
    words = parse_qsl(parts.query, keep_blank_values=True)
    found = dict(words)
    unknown = sorted(set(found) - {"location", "load", "stage_rows"})
    if unknown or len(found) != len(words):
        raise InvalidError(
            f"{_SHAPE}&load=external: {unknown[0]!r} is not known" if unknown else
            f"{_SHAPE}: a word is said twice"
        )  # fmt: skip
    load = found.get("load", "external")
    if load not in LOADS:
        raise InvalidError(f"the archive URL: load={load!r}; allowed is {' or '.join(LOADS)}")
    if scheme_of(found.get("location", "")) not in ("file", "s3", "gs"):
        raise InvalidError(f"{_SHAPE}; the location is a bucket, or a folder that the server sees")
    stage_rows = found.get("stage_rows", str(STAGE_ROWS))
    if not stage_rows.isdecimal() or not int(stage_rows):
        raise InvalidError(f"the archive URL: stage_rows={stage_rows!r}; allowed are whole numbers")
    server = parts._replace(query="", fragment="").geturl()
    return ArchivePlace(server, found["location"], cast("Load", load), int(stage_rows))

"""The named places that external sources may read, from a TOML file; each is read-only.

``[warehouse]`` has a ``url``: a folder (``file:///...``), Parquet on S3 (``s3://bucket/...``), or a
Hive server (``hive://host:10000/database``) with the words of `storage.hive.options` below it. The
name ``archive`` is kept for the archive's own Hive server, whose URL is LUPUS_ARCHIVE.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storage.errors import InvalidError
from storage.location import folder_of

SETTING = "LUPUS_CONNECTIONS_FILE"


@dataclass(frozen=True)
class Connection:
    """A named place: where it is and, for a Hive server, how it is asked."""

    name: str
    url: str
    options: Mapping[str, Any] = field(default_factory=dict)


def read_connections(path: Path | None) -> tuple[Connection, ...]:
    """The connections of a file; without a file there are none.

    Raises
    ------
    InvalidError
        The file cannot be read, or says something else than names with a url.
    """
    if path is None:
        return ()
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InvalidError(f"{SETTING}: {error.strerror} ({path})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidError(f"{SETTING}: {path} is not TOML: {error}") from None
    found = []
    for name, table in tables.items():
        url = table.get("url") if isinstance(table, dict) and set(table) == {"url"} else None
        if not isinstance(url, str):
            raise InvalidError(
                f'{SETTING}: [{name}] must have exactly one line, url = "file:///folder"'
            )
        try:
            folder_of(f"[{name}]", url)
        except InvalidError as error:
            raise InvalidError(f"{SETTING}: {error}") from None
        found.append(Connection(name, url))
    return tuple(found)

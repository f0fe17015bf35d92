"""The named places that external sources may read, from a TOML file; each is read-only.

``[warehouse]`` has a ``url``: a folder (``file:///...``), Parquet on S3 (``s3://bucket/...``), or a
Hive server (``hive://host:10000/database``) with the words of `storage.hive.options` below it. The
name ``archive`` is kept for the archive's own Hive server, whose URL is LUPUS_ARCHIVE.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from storage.errors import InvalidError
from storage.hive.options import ARCHIVE, hive_options
from storage.location import folder_of, scheme_of, unknown_scheme

SETTING = "LUPUS_CONNECTIONS_FILE"
BUCKETS = ("s3", "gs", "az")


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
    return tuple(_connection(name, table) for name, table in tables.items())


def section(connections: Iterable[Connection], name: str) -> Mapping[str, Any]:
    """The options of one section, or none: those of ``archive`` go with LUPUS_ARCHIVE."""
    return next((one.options for one in connections if one.name == name), {})


def named(connections: Iterable[Connection]) -> tuple[Connection, ...]:
    """What external sources may name: every section but the archive's own."""
    return tuple(one for one in connections if one.name != ARCHIVE)


def _connection(name: str, table: object) -> Connection:
    if not isinstance(table, dict):
        raise InvalidError(f"{SETTING}: {name} stands outside of a section such as [warehouse]")
    options = dict(table)
    url = options.pop("url", None)
    try:
        if name == ARCHIVE:
            if url is not None:
                raise InvalidError(f"[{name}]: takes no url, which is LUPUS_ARCHIVE")
            hive_options(name, "hive://host/database", options)
            return Connection(name, "", options)
        if not isinstance(url, str):
            raise InvalidError(f'[{name}]: needs a line such as url = "file:///folder"')
        _check(name, url, options)
    except InvalidError as error:
        raise InvalidError(f"{SETTING}: {error}") from None
    return Connection(name, url, options)


def _check(name: str, url: str, options: Mapping[str, Any]) -> None:
    scheme = scheme_of(url)
    if scheme == "hive":
        hive_options(name, url, options)
        return
    if options:
        raise InvalidError(f"[{name}]: {min(options)!r} is not known: only url goes with {scheme}")
    if scheme in BUCKETS:
        parts = urlsplit(url)
        if not parts.netloc or "@" in parts.netloc:
            raise InvalidError(f"[{name}]: the url must look like {scheme}://bucket/folder")
    elif scheme == "file":
        folder_of(f"[{name}]", url)
    else:
        raise unknown_scheme(f"[{name}]", url, "file:///folder, s3://bucket/folder, hive://host")

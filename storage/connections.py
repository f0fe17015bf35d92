"""The named places that external sources may read: a TOML file, ``[warehouse]`` with its url."""

import tomllib
from pathlib import Path

from storage.errors import InvalidError
from storage.location import folder_of

SETTING = "LUPUS_CONNECTIONS_FILE"


def read_connections(path: Path | None) -> tuple[tuple[str, str], ...]:
    """Names and URLs of folders; without a file there are none.

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
        found.append((name, url))
    return tuple(found)

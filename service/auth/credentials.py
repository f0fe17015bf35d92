"""What a request says about its sender."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Credentials:
    """Header names are in lower case. The query may hold a key, so it is never shown."""

    headers: Mapping[str, str] = field(repr=False)
    client_host: str | None
    method: str = "GET"
    path: str = ""
    query: str = field(default="", repr=False)

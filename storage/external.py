"""Somebody else's tables read as points: one implementation for each kind of connection.

An archive keeps the points of managed sources. A source that is mapped onto somebody's own table
is read through the connection that its mapping names, whatever the archive itself is.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from storage.archive import Scan, SourceProbe
from storage.errors import NotFoundError
from storage.selector import Selector
from storage.series_key import SeriesKey
from storage.source import SourceSpec


class ExternalTables(Protocol):
    """The tables that one connection reaches. Nothing is ever written to them."""

    def scan(self, source: SourceSpec, selector: Selector) -> Scan:
        """Read the selected series once, ordered, duplicates resolved and counted."""
        ...

    def series(self, source: SourceSpec, selector: Selector) -> Sequence[SeriesKey]:
        """The series that have a point in the range."""
        ...

    def probe(self, source: SourceSpec) -> SourceProbe:
        """Check a mapping against its table; the SQL, partitions and five points."""
        ...

    def close(self) -> None:
        """Release what is held."""
        ...


Connections = Mapping[str, ExternalTables]


def tables_of(connections: Connections, source: SourceSpec) -> ExternalTables:
    """The tables of the connection that a source's mapping names."""
    assert source.mapping is not None
    name = source.mapping.connection
    found = connections.get(name)
    if found is None:
        known = ", ".join(sorted(connections)) or "none"
        raise NotFoundError(f"connection {name!r}: is not known; known are: {known}")
    return found

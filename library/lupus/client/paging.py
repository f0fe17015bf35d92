"""Lists that the service gives page by page."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from lupus.client.service import Service


def every(
    service: Service, path: Sequence[str], query: Mapping[str, Any], most: Optional[int] = None
) -> Iterator[Mapping[str, Any]]:
    """Give all items, or the first ones."""
    cursor: Optional[str] = None
    given = 0
    page_size = 1000 if most is None else max(1, min(1000, most))
    while most is None or given < most:
        page = service.get(*path, query={"limit": page_size, **query, "cursor": cursor})
        for item in page["items"]:
            if most is not None and given >= most:
                return
            given += 1
            yield item
        cursor = page["cursor"]
        if cursor is None:
            return

"""Releases as a run is told of them when it is accepted."""

from collections.abc import Sequence

from sqlalchemy import Connection

from service.clock import DAY_MS
from service.database.releases import StoredRelease, releases_of
from workflows.releases import MOST_RELEASES, Release

# A release that long before the range is no news there; a baseline that it restarted still is.
REMEMBERED_MS = 60 * DAY_MS


def release_of(stored: StoredRelease) -> Release:
    """What was recorded, as runs and messages take it."""
    body = stored.body
    labels = dict(body.get("labels") or {})
    return Release(
        name=stored.name,
        time_ms=stored.time_ms,
        restarted=body.get("baseline") == "restarted",
        metrics=tuple(body.get("metrics") or ("*",)),
        labels={name: None if one is None else tuple(one) for name, one in labels.items()},
        link=str(body.get("link") or ""),
    )


def known_releases(tx: Connection, source: str, start_ms: int, end_ms: int) -> tuple[Release, ...]:
    """Those that a run of [start, end) must know, oldest first."""
    known: Sequence[Release] = [
        release_of(one) for one in releases_of(tx, source, end_ms, MOST_RELEASES)
    ]
    return tuple(one for one in known if one.restarted or one.time_ms >= start_ms - REMEMBERED_MS)

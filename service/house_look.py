"""Asks the database, at every scrape, how the house is doing."""

from sqlalchemy import select

from service.api.resources import Resources
from service.database import tables
from service.database.deliveries import count_deliveries
from service.database.queue import depth
from service.database.runs import count_by_state, last_success_ms
from service.metrics_endpoint import HouseState
from storage.errors import StorageError
from storage.objects import Objects
from workflows.chunk import committed_chunks, read_chunk
from workflows.errors import WorkflowError

# Of one scrape, so that a crowd of ended runs is counted over several.
_RUNS_PER_LOOK = 20


class HouseLook:
    """Remembers up to which run chunks were counted: none that ended before this process began."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._counted_ms = resources.clock.now_ms()

    def look(self) -> HouseState:
        """The state of this moment."""
        now_ms = self._resources.clock.now_ms()
        runs = tables.runs
        ended = (
            select(runs.c.id, runs.c.ended_ms)
            .where(runs.c.ended_ms > self._counted_ms)
            .order_by(runs.c.ended_ms)
            .limit(_RUNS_PER_LOOK)
        )
        with self._resources.database.read() as tx:
            waiting = depth(tx, now_ms)
            fresh = tx.execute(ended).all()
            state = HouseState(
                runs=count_by_state(tx),
                queued={one.kind: one.waiting for one in waiting},
                oldest_queued_seconds=max((one.oldest_ms for one in waiting), default=0) / 1000,
                deliveries=count_deliveries(tx),
                last_success_ms=last_success_ms(tx),
                chunk_seconds=[
                    seconds
                    for row in fresh
                    for seconds in chunk_seconds(self._resources.stores.objects, row.id)
                ],
            )
        self._counted_ms = max([self._counted_ms, *(row.ended_ms for row in fresh)])
        return state


def chunk_seconds(objects: Objects, run: str) -> list[float]:
    """How long each committed chunk of a run took; nothing when that cannot be read."""
    try:
        found = [read_chunk(objects, run, number) for number in committed_chunks(objects, run)]
    except (StorageError, WorkflowError):
        return []
    return [record.seconds for record, _ in filter(None, found)]

"""A known Idempotency-Key is answered before anything else is looked at.

What was accepted once is not refused later: not by a newer version whose schema has changed, and
not because the source or an ingest of the request is gone by now.
"""

from service.api.access import check
from service.api.resources import Resources
from service.auth.caller import Caller
from service.database.idempotency import RequestKey, find_replay
from service.database.runs import Run, get_run
from service.errors import ConflictError


def replayed_run(opened: Resources, caller: Caller, key: RequestKey | None) -> Run | None:
    """The run that an earlier request with this key made."""
    if key is None:
        return None
    with opened.database.read() as tx:
        id_ = find_replay(tx, key, opened.clock.now_ms())
        run = get_run(tx, id_) if id_ else None
    if id_ is not None and run is None:
        raise ConflictError(
            f"run {id_}, which this Idempotency-Key made, is not kept any more: use a new key"
        )
    if run is not None:
        check(caller, "detect", run.source, f"detection {run.id}")
    return run

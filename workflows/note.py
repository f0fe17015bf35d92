"""note: what a workflow leaves at its end when its run has no report."""

from storage.objects import Objects
from workflows.commits import run_root
from workflows.failure import Failure, record_failure
from workflows.status import read_status


def note(objects: Objects, run: str, status: str, now_ms: int) -> bool:
    """Keep how the workflow ended beside a run that did not; True when that was needed."""
    found = read_status(objects, run)
    if found.report is not None or found.cancelled:
        return False
    failure = Failure(
        step="exit",
        attempt=0,
        kind="WorkflowEnded",
        message=f"the workflow ended ({status or 'unknown'}) without a report",
        transient=True,
        at_ms=now_ms,
    )
    record_failure(objects, run_root(run), failure)
    return True

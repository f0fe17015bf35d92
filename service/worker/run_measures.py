"""What is measured of a run when it is over, by the worker that closed it and nobody else."""

from itertools import islice

from service import measures
from service.database.runs import Run
from storage.errors import StorageError
from storage.objects import Objects
from workflows.chunk import committed_chunks, read_chunk
from workflows.errors import WorkflowError
from workflows.report import Report

# Each is a read of the object store; of a larger run so many chunks say how long they take.
_MOST_CHUNKS = 32


def measure_end(
    objects: Objects, run: Run, outcome: str, report: Report | None, now_ms: int
) -> None:
    """Count the run, time it and its chunks."""
    seconds = None if run.started_ms is None else max(0, now_ms - run.started_ms) / 1000
    counts = {} if report is None else report.counts
    measures.run_ended(run.detector, outcome, counts, seconds)
    for one in chunk_seconds(objects, run.id):
        measures.chunk(run.detector, one)


def chunk_seconds(objects: Objects, run: str) -> list[float]:
    """How long each of the first committed chunks took; nothing when that cannot be read."""
    try:
        numbers = islice(sorted(committed_chunks(objects, run)), _MOST_CHUNKS)
        found = [read_chunk(objects, run, number) for number in numbers]
    except (StorageError, WorkflowError):
        return []
    return [record.seconds for record, _ in filter(None, found)]

"""Accepting an ingest: its payload lies in the objects already; one transaction numbers it."""

from collections.abc import Mapping
from dataclasses import dataclass

from service.database.audit import record_change
from service.database.counters import next_sequence
from service.database.engine import Database
from service.database.idempotency import RequestKey, find_replay, remember
from service.database.ingests import Ingest, get_ingest, insert_ingest
from service.database.queue import NewJob, add_job
from service.database.sources import get_source
from service.errors import UnknownError
from service.identifier import new_id
from workflows.codec import to_plain
from workflows.request import IngestRequest, PointsFormat

# What is as much text as this or more is no work for a thread of the service.
LAUNCH_BYTES = 16 * 1024 * 1024
# How much text the points of a binary file would be.
_TEXT_OF: Mapping[PointsFormat, int] = {"parquet": 10, "arrow": 4}
_PACKED = 10


@dataclass(frozen=True)
class StagedPayload:
    """What was uploaded: ``name`` is ``ingest/<id>/payload`` in the objects."""

    ingest: str
    name: str
    format: PointsFormat
    gzip: bool = False
    text_bytes: int = 0  # what it is as text, about


@dataclass(frozen=True)
class AcceptedIngest:
    """The ingest of a request; ``replayed`` when an earlier one with the same key made it."""

    ingest: Ingest
    replayed: bool = False


def new_payload(now_ms: int, format_: PointsFormat, gzip: bool = False) -> StagedPayload:
    """A place to stage a payload. What is never accepted is removed by the janitor."""
    id_ = new_id(now_ms)
    return StagedPayload(id_, f"ingest/{id_}/payload", format_, gzip)


def text_bytes(format_: PointsFormat, size: int, *, packed: bool = False) -> int:
    """What a file of points would be as text, about; ``packed`` when its size is that of gzip."""
    return size * _TEXT_OF.get(format_, 1) * (_PACKED if packed else 1)


def accept_ingest(
    database: Database,
    source: str,
    payload: StagedPayload,
    caller: str,
    now_ms: int,
    key: RequestKey | None = None,
    launch_bytes: int = LAUNCH_BYTES,
) -> AcceptedIngest:
    """Store an ingest and its job; on a replay the payload staged for it is left to the janitor."""
    with database.write() as tx:
        if key is not None and (earlier := find_replay(tx, key, now_ms)) is not None:
            found = get_ingest(tx, earlier)
            if found is None:
                raise UnknownError(f"ingest {earlier} does not exist any more")
            return AcceptedIngest(found, replayed=True)
        row = get_source(tx, source)
        if row is None:
            raise UnknownError(f"source {source} does not exist, or you may not see it")
        sequence = next_sequence(tx, now_ms)
        request = IngestRequest(
            job=payload.ingest,
            source=source,
            timezone=row.timezone,
            sequence=sequence,
            payload=payload.name,
            format=payload.format,
            accepted_ms=now_ms,
            gzip=payload.gzip,
            text_bytes=payload.text_bytes,
        )
        ingest = Ingest(
            id=payload.ingest,
            source=source,
            state="queued",
            sequence=sequence,
            request=to_plain(request),
            accepted_ms=now_ms,
            caller=caller,
        )
        insert_ingest(tx, ingest)
        record_change(tx, now_ms, caller, "ingest.accept", ingest.id, {"source": source})
        # One indexer per source at a time, in the order of the sequences.
        job = NewJob(
            f"ingest:{ingest.id}",
            "ingest" if payload.text_bytes < launch_bytes else "load",
            source,
            {"ingest": ingest.id, "bytes": payload.text_bytes},
            f"ingest:{source}",
            sequence,
        )
        add_job(tx, job, now_ms)
        if key is not None:
            remember(tx, key, "ingest", ingest.id, now_ms)
        return AcceptedIngest(ingest)

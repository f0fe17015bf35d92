"""What this process counts and times, for Prometheus.

They belong to the process, so they begin at zero with it, as every counter of Prometheus may, and
sums over processes are right: each event is counted once, by the process in which it happened.
What the whole installation has is asked of the database instead (`service/house_look.py`).
"""

import sys
from collections.abc import Iterable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from service.version import VERSION

# They double every sample and say only when this process began.
disable_created_metrics()  # type: ignore[no-untyped-call]

PROCESS = CollectorRegistry()
ProcessCollector(registry=PROCESS)

_REQUEST_SECONDS = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0)
_WORK_SECONDS = (1.0, 5.0, 15.0, 60.0, 150.0, 300.0, 600.0, 1800.0, 7200.0)
_TICK_SECONDS = (0.01, 0.05, 0.2, 1.0, 5.0, 30.0, 300.0)
_OUTCOMES = ("succeeded", "partial", "failed", "cancelled")
# Anybody may send any word as a method; each would be a series of its own.
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")

Gauge(
    "lupus_build_info", "Always 1; the labels say what runs.", ("version", "python"),
    registry=PROCESS,
).labels(VERSION, ".".join(map(str, sys.version_info[:3]))).set(1)  # fmt: skip


def _counter(name: str, help_: str, **known: Iterable[str]) -> Counter:
    """A counter of at most one label. What is known to come begins at 0, so that its first event
    is an increase."""
    counter = Counter(name, help_, tuple(known), registry=PROCESS)
    for values in known.values():
        for value in values:
            counter.labels(value)
    return counter


def _seconds(
    name: str, help_: str, label: str, buckets: tuple[float, ...] = _WORK_SECONDS
) -> Histogram:
    return Histogram(name, help_, (label,), buckets=buckets, registry=PROCESS)


_REQUESTS = Counter(
    "lupus_http_requests_total",
    "Answered requests by route template and status.",
    ("method", "route", "status"),
    registry=PROCESS,
)
_REQUEST = _seconds(
    "lupus_http_request_seconds", "Time to answer, by route template.", "route", _REQUEST_SECONDS
)
_RUNS_ACCEPTED = _counter("lupus_runs_accepted_total", "Accepted runs by detector.", detector=())
_RUNS_ENDED = Counter(
    "lupus_runs_ended_total",
    "Ended runs by detector and outcome.",
    ("detector", "outcome"),
    registry=PROCESS,
)
_RUN_QUEUED = _seconds(
    "lupus_run_queued_seconds", "From acceptance to the start of a run.", "detector"
)
_RUN = _seconds("lupus_run_seconds", "From the start of a run to its end.", "detector")
_CHUNK = _seconds("lupus_chunk_seconds", "Time of the detect step of one chunk.", "detector")
_ANOMALIES = _counter(
    "lupus_anomalies_total",
    "Anomalies that ended runs found, changed or withdrew.",
    change=("new", "changed", "withdrawn"),
)
_INGESTS = _counter(
    "lupus_ingests_total", "Ended ingests by outcome.", outcome=("succeeded", "failed")
)
_INGEST_POINTS = _counter("lupus_ingest_points_total", "Points of ingests that succeeded.")
_LEFT_OUT = _counter(
    "lupus_ingest_left_out_total", "Samples of remote-writes that were NaN or infinite."
)
_INGEST = _seconds("lupus_ingest_seconds", "From acceptance of an ingest to its end.", "outcome")
_DELIVERIES = _counter(
    "lupus_delivery_attempts_total",
    "Attempts to deliver: sent, retried later, dead, or held because the channel is disabled.",
    outcome=("sent", "retried", "dead", "held"),
)
_TICKS = Counter(
    "lupus_ticks_total",
    "Looks of a worker at a job, by kind; outcome done, failed (defect or store away) or lost.",
    ("kind", "outcome"),
    registry=PROCESS,
)
_TICK = _seconds(
    "lupus_tick_seconds", "Time of one look of a worker at a job.", "kind", _TICK_SECONDS
)
_LOOK = Gauge(
    "lupus_worker_look_timestamp_seconds",
    "When a thread of the worker last asked for work; old while it is busy, or hangs.",
    ("thread",),
    registry=PROCESS,
)
_TAKEN_OVER = _counter(
    "lupus_leases_taken_over_total", "Jobs taken over from workers that were gone."
)


def request(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request."""
    _REQUESTS.labels(method if method in _METHODS else "other", route, str(status)).inc()
    _REQUEST.labels(route).observe(seconds)


def run_accepted(detector: str) -> None:
    """Count a run that is new, no replay."""
    _RUNS_ACCEPTED.labels(detector).inc()


def run_started(detector: str, queued_seconds: float) -> None:
    """How long a run waited."""
    for outcome in _OUTCOMES:
        _RUNS_ENDED.labels(detector, outcome)  # so that its first end is an increase
    _RUN_QUEUED.labels(detector).observe(queued_seconds)


def run_ended(
    detector: str, outcome: str, counts: Mapping[str, int], seconds: float | None
) -> None:
    """How a run ended, and after how long since its start if it was started."""
    _RUNS_ENDED.labels(detector, outcome).inc()
    if seconds is not None:
        _RUN.labels(detector).observe(seconds)
    for change in ("new", "changed", "withdrawn"):
        _ANOMALIES.labels(change).inc(counts.get(change, 0))


def chunk(detector: str, seconds: float) -> None:
    """How long a chunk took."""
    _CHUNK.labels(detector).observe(seconds)


def left_out(samples: int) -> None:
    """Samples of a remote-write that have no value."""
    _LEFT_OUT.inc(samples)


def ingest_ended(outcome: str, points: int, seconds: float) -> None:
    """How an ingest ended, how many points it stored, and how long it took."""
    _INGESTS.labels(outcome).inc()
    _INGEST_POINTS.inc(points)
    _INGEST.labels(outcome).observe(seconds)


def delivery(outcome: str) -> None:
    """What became of one attempt."""
    _DELIVERIES.labels(outcome).inc()


def ticked(kind: str, outcome: str, seconds: float) -> None:
    """One look at a job."""
    _TICKS.labels(kind, outcome).inc()
    _TICK.labels(kind).observe(seconds)


def looked(thread: str) -> None:
    """A thread of the worker lives."""
    _LOOK.labels(thread).set_to_current_time()


def taken_over(jobs: int) -> None:
    """Jobs of workers that were gone."""
    _TAKEN_OVER.inc(jobs)

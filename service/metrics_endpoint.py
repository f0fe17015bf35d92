"""What Prometheus reads: requests as this process saw them, the rest from the database.

Labels are few and closed; no series stands in a label.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

# They double every sample and say only when this process began.
disable_created_metrics()  # type: ignore[no-untyped-call]

_REQUEST_SECONDS = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0)
_CHUNK_SECONDS = (1.0, 5.0, 15.0, 60.0, 150.0, 300.0, 600.0, 1800.0)


@dataclass(frozen=True)
class HouseState:
    """What the database says at one moment."""

    runs: dict[str, int]  # by state
    queued: dict[str, int]  # by kind of job
    oldest_queued_seconds: float
    deliveries: dict[str, int]  # by state
    last_success_ms: dict[tuple[str, str], int]  # (source, rule)
    chunk_seconds: Sequence[float] = ()  # of chunks of runs that ended since the last look


class Measures:
    """The metrics of one process; ``look`` asks the database at every scrape."""

    def __init__(self, look: Callable[[], HouseState]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "lupus_http_requests_total",
            "Requests by route template and status.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "lupus_http_request_seconds",
            "Time to answer, by route template.",
            ("route",),
            buckets=_REQUEST_SECONDS,
            registry=self._registry,
        )
        self._chunks = Histogram(
            "lupus_chunk_seconds",
            "Time of the detect step of one chunk.",
            buckets=_CHUNK_SECONDS,
            registry=self._registry,
        )
        self._look = look

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """The exposition format."""
        state = self._look()
        for seconds in state.chunk_seconds:
            self._chunks.observe(seconds)
        house = CollectorRegistry()
        house.register(_HouseCollector(state))
        return generate_latest(self._registry) + generate_latest(house)


@dataclass(frozen=True, eq=False)
class _HouseCollector(Collector):
    state: HouseState

    def collect(self) -> Iterator[Metric]:
        state = self.state
        yield _gauge("lupus_runs", "Runs by state.", "state", state.runs)
        yield _gauge("lupus_queue_jobs", "Jobs that wait, by kind.", "kind", state.queued)
        age = GaugeMetricFamily("lupus_queue_oldest_seconds", "Age of the oldest job that is due.")
        age.add_metric([], state.oldest_queued_seconds)
        yield age
        yield _gauge("lupus_deliveries", "Deliveries by outcome.", "outcome", state.deliveries)
        success = GaugeMetricFamily(
            "lupus_rule_last_success_timestamp",
            "When a run of the rule last succeeded; watch it to notice a scheduler that stopped.",
            labels=("source", "rule"),
        )
        for (source, rule), time_ms in state.last_success_ms.items():
            success.add_metric([source, rule], time_ms / 1000)
        yield success


def _gauge(name: str, help_: str, label: str, values: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_, labels=(label,))
    for value, count in values.items():
        family.add_metric([value], count)
    return family

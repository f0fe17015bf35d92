"""What Prometheus reads: what this process counted, and what the house has.

Labels are few and closed; no series stands in a label.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import psutil
from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from service.database.rule_pulse import Pulse
from service.errors import DatabaseError
from service.measures import PROCESS

# Several Prometheus servers, or a person who reloads, cost the database one question.
_FRESH_SECONDS = 10.0


@dataclass(frozen=True)
class HouseState:
    """What the database says at one moment."""

    runs: Mapping[str, int]  # by state
    jobs: Mapping[tuple[str, str], int]  # (kind, waiting | later | carried | working)
    oldest_job_seconds: Mapping[str, float]  # by kind, of those that are due
    deliveries: Mapping[str, int]  # by state
    oldest_pending_seconds: float
    endpoints_failing: int
    channels_disabled: int
    sources: int
    rules: Mapping[tuple[str, str], Pulse]  # (source, rule)
    database_bytes: int


class Measures:
    """The text of one process; ``look`` asks the database, at most every ten seconds."""

    def __init__(self, look: Callable[[], HouseState], folders: Mapping[str, Path]) -> None:
        self._look = look
        self._own = own_registry(folders)
        self._lock = Lock()
        self._house = b""
        self._asked_at = -_FRESH_SECONDS

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(PROCESS) + generate_latest(self._own) + self._of_house()

    def _of_house(self) -> bytes:
        with self._lock:
            if time.monotonic() - self._asked_at >= _FRESH_SECONDS:
                self._house = _house_text(self._look)
                self._asked_at = time.monotonic()
            return self._house


def open_metrics_port(host: str, port: int, folders: Mapping[str, Path]) -> int:
    """Serve what a process without HTTP counted, which names nothing of anybody; its port."""
    registry = own_registry(folders)
    registry.register(_Counted())
    server, _ = start_http_server(port, host, registry)
    return int(server.server_port)


def own_registry(folders: Mapping[str, Path]) -> CollectorRegistry:
    """What is measured when it is asked for: this process's children and its folders' room."""
    registry = CollectorRegistry()
    registry.register(_OwnCollector(folders))
    return registry


class _Counted(Collector):
    def collect(self) -> Iterator[Metric]:
        yield from PROCESS.collect()


@dataclass(frozen=True, eq=False)
class _OwnCollector(Collector):
    folders: Mapping[str, Path]

    def collect(self) -> Iterator[Metric]:
        free = _family("lupus_folder_free_bytes", "Room on the disk of a folder.", "folder")
        size = _family("lupus_folder_disk_bytes", "Size of the disk of a folder.", "folder")
        for name, folder in self.folders.items():
            try:
                usage = shutil.disk_usage(folder)
            except OSError:
                continue  # a folder that is gone is told of by what needs it
            free.add_metric([name], usage.free)
            size.add_metric([name], usage.total)
        yield free
        yield size
        children = [_resident(child) for child in psutil.Process().children(recursive=True)]
        yield _single("lupus_child_processes", "Processes of the local pool.", len(children))
        yield _single(
            "lupus_child_resident_memory_bytes", "Memory of the local pool.", sum(children)
        )


@dataclass(frozen=True, eq=False)
class _HouseCollector(Collector):
    state: HouseState

    def collect(self) -> Iterator[Metric]:
        state = self.state
        yield _gauge("lupus_runs", "Runs that are remembered, by state.", "state", state.runs)
        jobs = GaugeMetricFamily(
            "lupus_queue_jobs",
            "Jobs by kind: waiting (due), later (not due yet), carried by a launcher, worked at.",
            labels=("kind", "state"),
        )
        for labels, count in state.jobs.items():
            jobs.add_metric(labels, count)
        yield jobs
        yield _gauge(
            "lupus_queue_oldest_seconds",
            "Age of the oldest job that is due, by kind.",
            "kind",
            state.oldest_job_seconds,
        )
        yield _gauge("lupus_deliveries", "Deliveries by outcome.", "outcome", state.deliveries)
        yield _single(
            "lupus_deliveries_oldest_pending_seconds",
            "Age of the oldest message that is not delivered.",
            state.oldest_pending_seconds,
        )
        yield _single(
            "lupus_endpoints_failing",
            "Endpoints of channels that are left alone for a while because they failed.",
            state.endpoints_failing,
        )
        yield _single(
            "lupus_channels_disabled",
            "Channels whose receiver said that it is gone.",
            state.channels_disabled,
        )
        yield _single("lupus_sources", "Sources that are not deleted.", state.sources)
        yield _single("lupus_database_bytes", "Size of the database.", state.database_bytes)
        yield from _of_rules(state.rules)


def _of_rules(rules: Mapping[tuple[str, str], Pulse]) -> Iterator[Metric]:
    labels = ("source", "rule")
    success = GaugeMetricFamily(
        "lupus_rule_last_success_timestamp",
        "When a run of the rule last succeeded, in seconds since 1970.",
        labels=labels,
    )
    last = GaugeMetricFamily(
        "lupus_rule_last_run_timestamp",
        "When a run of the rule last ended, however; watch it to notice a scheduler that stopped.",
        labels=labels,
    )
    interval = GaugeMetricFamily(
        "lupus_rule_interval_seconds",
        "The longest time between two of the rule's last eight successes: what is usual.",
        labels=labels,
    )
    for names, pulse in rules.items():
        last.add_metric(names, pulse.last_run_ms / 1000)
        if pulse.last_success_ms is not None:
            success.add_metric(names, pulse.last_success_ms / 1000)
        if pulse.interval_ms is not None:
            interval.add_metric(names, pulse.interval_ms / 1000)
    yield success
    yield last
    yield interval


def _house_text(look: Callable[[], HouseState]) -> bytes:
    house = CollectorRegistry()
    began = time.perf_counter()
    try:
        house.register(_HouseCollector(look()))
        up = 1
    except DatabaseError:
        up = 0  # the rest is not known then; what the process counted still is
    spent = time.perf_counter() - began
    house.register(_Given(_single("lupus_database_up", "Whether the database answers.", up)))
    house.register(
        _Given(_single("lupus_house_look_seconds", "Time to ask the database for these.", spent))
    )
    return generate_latest(house)


@dataclass(frozen=True, eq=False)
class _Given(Collector):
    metric: Metric

    def collect(self) -> Iterator[Metric]:
        yield self.metric


def _family(name: str, help_: str, label: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_, labels=(label,))


def _gauge(name: str, help_: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = _family(name, help_, label)
    for value, count in values.items():
        family.add_metric([value], count)
    return family


def _single(name: str, help_: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_, value=value)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0  # it ended meanwhile

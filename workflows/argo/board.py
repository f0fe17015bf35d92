"""Which workflows are under way: one listing of names for all runs, and who is to end."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from workflows.argo.cluster import Cluster, Meta, Object
from workflows.argo.names import COMPLETED, INSTANCE, MANAGED, RUN, STOPPED, label_value
from workflows.argo.settings import ArgoSettings
from workflows.errors import ClusterError, ClusterRefusedError

_TERMINATED = "lupus/terminated-at"
logger = logging.getLogger(__name__)


class Board:
    """Polls; any number of them may, each for its own service."""

    def __init__(self, cluster: Cluster, settings: ArgoSettings, now_ms: Callable[[], int]) -> None:
        self._cluster = cluster
        self._settings = settings
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._open: dict[str, Meta] = {}
        self._created: dict[str, float] = {}  # younger than the last listing, perhaps
        self._to_stop: set[str] = set()
        self._next = 0.0
        self._listed = float("-inf")  # when the last listing that was answered began

    @property
    def next_poll(self) -> float:
        """When the next listing is due, on the monotonic clock."""
        return self._next

    def created(self, name: str) -> None:
        """A workflow that this process has just made."""
        with self._lock:
            self._created[name] = time.monotonic()
            self._open[name] = Meta(name, "")

    def poll(self) -> bool:
        """List again when it is due; True when something is no longer under way."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._settings.poll_seconds
        try:
            metas = self._cluster.metas(self._selector())
        except (ClusterError, ClusterRefusedError) as error:
            logger.warning("workflows cannot be watched: %s", error)
            return False
        with self._lock:
            found = {meta.name: meta for meta in metas}
            late = {name for name, at in self._created.items() if at >= now}
            ended = set(self._open) - set(found) - late
            self._open = found | {name: Meta(name, "") for name in late - set(found)}
            self._created = {name: self._created[name] for name in late}
            self._listed = now
        self._end_impolitely(metas)
        self._stop_again()
        return bool(ended)

    def unchanged(self, name: str, version: str) -> bool:
        """Whether the last listing saw a workflow as it was at that version."""
        with self._lock:
            meta = self._open.get(name)
        fresh = time.monotonic() < self._listed + 2 * self._settings.poll_seconds
        return fresh and meta is not None and meta.version == version

    def stop(self, run: str) -> None:
        """Ask the workflows of a run to end; what cannot be asked now is asked later."""
        try:
            self._stop(run)
        except (ClusterError, ClusterRefusedError) as error:
            logger.warning("run %s: its workflow is stopped later: %s", run, error)
            with self._lock:
                self._to_stop.add(run)

    def terminate_others(self, run: str, name: str) -> None:
        """End the earlier attempts of a run, now."""
        for meta in self._of_run(run):
            if meta.name != name:
                self._cluster.patch(meta.name, self._shutdown("Terminate", _TERMINATED))

    def _stop(self, run: str) -> None:
        for meta in self._of_run(run):
            if STOPPED not in meta.annotations and _TERMINATED not in meta.annotations:
                self._cluster.patch(meta.name, self._shutdown("Stop", STOPPED))

    def _stop_again(self) -> None:
        with self._lock:
            runs = list(self._to_stop)
        for run in runs:
            with self._told_only(f"run {run}: its workflow cannot be stopped"):
                self._stop(run)
                with self._lock:
                    self._to_stop.discard(run)

    def _end_impolitely(self, metas: list[Meta]) -> None:
        """The annotation is there for everybody: who stopped it may be gone."""
        for meta in metas:
            since = _millis(meta.annotations.get(STOPPED, ""))
            if since is None or _TERMINATED in meta.annotations:
                continue
            if self._now_ms() - since > self._settings.stop_grace_seconds * 1000:
                with self._told_only(f"workflow {meta.name} cannot be ended"):
                    self._cluster.patch(meta.name, self._shutdown("Terminate", _TERMINATED))

    @contextmanager
    def _told_only(self, what: str) -> Iterator[None]:
        """One workflow that cannot be changed is no reason to leave the others."""
        try:
            yield
        except (ClusterError, ClusterRefusedError) as error:
            logger.warning("%s: %s", what, error)

    def _shutdown(self, how: str, annotation: str) -> Object:
        now = datetime.fromtimestamp(self._now_ms() / 1000, UTC).isoformat(timespec="seconds")
        return {"metadata": {"annotations": {annotation: now}}, "spec": {"shutdown": how}}

    def _of_run(self, run: str) -> list[Meta]:
        return self._cluster.metas(f"{self._selector()},{RUN}={label_value(run)}")

    def _selector(self) -> str:
        wanted = dict(MANAGED)
        if self._settings.instance_id:
            wanted[INSTANCE] = self._settings.instance_id
        return ",".join(
            [*(f"{key}={value}" for key, value in wanted.items()), f"{COMPLETED}!=true"]
        )


def _millis(text: str) -> int | None:
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return None

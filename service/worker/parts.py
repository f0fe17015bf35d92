"""What a worker works with: opened by the process that starts it, and closed by it."""

from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from service.clock import Clock
from service.database.engine import Database
from service.notifications.kinds.catalog import Kinds, kinds_of
from service.report.link import ReportLinks
from service.secret_box import SecretBox
from service.worker.settings import WorkerSettings
from storage.stores import Stores
from workflows.context import StepContext
from workflows.launcher import Launcher
from workflows.settings import WorkflowSettings


@dataclass(frozen=True)
class WorkerParts:
    """Database, stores, launcher and the way out."""

    database: Database
    stores: Stores
    launcher: Launcher
    clock: Clock
    box: SecretBox
    client: httpx2.Client  # that of `service/egress/transport.py`
    holder: str  # names the launcher: workers that share it share its runs
    shared: bool = False  # whether those of other processes do
    kinds: Kinds = field(default_factory=kinds_of)
    public_url: str = ""
    reports: ReportLinks = field(default_factory=ReportLinks)
    steps: WorkflowSettings = field(default_factory=WorkflowSettings)
    settings: WorkerSettings = field(default_factory=WorkerSettings)
    scratch: Path | None = None  # for payloads on their way; None: the system's temporary folder

    @property
    def context(self) -> StepContext:
        """The world of the few things that a worker does to a run by itself."""
        return StepContext(
            objects=self.stores.objects,
            settings=self.steps,
            now_ms=self.clock.now_ms,
            stores=self.stores,
            scratch=self.scratch,
        )

"""What every route works with: opened in `service/app.py`, reached through the request."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from threading import Event
from typing import Annotated

from fastapi import Depends, Request

from service.accept import Limits
from service.api.waiting import Watch
from service.auth.ways import Way
from service.clock import Clock
from service.database.engine import Database
from service.egress.egress import Egress
from service.notifications.kinds.catalog import Kinds, kinds_of
from service.secret_box import SecretBox
from service.settings import Settings
from storage.stores import Stores


@dataclass(frozen=True)
class Resources:
    """Database, stores and settings of one process."""

    settings: Settings
    database: Database
    stores: Stores
    clock: Clock
    ways: Sequence[Way]
    box: SecretBox
    egress: Egress
    stopping: Event = field(default_factory=Event)

    @cached_property
    def watch(self) -> Watch:
        """Wakes those whose requests wait."""
        return Watch(self.database, self.stopping)

    @cached_property
    def kinds(self) -> Kinds:
        """Kinds of channels."""
        return kinds_of(self.settings.slack_api, self.egress)

    @property
    def limits(self) -> Limits:
        """How much one detection may ask for."""
        return Limits(
            max_range_days=self.settings.max_range_days,
            max_series=self.settings.max_series,
            max_runs_in_flight=self.settings.max_runs_in_flight,
            run_deadline_hours=self.settings.run_deadline_hours,
        )


def resources_of(request: Request) -> Resources:
    """The resources of the application that serves this request."""
    found: Resources = request.app.state.resources
    return found


async def _opened(request: Request) -> Resources:
    """For routes: what does not wait needs no thread of its own."""
    return resources_of(request)


Opened = Annotated[Resources, Depends(_opened)]

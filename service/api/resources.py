"""What every route works with: opened in `service/app.py`, reached through the request."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Annotated

from fastapi import Depends, Request

from service.auth.ways import Way
from service.clock import Clock
from service.database.engine import Database
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
    stopping: Event = field(default_factory=Event)


def resources_of(request: Request) -> Resources:
    """The resources of the application that serves this request."""
    found: Resources = request.app.state.resources
    return found


Opened = Annotated[Resources, Depends(resources_of)]

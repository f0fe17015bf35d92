"""``?wait=50s``: an answer that comes when something is over, or when the patience is.

Whoever waits holds neither a thread nor a connection: one thread of the process looks for all of
them with one query, and is there only while somebody waits.
"""

import asyncio
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import anyio
from fastapi import Depends, Query, Request
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from service.api.errors import QueryError
from service.database.engine import Database
from service.duration import duration_ms
from service.errors import DatabaseError

T = TypeVar("T")
EndedOf = Callable[[Connection, Collection[str]], set[str]]
_LONGEST_MS = 120_000
_LOOK_SECONDS = 0.5  # what other processes end is seen after this long
_LEAST_SECONDS = 0.05  # a bell that rings all the time does not keep a core busy
logger = logging.getLogger(__name__)


async def patience_of(
    wait: Annotated[
        str | None,
        Query(
            description="Answer when it is over, or after this long, up to `120s`. Proxies often "
            "give up after 60 s: `50s` passes them."
        ),
    ] = None,
) -> float:
    """Seconds that the caller will wait."""
    if wait is None:
        return 0.0
    try:
        wait_ms = duration_ms(wait)
    except ValueError as error:
        raise QueryError("wait", str(error)) from None
    if wait_ms > _LONGEST_MS:
        raise QueryError("wait", f"{wait} is too long: allowed are up to 120s")
    return wait_ms / 1000


Patience = Annotated[float, Depends(patience_of)]


@dataclass(frozen=True, eq=False)
class _Waiter:
    ended_of: EndedOf
    id: str
    wake: Callable[[], Any]


class Watch:
    """Wakes those who wait when what they wait for has ended, or when the service ends."""

    def __init__(self, database: Database, stopping: threading.Event) -> None:
        self._database = database
        self._stopping = stopping
        self._lock = threading.Lock()
        self._waiters: set[_Waiter] = set()
        self._watches = False

    @contextmanager
    def waking(self, ended_of: EndedOf, id_: str, wake: Callable[[], Any]) -> Iterator[None]:
        """Call ``wake``, from another thread and maybe more than once, when it is over."""
        waiter = _Waiter(ended_of, id_, wake)
        with self._lock:
            self._waiters.add(waiter)
            if not self._watches:
                self._watches = True
                threading.Thread(target=self._look_on, name="watch", daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._waiters.discard(waiter)

    def _look_on(self) -> None:
        while True:
            rung = self._database.bell.count
            with self._lock:
                waiters = list(self._waiters)
                if not waiters:
                    self._watches = False
                    return
            for waiter in waiters if self._stopping.is_set() else self._over(waiters):
                with suppress(RuntimeError):  # its event loop is gone
                    waiter.wake()
            time.sleep(_LEAST_SECONDS)
            self._database.bell.wait(rung, _LOOK_SECONDS)

    def _over(self, waiters: list[_Waiter]) -> list[_Waiter]:
        asked: dict[EndedOf, set[str]] = defaultdict(set)
        for waiter in waiters:
            asked[waiter.ended_of].add(waiter.id)
        try:
            with self._database.read() as tx:
                ended = {ended_of: ended_of(tx, ids) for ended_of, ids in asked.items()}
        except DatabaseError as error:
            logger.warning("what others wait for cannot be read: %s", error)
            return []
        return [waiter for waiter in waiters if waiter.id in ended[waiter.ended_of]]


async def until_over(
    watch: Watch,
    request: Request,
    patience: float,
    ended_of: EndedOf,
    id_: str,
    look: Callable[[], tuple[bool, T]],
) -> tuple[bool, T]:
    """What ``look`` sees once it is over, or when the patience, the caller or the service is."""
    seen = await run_in_threadpool(look)
    if seen[0] or patience <= 0:
        return seen
    over = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wake() -> None:
        loop.call_soon_threadsafe(over.set)

    with watch.waking(ended_of, id_, wake), anyio.move_on_after(patience):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_when_gone, request, tasks.cancel_scope)
            await over.wait()
            tasks.cancel_scope.cancel()
    return await run_in_threadpool(look)


async def _cancel_when_gone(request: Request, scope: anyio.CancelScope) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    scope.cancel()

"""``?wait=60s``: an answer that comes when something is over, or when the patience is."""

import time
from collections.abc import Callable
from typing import Annotated, TypeVar

import anyio
from fastapi import Query, Request
from starlette.concurrency import run_in_threadpool

from service.api.errors import QueryError
from service.api.resources import Resources
from service.duration import duration_ms

T = TypeVar("T")
Wait = Annotated[
    str | None, Query(description="Answer when it is over, or after this long, up to `120s`.")
]
_LONGEST_MS = 120_000
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.02, 1.0


async def until_over(
    opened: Resources, request: Request, wait: str | None, look: Callable[[], tuple[bool, T]]
) -> T:
    """Look again and again; no thread is held in between."""
    give_up = time.monotonic() + _patience(wait)
    pause = _FIRST_PAUSE_SECONDS
    while True:
        over, answer = await run_in_threadpool(look)
        left = give_up - time.monotonic()
        if over or left <= 0 or opened.stopping.is_set() or await request.is_disconnected():
            return answer
        await anyio.sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)


def _patience(wait: str | None) -> float:
    if wait is None:
        return 0.0
    try:
        wait_ms = duration_ms(wait)
    except ValueError as error:
        raise QueryError("wait", str(error)) from None
    if wait_ms > _LONGEST_MS:
        raise QueryError("wait", f"{wait} is too long: allowed are up to 120s")
    return wait_ms / 1000

"""When a message may go to its endpoint: after the endpoint's rest, and at its own turn.

Pure: what is known of the endpoint goes in, what is decided comes out. An endpoint that fails is
left alone, twice as long each time; then one message tries, and the others wait for what becomes
of it. At a paced endpoint each message reserves a turn, so that they do not all come back at once.
"""

import secrets
from dataclasses import dataclass, replace

from service.clock import MINUTE_MS, SECOND_MS
from service.database.endpoints import Endpoint

PROBE_MS = 5 * SECOND_MS  # so long the others wait for the one that tries
LONGEST_REST_MS = 10 * MINUTE_MS
_FIRST_REST_MS = 5 * SECOND_MS
_MOST_DOUBLINGS = 10
_JITTER_PERCENT = 20
# Something used later than now means that the clock stepped back, or that two machines' differ.
_CLOCKS_AGREE_MS = 10 * SECOND_MS


@dataclass(frozen=True)
class Turn:
    """``wait_ms`` 0: go. ``endpoint`` is to be written, also when nothing goes."""

    wait_ms: int
    endpoint: Endpoint
    slot_ms: int | None = None  # reserved
    resting: bool = False  # it waits because the endpoint fails


def is_free(endpoint: Endpoint, pace_ms: int) -> bool:
    """Whether a message may go without asking further."""
    return pace_ms == 0 and endpoint.failing_until_ms is None


def take_turn(endpoint: Endpoint, pace_ms: int, slot_ms: int | None, now_ms: int) -> Turn:
    """Decide for one message, which may have reserved a turn before."""
    if endpoint.used_ms > now_ms + _CLOCKS_AGREE_MS:
        # Times that were decided by another clock say nothing any more.
        endpoint = replace(endpoint, free_ms=None, failing_until_ms=None, used_ms=now_ms - pace_ms)
    until_ms = endpoint.failing_until_ms
    if until_ms is not None and now_ms < until_ms:
        return Turn(jittered(until_ms - now_ms), endpoint, resting=True)
    if until_ms is not None:
        endpoint = replace(endpoint, failing_until_ms=now_ms + PROBE_MS)
    turn = _paced(endpoint, pace_ms, slot_ms, now_ms)
    if turn.wait_ms:
        return replace(turn, endpoint=replace(turn.endpoint, failing_until_ms=until_ms))
    return replace(turn, endpoint=replace(turn.endpoint, used_ms=now_ms))


def _paced(endpoint: Endpoint, pace_ms: int, slot_ms: int | None, now_ms: int) -> Turn:
    if pace_ms == 0:
        return Turn(0, endpoint)
    rested_ms = endpoint.used_ms + pace_ms
    free_ms = endpoint.free_ms or 0
    if slot_ms is not None and slot_ms < free_ms:  # later ones were reserved by another clock
        if now_ms >= max(slot_ms, rested_ms):
            return Turn(0, replace(endpoint, free_ms=max(free_ms, now_ms + pace_ms)))
        if now_ms < slot_ms + pace_ms:
            return Turn(max(slot_ms, rested_ms) - now_ms, endpoint, slot_ms)
    slot_ms = max(now_ms, rested_ms, free_ms)
    endpoint = replace(endpoint, free_ms=slot_ms + pace_ms)
    return Turn(slot_ms - now_ms, endpoint, slot_ms if slot_ms > now_ms else None)


def after_failure(endpoint: Endpoint, seen_failures: int, asked_ms: int, now_ms: int) -> Endpoint:
    """Left alone for a while, and at least as long as it asked for.

    ``seen_failures`` is what the message knew when it went: of several that fail together one
    counts. Turns that were reserved are void.
    """
    counts = endpoint.failures == seen_failures
    failures = endpoint.failures + counts
    rest_ms = _FIRST_REST_MS << min(failures - 1, _MOST_DOUBLINGS)
    until_ms = now_ms + max(jittered(min(rest_ms, LONGEST_REST_MS)), asked_ms)
    if not counts:
        until_ms = max(endpoint.failing_until_ms or 0, now_ms + asked_ms)
    return replace(
        endpoint, failures=failures, failing_until_ms=until_ms, free_ms=None, used_ms=now_ms
    )


def after_success(endpoint: Endpoint) -> Endpoint:
    """It answers again."""
    return replace(endpoint, failures=0, failing_until_ms=None)


def jittered(delay_ms: int) -> int:
    """Never earlier, up to a fifth later: receivers that come back are not met by all at once."""
    return delay_ms + secrets.randbelow(delay_ms * _JITTER_PERCENT // 100 + 1)

"""How long a token lives."""

from service.api.times import rfc3339
from service.clock import DAY_MS
from service.duration import written
from service.errors import RequestError

# From here on a token says that it ends, in GET, in lists and in the log.
SOON_MS = 14 * DAY_MS
_LAST_MS = 253_370_764_800_000  # 9999-01-01, what dates can still show


def end_of_life(life_ms: int | None, end_ms: int | None, now_ms: int, max_days: int) -> int | None:
    """When a token ends that lives so long, or until then; None for never.

    ``max_days`` is the longest life, 0 for no limit; it is also what holds when neither is said.
    RequestError when both are said, or when it would be over at once or live too long.
    """
    if life_ms is not None and end_ms is not None:
        raise RequestError("expires_in and expires_at: give one of them", "/expires_at")
    pointer = "/expires_at" if end_ms is not None else "/expires_in"
    end = now_ms + life_ms if life_ms is not None else end_ms
    if end is None:
        return now_ms + max_days * DAY_MS if max_days else None
    if end <= now_ms:
        raise RequestError(f"{pointer[1:]}: must be after now ({rfc3339(now_ms)})", pointer)
    if max_days and end > now_ms + max_days * DAY_MS:
        raise RequestError(
            f"{pointer[1:]}: {written(end - now_ms)} is longer than {max_days} days, the longest "
            "life of a token here (LUPUS_TOKEN_MAX_DAYS)",
            pointer,
        )
    if end > _LAST_MS:
        raise RequestError(f"{pointer[1:]}: must be before the year 9999", pointer)
    return end


def ends_soon(end_ms: int | None, now_ms: int) -> bool:
    """Whether it is time to rotate or to prolong; also when it is over."""
    return end_ms is not None and end_ms - now_ms < SOON_MS

"""UTC months, by which the index keeps and forgets."""

from datetime import UTC, datetime

from storage.errors import InvalidError


def month_of(ts_ms: int) -> str:
    """The month of a time: YYYY-MM, which sorts as time does."""
    try:
        when = datetime.fromtimestamp(ts_ms // 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise InvalidError(f"time {ts_ms} ms: the index keeps the years 1 to 9999") from None
    return f"{when.year:04d}-{when.month:02d}"

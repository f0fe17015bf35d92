"""Times in answers and in queries: RFC 3339 outside, epoch milliseconds inside."""

from datetime import UTC, datetime, timedelta

from detectors.errors import ParameterError
from detectors.instants import moment_ms, parse_moment
from service.api.errors import QueryError
from service.errors import RequestError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(time_ms: int) -> str:
    """A time in UTC; milliseconds only when there are some."""
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    text = moment.isoformat(timespec="milliseconds" if time_ms % 1000 else "seconds")
    return text.replace("+00:00", "Z")


def rfc3339_or_none(time_ms: int | None) -> str | None:
    """The same for what may be missing."""
    return None if time_ms is None else rfc3339(time_ms)


def query_ms(parameter: str, text: str | None, timezone: str = "UTC") -> int | None:
    """A query's time: RFC 3339 with an offset, or a bare date in the zone."""
    if text is None:
        return None
    try:
        # A + in a query arrives as a space unless it was escaped.
        return moment_ms(parse_moment(parameter, text.replace(" ", "+")), timezone)
    except (ParameterError, OverflowError) as error:
        allowed = error.message if isinstance(error, ParameterError) else "out of range"
        raise QueryError(parameter, f"{text!r}: {allowed}") from None


def body_ms(pointer: str, text: str, timezone: str = "UTC") -> int:
    """A body's instant: RFC 3339 with an offset, or a bare date in the zone."""
    name = pointer.rpartition("/")[2]
    try:
        return moment_ms(parse_moment(name, text), timezone)
    except (ParameterError, OverflowError) as error:
        allowed = error.message if isinstance(error, ParameterError) else "out of range"
        raise RequestError(f"{name}: {text!r}: {allowed}", pointer) from None

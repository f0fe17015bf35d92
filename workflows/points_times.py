"""Times as people write them, to UTC milliseconds.

Allowed are RFC 3339 with an offset and a bare local date, which means the day's first instant in
the source's time zone. A date and time without an offset is refused: nobody can tell what it is.
"""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from detectors.wall_clock import to_utc
from storage.local_time import DAY_MS
from workflows.ingest_rejection import RowErrors, rejected

ALLOWED = (
    'allowed are RFC 3339 with an offset, "2026-11-08T00:00:00+09:00", and a local date, '
    '"2026-11-08"'
)
_COLUMNS = (
    "allowed are columns of timestamps with a time zone, timestamp[ms, tz=UTC], of dates, and of "
    "texts in RFC 3339 with an offset"
)

_DATE = r"^\d{4}-\d{2}-\d{2}$"
_NAIVE = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?$"
_INSTANT = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$"
# Finer than milliseconds is not kept.
_FINER = (r"(\.\d{3})\d+", r"\1")

Longs = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def read_times(
    times: pa.Array, timezone: str, errors: RowErrors, rows: Longs | None = None
) -> tuple[Longs, Flags]:
    """UTC milliseconds of a column, and what was refused; ``rows`` are the rows' own numbers."""
    kind = times.type
    if rows is None:
        rows = np.arange(len(times))
    if pa.types.is_dictionary(kind):
        return read_times(times.cast(kind.value_type), timezone, errors, rows)
    if times.null_count:
        errors.add(rows[_where(pc.is_null(times))], "time", f"is null; {ALLOWED}")
    absent = pc.is_null(times).to_numpy(zero_copy_only=False)
    if pa.types.is_date(kind):
        return _local_days(pc.fill_null(times.cast(pa.date32()), 0), timezone), absent
    if pa.types.is_timestamp(kind):
        if kind.tz is None:
            raise rejected("time", f"the column's type {kind} has no time zone; {_COLUMNS}")
        return _milliseconds(times), absent
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _read_texts(times, timezone, errors, rows)
    raise rejected("time", f"the column's type is {kind}; {_COLUMNS}")


def _milliseconds(times: pa.Array) -> Longs:
    per_second = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[times.type.unit]
    number: Longs = pc.fill_null(times.cast(pa.int64()), 0).to_numpy()
    return number * 1000 if per_second == 1 else number // (per_second // 1000)


def _read_texts(
    times: pa.Array, timezone: str, errors: RowErrors, rows: Longs
) -> tuple[Longs, Flags]:
    """Each different text is read once: many series share their times."""
    encoded = times.dictionary_encode()
    texts = encoded.dictionary.cast(pa.string())
    place = pc.fill_null(encoded.indices, len(texts)).to_numpy()
    ts, bad = _read_different(texts, timezone)
    ts, bad = np.append(ts, 0), np.append(bad, True)
    refused = bad[place]
    wrong = np.flatnonzero(refused & (place < len(texts)))
    naive = _flags(pc.match_substring_regex(texts, _NAIVE))
    place_of = dict(zip(rows[wrong].tolist(), place[wrong].tolist(), strict=True))
    errors.add(rows[wrong], "time", _message(texts, place_of, naive))
    return ts[place], refused


def _message(texts: pa.Array, place_of: Mapping[int, int], naive: Flags) -> Callable[[int], str]:
    def message(row: int) -> str:
        place = place_of[row]
        text = texts[place].as_py()
        why = "has no offset from UTC" if naive[place] else "is not a time"
        return f"{text[:60]!r} {why}; {ALLOWED}"

    return message


def _read_different(texts: pa.Array, timezone: str) -> tuple[Longs, Flags]:
    ts = np.zeros(len(texts), np.int64)
    bad = np.ones(len(texts), bool)
    dates = _where(pc.match_substring_regex(texts, _DATE))
    if len(dates):
        days = _cast(texts.take(pa.array(dates)), pa.date32())
        bad[dates] = _flags(pc.is_null(days))
        ts[dates] = _local_days(pc.fill_null(days, 0), timezone)
    instants = _where(pc.match_substring_regex(texts, _INSTANT))
    if len(instants):
        upper = pc.utf8_upper(texts.take(pa.array(instants)))
        short = pc.replace_substring_regex(upper, *_FINER)
        moments = _cast(short, pa.timestamp("ms", "UTC"))
        bad[instants] = _flags(pc.is_null(moments))
        ts[instants] = _milliseconds(moments)
    return ts, bad


def _cast(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """Texts as ``kind``, null where one is none (a 30th of February)."""
    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:
        if len(texts) == 1:
            return pa.nulls(1, kind)
        half = len(texts) // 2
        return pa.concat_arrays([_cast(texts[:half], kind), _cast(texts[half:], kind)])


def _local_days(days: pa.Array, timezone: str) -> Longs:
    different, place = np.unique(days.cast(pa.int32()).to_numpy(), return_inverse=True)
    # Years that validate refuses are not worth a walk through their changes of the clock.
    wall_ms = np.clip(different.astype(np.int64), -25_600, 84_100) * DAY_MS
    return to_utc(wall_ms, timezone)[place]


def _where(flags: pa.Array) -> Longs:
    return np.flatnonzero(_flags(flags))


def _flags(flags: pa.Array) -> Flags:
    found: Flags = pc.fill_null(flags, False).to_numpy(zero_copy_only=False)
    return found

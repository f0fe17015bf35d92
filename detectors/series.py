"""A series: times and values, checked and in order."""

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import ArrayLike, NDArray

from detectors.errors import SeriesError

Millis = NDArray[np.int64]
Floats = NDArray[np.float64]

# Beyond these a time is a mistake of units or a stand-in for "never", and calendars end.
FIRST_MS = int(np.datetime64("1800-01-01", "ms").astype(np.int64))
END_MS = int(np.datetime64("2500-01-01", "ms").astype(np.int64))


@dataclass(frozen=True, eq=False, slots=True)
class Series:
    """Points of one series in strictly increasing UTC time.

    Arrays that need no conversion are not copied: leave them as they are while the series is used.
    Unsorted input is sorted once; of points with the same timestamp the last one given wins.
    NaN and infinite values mean "no data at this time" and are kept as they are.

    Parameters
    ----------
    times : array_like of datetime64 (UTC), int64 epoch milliseconds or aware datetime, shape (n,)
        When each point's interval starts. Finer units than milliseconds are cut off.
    values : array_like of float, shape (n,)
        One value per time.

    Raises
    ------
    SeriesError
        Shapes differ, times are neither datetime64 nor integers or not between the years 1800
        and 2500, a time is NaT, or values are not numbers.

    Examples
    --------
    >>> series = Series(["2026-11-02", "2026-11-01"], [2.0, 1.0])
    >>> series.values
    array([1., 2.])
    >>> series.times
    array(['2026-11-01T00:00:00.000', '2026-11-02T00:00:00.000'],
          dtype='datetime64[ms]')
    """

    epoch_ms: Millis
    values: Floats

    def __init__(self, times: ArrayLike, values: ArrayLike) -> None:
        epoch_ms = _epoch_ms(times)
        numbers = _numbers(values)
        if epoch_ms.ndim != 1 or epoch_ms.shape != numbers.shape:
            raise SeriesError(
                f"times and values must be one-dimensional and equally long, "
                f"got shapes {epoch_ms.shape} and {numbers.shape}"
            )
        if not bool((epoch_ms[1:] > epoch_ms[:-1]).all()):
            order = np.argsort(epoch_ms, kind="stable")
            epoch_ms, numbers = epoch_ms[order], numbers[order]
            last = np.append(epoch_ms[1:] != epoch_ms[:-1], True)
            epoch_ms, numbers = epoch_ms[last], numbers[last]
        if len(epoch_ms) and (epoch_ms[0] < FIRST_MS or epoch_ms[-1] >= END_MS):
            raise SeriesError(
                "times must lie between the years 1800 and 2500, in milliseconds since 1970 where "
                f"they are integers; got {epoch_ms[0]} to {epoch_ms[-1]}"
            )
        object.__setattr__(self, "epoch_ms", epoch_ms)
        object.__setattr__(self, "values", numbers)

    @property
    def times(self) -> NDArray[np.datetime64]:
        """UTC times of the points, datetime64[ms], shape (n,)."""
        return self.epoch_ms.view("datetime64[ms]")

    def __len__(self) -> int:
        return len(self.epoch_ms)

    def __iter__(self) -> Iterator[tuple[np.datetime64, float]]:
        return zip(self.times, self.values.tolist(), strict=True)

    def __repr__(self) -> str:
        if not len(self):
            return "Series(no points)"
        return f"Series({len(self)} points, {self.times[0]} to {self.times[-1]})"


def adjacent_rows(series: Sequence[Series]) -> Floats | None:
    """Values of equally long series as one read-only matrix, where they lie in memory as its rows.

    Nothing is copied; None where they are not parts of one array, each right behind the one before.
    """
    first, size = series[0].values, series[0].values.nbytes
    base, place = first.base, address(first)
    for one in series[1:]:
        values, place = one.values, place + size
        in_place = values.base is base and base is not None
        if not in_place or values.size != first.size or address(values) != place:
            return None
    return as_strided(first, (len(series), len(first)), (size, first.itemsize), writeable=False)


def address(array: NDArray[Any]) -> int:
    """Where a contiguous array begins in memory; the quickest way there is to ask."""
    if array.size and array.flags.writeable:
        return ctypes.addressof(ctypes.c_char.from_buffer(array.data))
    begin: int = array.__array_interface__["data"][0]
    return begin


def _epoch_ms(times: ArrayLike) -> Millis:
    array: NDArray[Any] = np.asarray(times)
    if array.size == 0:
        return np.empty(array.shape, np.int64)
    if array.dtype.kind in "US":
        array = _parsed(array)
    if array.dtype.kind == "O" and all(_is_aware(moment) for moment in array.flat):
        array = np.array([moment.astimezone(UTC).replace(tzinfo=None) for moment in array.flat],
                         "datetime64[us]").reshape(array.shape)  # fmt: skip
    if array.dtype.kind == "M":
        if bool(np.isnat(array).any()):
            raise SeriesError("a time is NaT; every point needs a time")
        # Floor, also before 1970: numpy's cast to a coarser unit rounds down.
        milliseconds = np.ascontiguousarray(array.astype("datetime64[ms]", copy=False))
        return milliseconds.view(np.int64)
    if array.dtype.kind in "iu":
        return np.ascontiguousarray(array, dtype=np.int64)
    raise SeriesError(
        "times must be datetime64 (UTC), integer epoch milliseconds or aware datetimes, "
        f"got {array.dtype}"
    )


def _is_aware(moment: Any) -> bool:
    return isinstance(moment, datetime) and moment.tzinfo is not None


def _parsed(texts: NDArray[Any]) -> NDArray[np.datetime64]:
    try:
        # numpy reads an offset only with a warning, also the one that says UTC.
        return np.char.rstrip(texts.astype(str), "Z").astype("datetime64[ms]")
    except ValueError as error:
        raise SeriesError(f"a time is not an ISO 8601 UTC time without offset: {error}") from error


def _numbers(values: ArrayLike) -> Floats:
    array: NDArray[Any] = np.asarray(values)
    if array.size == 0:
        return np.empty(array.shape, np.float64)
    if array.dtype.kind not in "fiub":
        raise SeriesError(f"values must be numbers, got {array.dtype}")
    return np.ascontiguousarray(array, dtype=np.float64)

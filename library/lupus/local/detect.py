"""``lupus.detect``: a detector on a table, without any server."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from lupus.errors import MetricsError
from lupus.extra import missing

try:
    import numpy as np

    from detectors import DetectorError, detector_from_dict
    from detectors.defaults import request_defaults
    from lupus.local.detection import Detection, Finding
    from lupus.local.series import cut_series, median_step_ms, utc_ms
except ImportError as error:
    if (error.name or "").partition(".")[0] not in ("detectors", "numpy", "pandas"):
        raise
    raise missing("detection without a server", "local") from None

_LAST = re.compile(r"(\d+(?:\.\d+)?)\s*(min|m|h|d|w)")
_UNIT_MS = {"m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


def detect(
    table: Any,
    *,
    time: str,
    value: Union[str, Sequence[str]],
    by: Union[str, Sequence[str]] = (),
    detector: Union[str, Mapping[str, Any]] = "auto",
    start: Any = None,
    end: Any = None,
    last: Optional[str] = None,
    timezone: str = "UTC",
) -> Detection:
    """Judge every series of a table, with the detectors and the defaults of the service.

    Parameters
    ----------
    table : pandas.DataFrame or polars.DataFrame
        One row for each time and series.
    time : str
        Column of times; those without a zone are local times of ``timezone``.
    value : str or sequence of str
        Columns of numbers, each a metric. NaN means "no data at this time".
    by : str or sequence of str
        Columns of labels: each combination is a series.
    detector : str or mapping
        A type, or ``{"type": "window", "k": 4}``.
    start, end : date, datetime or str, optional
        Judge only points from start on and before end; what is before is history.
    last : str, optional
        Instead of ``start``: ``7d`` before the last time of the table.
    timezone : str
        IANA name: it decides days and seasons.

    Returns
    -------
    Detection
        ``.anomalies``, ``.to_pandas()``, ``.plot()``.

    Raises
    ------
    MetricsError
        If the table or a parameter cannot be used; it says what is allowed.
    ExtraError
        Without the packages of ``lupus[local]``, which need Python 3.11.
    """
    frame = table.to_pandas() if hasattr(table, "to_pandas") else table
    values, labels = _names(value), _names(by)
    found = cut_series(frame, time, values, labels, timezone)
    if start is not None and last is not None:
        raise MetricsError("allowed is either start or last")
    first = None if start is None else _moment(start, timezone)
    if last is not None:
        newest = max(int(one.series.epoch_ms[-1]) for one in found)
        first = np.datetime64(newest - _duration_ms(last), "ms")
    asked = {"type": detector} if isinstance(detector, str) else dict(detector)
    parameters = request_defaults(asked, median_step_ms(found), timezone)
    try:
        judge = detector_from_dict(dict(parameters))
        results = judge.detect_many(
            [one.series for one in found], first, None if end is None else _moment(end, timezone)
        )
    except DetectorError as error:
        raise MetricsError(f"detector: {error}") from None
    return Detection([Finding(one, result) for one, result in zip(found, results)], parameters)


def _names(names: Union[str, Sequence[str]]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _moment(at: Any, timezone: str) -> Any:
    return np.datetime64(int(utc_ms([at], timezone)[0]), "ms")


def _duration_ms(text: str) -> int:
    found = _LAST.fullmatch(text.strip())
    if found is None:
        raise MetricsError(f"last={text!r}: allowed are a number and m, h, d or w, such as 7d")
    return round(float(found[1]) * _UNIT_MS[found[2]])

"""Points in JSON: ``{"points": [{"metric", "labels", "time", "value"}, ...]}``, or one object a
line (NDJSON). ``labels`` may be left out; ``"value": null`` removes a point."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic_core import from_json

from storage.batches import batches
from workflows.ingest_rejection import RowErrors, rejected
from workflows.points_rows import VALUE_ALLOWED, RawPoints
from workflows.points_times import ALLOWED, Flags, Longs, read_times

LINES_PER_BATCH = 50_000

_FIELDS = frozenset({"metric", "labels", "time", "value"})
_REQUIRED = _FIELDS - {"labels"}
_SHAPE = 'allowed is {"metric", "labels", "time", "value"}, labels may be left out'
_LABELS = 'allowed is an object of strings, {"region": "jp"}'
UNREADABLE: Any = object()  # a line that is no JSON, and is noted already
_MOST_SHOWN = 60
_NO_LABELS: dict[str, str] = {}

Doubles = npt.NDArray[np.float64]


def read_json(path: Path, timezone: str, errors: RowErrors) -> RawPoints:
    """All points of one JSON document."""
    data = path.read_bytes()
    content = _fast(data, _is_plain_body) or _loaded(data, "the body")
    points = content.get("points") if isinstance(content, dict) else None
    if not isinstance(points, list) or len(content) != 1:
        raise rejected("points", 'the body must be {"points": [...]}')
    reader = _Reader(timezone, errors)
    reader.read(points)
    return reader.finish()


def read_ndjson(path: Path, timezone: str, errors: RowErrors) -> RawPoints:
    """One point a line; empty lines are nothing."""
    reader = _Reader(timezone, errors)
    with path.open("rb") as file:
        lines = (line for line in file if line.strip())
        for batch in batches(lines, LINES_PER_BATCH):
            reader.read(_lines(batch, errors))
    return reader.finish()


def _lines(batch: Sequence[bytes], errors: RowErrors) -> list[Any]:
    points: list[Any] = []
    for place, line in enumerate(batch):
        try:
            points.append(_fast(line, _is_plain_point) or _parse(line))
        except ValueError as error:
            points.append(UNREADABLE)
            errors.add([place], "line", f"is not JSON: {error}")
    return points


def _loaded(data: bytes, what: str) -> Any:
    try:
        return _parse(data)
    except ValueError as error:
        raise rejected("", f"{what} is not JSON: {error}") from None


def _fast(data: bytes, is_plain: Callable[[Any, int], bool]) -> Any:
    """The same in a fifth of the time, where that says the same; else None.

    This reader takes the last of two equal keys. But each key and each text has two quotes, so a
    key too many, like an escaped quote, shows in their number: then the other reader decides.
    """
    try:
        content = from_json(data)
    except ValueError:
        return None
    return content if is_plain(content, data.count(b'"')) else None


def _is_plain_body(content: Any, quotes: int) -> bool:
    if type(content) is not dict or type(content.get("points")) is not list or len(content) != 1:
        return False
    return all(type(p) is dict for p in content["points"]) and quotes == 2 + sum(
        map(_quotes, content["points"])
    )


def _is_plain_point(content: Any, quotes: int) -> bool:
    return type(content) is dict and quotes == _quotes(content)


def _quotes(point: dict[str, Any]) -> int:
    """Of all keys and texts of a point; -1 where something is nested that is no labels."""
    found = len(point)
    for name, value in point.items():
        kind = type(value)
        if kind is str:
            found += 1
        elif kind is dict and name == "labels":
            found += len(value) + sum(type(text) is str for text in value.values())
            if any(type(text) in (dict, list) for text in value.values()):
                return -1
        elif kind is dict or kind is list:
            return -1
    return 2 * found


def _parse(data: bytes) -> Any:
    try:
        return json.loads(data, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of a key that is there twice nobody knows which value was meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:100]!r} is there twice in one object")
    return found


class _Reader:
    """Turns lists of parsed points into arrays, batch after batch."""

    def __init__(self, timezone: str, errors: RowErrors) -> None:
        self._timezone = timezone
        self._errors = errors
        self._codes: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}
        self._parts: list[RawPoints] = []

    def read(self, points: Sequence[Any]) -> None:
        """Read the next points."""
        misshapen = [
            row
            for row, p in enumerate(points)
            if type(p) is not dict or not _REQUIRED <= p.keys() <= _FIELDS
        ]
        self._errors.add(
            [r for r in misshapen if points[r] is not UNREADABLE],
            "point",
            lambda row: _misshapen(points[row]),
        )
        refused = np.zeros(len(points), bool)
        refused[misshapen] = True
        sound = [p for p, bad in zip(points, refused, strict=True) if not bad]
        rows = np.flatnonzero(~refused)  # of the payload's part, for each sound one
        part = RawPoints(
            (),
            np.full(len(points), -1, np.int64),
            np.zeros(len(points), np.int64),
            np.full(len(points), np.nan),
            refused,
        )
        part.spelling[rows] = self._spellings(sound, rows)
        part.ts[rows], late = self._times([p["time"] for p in sound], rows)
        part.value[rows], odd = self._values([p["value"] for p in sound], rows)
        refused[rows] = late | odd | (part.spelling[rows] < 0)
        self._parts.append(part)
        self._errors.before += len(points)

    def finish(self) -> RawPoints:
        """Everything that was read."""
        self._errors.before = 0
        if not self._parts:
            self.read(())
        return RawPoints(
            [(metric, dict(labels)) for metric, labels in self._codes],
            np.concatenate([part.spelling for part in self._parts]),
            np.concatenate([part.ts for part in self._parts]),
            np.concatenate([part.value for part in self._parts]),
            np.concatenate([part.refused for part in self._parts]),
        )

    def _spellings(self, points: Sequence[dict[str, Any]], rows: Longs) -> list[int]:
        """A number for each way to write metric and labels; -1 where one is of a wrong type."""
        codes, found = self._codes, []
        bad_metric, bad_labels = [], []
        for place, point in enumerate(points):
            metric, labels = point["metric"], point.get("labels", _NO_LABELS)
            code = -1
            if type(metric) is not str:
                bad_metric.append(rows[place])
            elif type(labels) is not dict or not all(type(v) is str for v in labels.values()):
                bad_labels.append(rows[place])
            else:
                code = codes.setdefault((metric, tuple(labels.items())), len(codes))
            found.append(code)
        point_of = dict(zip(rows.tolist(), points, strict=True)) if bad_metric or bad_labels else {}
        self._errors.add(
            bad_metric,
            "metric",
            lambda row: f"is {_shown(point_of[row]['metric'])}; allowed is a string",
        )
        self._errors.add(
            bad_labels, "labels", lambda row: f"is {_shown(point_of[row]['labels'])}; {_LABELS}"
        )
        return found

    def _times(self, times: list[Any], rows: Longs) -> tuple[Longs, Flags]:
        strange = [i for i, t in enumerate(times) if type(t) is not str or not t.isascii()]
        self._errors.add(rows[strange], "time", f"is not a text of ASCII letters; {ALLOWED}")
        for place in strange:
            times[place] = "2000-01-01"
        ts, refused = read_times(pa.array(times, pa.string()), self._timezone, self._errors, rows)
        refused[strange] = True
        return ts, refused

    def _values(self, values: list[Any], rows: Longs) -> tuple[Doubles, Flags]:
        number_or_null = (float, int, type(None))
        refused = np.array([type(v) not in number_or_null for v in values], bool)
        odd = {int(rows[place]): values[place] for place in np.flatnonzero(refused).tolist()}
        for place in np.flatnonzero(refused).tolist():
            values[place] = None
        absent = np.array([v is None for v in values], bool)
        numbers = _doubles(values)
        refused |= ~absent & ~np.isfinite(numbers)
        endless = rows[refused & ~np.isin(rows, list(odd))].tolist()
        odd |= dict.fromkeys(endless, math.inf)
        self._errors.add(
            rows[refused], "value", lambda row: f"is {_shown(odd[row])}; {VALUE_ALLOWED}"
        )
        return numbers, refused


def _shown(value: Any) -> str:
    """What was found, as JSON writes it, or the beginning of it."""
    if isinstance(value, float) and not math.isfinite(value):
        return "not finite"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _misshapen(point: Any) -> str:
    """What is wrong with a point that is no object of its fields."""
    if type(point) is not dict:
        return f"is no object; {_SHAPE}"
    unknown, missing = sorted(point.keys() - _FIELDS), sorted(_REQUIRED - point.keys())
    said = [f"unknown field {name[:60]!r}" for name in unknown[:3]]
    said += [f"{name!r} is missing" for name in missing]
    return f"{', '.join(said)}; {_SHAPE}"


def _doubles(values: Sequence[float | None]) -> Doubles:
    try:
        return np.array([math.nan if v is None else v for v in values], np.float64)
    except OverflowError:  # a whole number of more than 300 digits
        return np.array([math.nan if v is None else _double(v) for v in values], np.float64)


def _double(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf

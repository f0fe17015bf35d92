"""Metrics in a text: CSV with a header, or one JSON object a line."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Optional

from lupus.cli.exits import UsageError
from lupus.errors import MetricsError
from lupus.metric import Metric

_FIELDS = ("name", "metric", "value", "labels", "time")
_EMPTY = ("", "null", "nan", "none")


class Line(NamedTuple):
    """One metric, and its time where the line says one."""

    metric: Metric
    time: Optional[str]


def read_lines(text: str, file: str, is_log: bool = False) -> list[Line]:
    """Give the metrics of a text; with ``is_log`` other lines and fields are passed over."""
    if is_log or text.lstrip()[:1] == "{":
        return list(_of_json(text, file, is_log))
    return list(_of_csv(text, file))


def _of_json(text: str, file: str, is_log: bool) -> Iterator[Line]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except ValueError as error:
            if is_log:
                continue
            raise UsageError(f"{file} line {number} is not JSON: {error}") from None
        named = isinstance(found, dict) and "value" in found and {"name", "metric"} & found.keys()
        if is_log and not named:
            continue
        place = f"{file} line {number}"
        if not named:
            raise UsageError(f'{place}: allowed is {{"name": ..., "value": ...}}')
        unknown = sorted(found.keys() - set(_FIELDS))
        if unknown and not is_log:
            raise UsageError(f"{place}: unknown field {unknown[0]!r}; there are {_FIELDS}")
        yield _line(place, found)


def _line(place: str, found: Mapping[str, Any]) -> Line:
    name, value = found.get("name", found.get("metric")), found["value"]
    if not isinstance(name, str) or isinstance(value, str):
        raise UsageError(f"{place}: name is a text and value a number or null")
    labels = found.get("labels") or {}
    if not isinstance(labels, dict):
        raise UsageError(f"{place}: labels is an object of texts")
    try:
        return Line(Metric(name, value, labels), found.get("time"))
    except MetricsError as error:
        raise UsageError(f"{place}: {error}") from None


def _of_csv(text: str, file: str) -> Iterator[Line]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    columns = list(reader.fieldnames or ())
    name = "metric" if "metric" in columns else "name"
    if name not in columns or "value" not in columns:
        there = ", ".join(columns) or "none"
        raise UsageError(f"{file}: the columns metric (or name) and value are needed, not {there}")
    labels = [column for column in columns if column not in (name, "value", "time")]
    try:
        for row in reader:
            place = f"{file} line {reader.line_num}"
            if None in row or None in row.values():
                raise UsageError(f"{place} has another number of cells than the header")
            own = {label: row[label] for label in labels}
            value = None if row["value"].lower() in _EMPTY else _number(place, row["value"])
            try:
                yield Line(Metric(row[name], value, own), row.get("time"))
            except MetricsError as error:
                raise UsageError(f"{place}: {error}") from None
    except csv.Error as error:
        raise UsageError(f"{file} line {reader.line_num}: {error}") from None


def _number(place: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{place}: value {text!r} is no number") from None

"""Types of a frame's columns, and the statistics that rules need of them."""

from collections.abc import Mapping
from typing import Any

from lupus.checks.of_numbers import Range
from lupus.checks.of_values import Categories, Distribution
from lupus.checks.rule import Rule
from lupus.checks.rules import Freshness
from lupus.evaluation.columns import is_spark
from lupus.statistics import Array, Categorical, Numeric, Present, Time
from lupus.statistics.kind import Kind
from lupus.statistics.reading.table import table

NULL = "null"
_NUMBERS = ("integer", "float", "decimal")
_PLAIN = ("text", "boolean", "date", "timestamp", NULL)


def families(frame: Any) -> dict[str, str]:
    """Families of all columns' types: integers, floats and decimals are numbers."""
    if is_spark(frame):
        from lupus.statistics.spark import type_name  # noqa: PLC0415  only Spark needs it

        types = {one.name: type_name(one.dataType) for one in frame.schema.fields}
    else:
        read = table(frame)
        types = {name: read.type_of(name) for name in read.names}
    return {name: family(one) for name, one in types.items()}


def family(type_name: str) -> str:
    """Family of a type of statistics."""
    if type_name in _NUMBERS:
        return "number"
    if type_name in _PLAIN:
        return type_name
    return "array" if type_name.startswith("array") else "other"


def kind_for(type_family: str, rules: Mapping[str, Rule]) -> Kind:
    """Statistics that rules need of a column of this family."""
    if type_family == "number" and not _are_categories(rules):
        metrics = ["five", "mean", *(["unique"] if "unique" in rules else [])]
        within = rules.get("range")
        if not isinstance(within, Range):
            return Numeric(*metrics)
        low, high = within.edges
        edges = [low, high] if low < high else [low, _next(high)]
        return Numeric(*metrics, "histogram", edges=edges)
    if type_family == "timestamp" or any(isinstance(one, Freshness) for one in rules.values()):
        return Time("span")
    if type_family in ("number", "text", "boolean", "date"):
        return Categorical("unique")
    return Array("unique") if type_family == "array" else Present()


def _are_categories(rules: Mapping[str, Rule]) -> bool:
    shares = rules.get("distribution")
    by_category = isinstance(shares, Distribution) and isinstance(shares.shares, Mapping)
    return by_category or isinstance(rules.get("categories"), Categories)


def _next(value: float) -> float:
    import numpy as np  # noqa: PLC0415  only for a range of one number

    return float(np.nextafter(value, np.inf))

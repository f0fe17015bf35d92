"""Conditions of a search in Elasticsearch's query language; all in filter context."""

from collections.abc import Mapping, Sequence
from typing import Any

from storage.conditions import LabelTest, is_glob, label_tests
from storage.selector import LabelCondition

Query = dict[str, Any]

# Elasticsearch's dates reach further; these are the years that a day can be written of.
FIRST_MS = -62_135_596_800_000  # 0001-01-01
LAST_MS = 253_402_300_799_999  # 9999-12-31


def every(parts: Sequence[Query]) -> Query:
    """All must match."""
    return {"bool": {"filter": list(parts)}} if parts else {"match_all": {}}


def equals(**fields: str | None) -> list[Query]:
    """Exactly these values, but for those that are None."""
    return [{"term": {name: value}} for name, value in fields.items() if value is not None]


def one_of(name: str, values: Sequence[str]) -> Query:
    """Any of some values; none given matches nothing."""
    return {"terms": {name: list(values)}}


def between(start_ms: int | None, end_ms: int | None) -> list[Query]:
    """A half-open range of event time."""
    bounds: dict[str, int] = {}
    if start_ms is not None:
        bounds["gte"] = min(max(start_ms, FIRST_MS), LAST_MS + 1)
    if end_ms is not None:
        bounds["lt"] = min(max(end_ms, FIRST_MS), LAST_MS + 1)
    return [{"range": {"@timestamp": bounds}}] if bounds else []


def metrics(names: Sequence[str]) -> list[Query]:
    """One of some names or globs; none given asks nothing."""
    if not names:
        return []
    tests = [
        {"wildcard": {"metric": {"value": name.replace("\\", "\\\\")}}}
        if is_glob(name)
        else {"term": {"metric": name}}
        for name in names
    ]
    return [{"bool": {"should": tests, "minimum_should_match": 1}}]


def labels(conditions: Mapping[str, LabelCondition]) -> list[Query]:
    """What `storage.conditions` says."""
    return [part for test in label_tests(conditions) for part in _label(test)]


def _label(test: LabelTest) -> list[Query]:
    name = f"labels.{test.name}"
    parts = []
    if test.any_of:
        tests = [_is(name, value) for value in test.any_of]
        parts.append({"bool": {"should": tests, "minimum_should_match": 1}})
    if test.none_of:
        parts.append({"bool": {"must_not": [_is(name, value) for value in test.none_of]}})
    return parts


def _is(name: str, value: str) -> Query:
    # The empty value is a label that the series does not have.
    if value:
        return {"term": {name: value}}
    return {"bool": {"must_not": [{"exists": {"field": name}}]}}

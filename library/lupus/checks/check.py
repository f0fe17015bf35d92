"""Check a frame against a schema: one pass of statistics, and one more for patterns."""

from datetime import datetime, timezone
from typing import Any, Optional

from lupus.checks.finding import Finding
from lupus.checks.frame import NULL, families, kind_for
from lupus.checks.of_values import Pattern
from lupus.checks.patterns import mismatches
from lupus.checks.result import Result
from lupus.checks.rule import Seen
from lupus.checks.schema import ColumnSchema, Schema
from lupus.statistics import Present, Statistics, Summary
from lupus.statistics.spec import seconds


def check(schema: Schema, frame: Any, at: Optional[datetime]) -> Result:
    """Check a frame."""
    moment = seconds(at or datetime.now(timezone.utc))
    assert moment is not None
    types = families(frame)
    fits = {
        name: types[name] in (column.type, NULL) or column.type == "other"
        for name, column in schema.columns.items()
        if name in types
    }
    kinds = {
        name: kind_for(types[name], schema.columns[name].rules) if fit else Present()
        for name, fit in fits.items()
    }
    summary = Statistics(kinds).compute(frame) if kinds else None
    regexes = {
        name: rule.regex
        for name, column in schema.columns.items()
        for rule in column.rules.values()
        if isinstance(rule, Pattern) and fits.get(name) and types[name] != NULL
    }
    unmatched = mismatches(frame, regexes) if regexes else {}
    findings = [_rows(schema, summary), *_columns(schema, types)]
    for name, column in schema.columns.items():
        if name not in fits or summary is None:
            continue
        findings.append(_type(name, column, types[name], fits[name]))
        mismatched, some = unmatched.get(name, (0, {}))
        if () in summary.groups:
            seen = Seen(name, summary.column(name), moment, some, mismatched)
            findings += [
                rule.look(seen)
                for rule in column.rules.values()
                if fits[name] or rule.name == "present"
            ]
    return Result(tuple(findings))


def _rows(schema: Schema, summary: Optional[Summary]) -> Finding:
    rows = sum(group.rows for group in summary.groups.values()) if summary else None
    rule = schema.rows
    allowed = f"at least {rule.at_least:,}"
    if rule.at_most is not None:
        allowed = f"{rule.at_least:,} to {rule.at_most:,}"
    if rows is None:
        return Finding(None, "rows", rule.severity, None, "no column to count", allowed)
    few = rows < rule.at_least
    many = rule.at_most is not None and rows > rule.at_most
    measures = {"rows": float(rows)}
    return Finding(
        None, "rows", rule.severity, not (few or many), f"{rows:,} rows", allowed, measures
    )


def _columns(schema: Schema, types: dict[str, str]) -> list[Finding]:
    required = [name for name, column in schema.columns.items() if not column.optional]
    missing = [name for name in required if name not in types]
    unexpected = [name for name in types if name not in schema.columns]
    allowed = schema.unexpected == "allow"
    return [
        Finding(
            None,
            "columns.missing",
            "fail",
            not missing,
            f"{len(missing)} of {len(required)} expected columns are missing",
            "none missing",
            {"columns.missing": float(len(missing))},
            tuple(missing),
        ),
        Finding(
            None,
            "columns.unexpected",
            "warn" if allowed else schema.unexpected,
            allowed or not unexpected,
            f"{len(unexpected)} columns are not in the schema",
            "any" if allowed else "none",
            {"columns.unexpected": float(len(unexpected))},
            tuple(unexpected),
        ),
    ]


def _type(name: str, column: ColumnSchema, seen: str, fit: bool) -> Finding:
    said = "no value at all" if seen == NULL else f"it is {seen}"
    measures = {"type_matches": float(fit)}
    return Finding(name, "type", "fail", fit, said, column.type, measures)

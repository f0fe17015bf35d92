"""What is asked of a frame, as a file that people review."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Union

from lupus.checks.finding import SEVERITIES, shortened
from lupus.checks.rule import FAMILIES, Rule, require
from lupus.checks.rules import RULES
from lupus.errors import ChecksError

if TYPE_CHECKING:
    from datetime import datetime

    from lupus.checks.result import Result

VERSION = 1
UNEXPECTED = ("allow", *SEVERITIES)
_HEAD = (
    "# What this data must be like; `lupus check FILE --schema THIS` and docs/checks.md say more.\n"
    "# Edit what is allowed: `severity: fail` stops a job, `severity: warn` only tells.\n"
)


@dataclass(frozen=True)
class ColumnSchema:
    """What is asked of a column.

    Parameters
    ----------
    type : str
        number, text, boolean, date, timestamp, array or other.
    rules : mapping of str to Rule
        By their names.
    optional : bool
        Whether the frame may lack the column.
    """

    type: str
    rules: Mapping[str, Rule] = field(default_factory=dict)
    optional: bool = False


@dataclass(frozen=True)
class RowsRule:
    """How many rows there must be."""

    at_least: int = 1
    at_most: Optional[int] = None
    severity: str = "fail"


@dataclass(frozen=True)
class Schema:
    """What is asked of a frame.

    Parameters
    ----------
    columns : mapping of str to ColumnSchema
        Columns in the order of the file.
    rows : RowsRule
        How many rows there must be.
    unexpected : str
        What other columns are: ``allow``, ``warn`` or ``fail``.

    Examples
    --------
    >>> import pandas as pd
    >>> age = {"type": "number", "range": {"at_least": 0}}
    >>> schema = Schema.from_dict({"columns": {"age": age}})
    >>> print(schema.check(pd.DataFrame({"age": [31, -5]})))
    1 failed, 0 warned, 4 passed
    fail    age.range: 1 of 2 numbers lie outside: -5 (allowed: at least 0, but for 0 %)
    """

    columns: Mapping[str, ColumnSchema]
    rows: RowsRule = field(default_factory=RowsRule)
    unexpected: str = "warn"

    def check(self, frame: Any, *, at: "Optional[datetime]" = None, fail: bool = False) -> "Result":
        """Check a frame.

        Parameters
        ----------
        frame : DataFrame of pandas, Polars or PySpark, or Arrow table
            The rows.
        at : datetime, optional
            The time that freshness is relative to, naive is UTC; now by default.
        fail : bool
            Whether to raise where a check of severity ``fail`` failed.

        Raises
        ------
        CheckFailedError
            With ``fail``.
        """
        from lupus.checks.check import check  # noqa: PLC0415  a file can be read without numpy's rest

        result = check(self, frame, at)
        if fail:
            result.raise_if_failed()
        return result

    def to_dict(self) -> dict[str, Any]:
        """Give what the file holds."""
        return {
            "schema": VERSION,
            "rows": _written(self.rows),
            "unexpected_columns": self.unexpected,
            "columns": {
                name: {
                    "type": column.type,
                    **({"optional": True} if column.optional else {}),
                    **{rule: _written(one) for rule, one in column.rules.items()},
                }
                for name, column in self.columns.items()
            },
        }

    @classmethod
    def from_dict(cls, document: Any) -> "Schema":
        """Read what a file holds; ChecksError says where it is wrong."""
        _keys(document, ("schema", "rows", "unexpected_columns", "columns"), "the schema")
        if document.get("schema", VERSION) != VERSION:
            raise ChecksError(f"schema: {document['schema']!r} is not known here, but {VERSION}")
        unexpected = document.get("unexpected_columns", "warn")
        if unexpected not in UNEXPECTED:
            raise ChecksError(
                f"unexpected_columns is one of {', '.join(UNEXPECTED)}, not {shortened(unexpected)}"
            )
        columns = document.get("columns")
        if not isinstance(columns, Mapping) or not columns:
            raise ChecksError("columns: name at least one, with its type and rules")
        return cls(
            {str(name): _column(str(name), one) for name, one in columns.items()},
            _rows(document.get("rows") or {}),
            unexpected,
        )

    def to_text(self) -> str:
        """Write the file: YAML, or JSON (which YAML's readers read) without the package PyYAML."""
        try:
            import yaml  # noqa: PLC0415  optional
        except ImportError:
            return json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"
        written: str = yaml.safe_dump(
            self.to_dict(),
            sort_keys=False,
            default_flow_style=None,
            allow_unicode=True,
            width=100,
        )
        return _HEAD + written

    @classmethod
    def from_text(cls, text: str) -> "Schema":
        """Read YAML or JSON."""
        try:
            return cls.from_dict(json.loads(text))
        except json.JSONDecodeError:
            pass
        try:
            import yaml  # noqa: PLC0415  optional
        except ImportError:
            raise ChecksError("the schema is no JSON; YAML needs the package PyYAML") from None
        try:
            return cls.from_dict(yaml.safe_load(text))
        except yaml.YAMLError as error:
            raise ChecksError(f"the schema is no YAML: {error}") from None

    def save(self, path: Union[str, "Path"]) -> None:
        """Write a file; ``.json`` is JSON, every other YAML."""
        file = Path(path)
        document = json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"
        file.write_text(document if file.suffix == ".json" else self.to_text(), encoding="utf-8")

    @classmethod
    def load(cls, path: Union[str, "Path"]) -> "Schema":
        """Read a file; ChecksError when it is none or wrong."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ChecksError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
        try:
            return cls.from_text(text)
        except ChecksError as error:
            raise ChecksError(f"{path}: {error}") from None


def _written(rule: Any) -> dict[str, Any]:
    """Fields that are not None, severity last."""
    given = {one.name: getattr(rule, one.name) for one in fields(rule)}
    severity = given.pop("severity")
    plain = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in given.items()
        if value is not None and not (name == "edges" and not value)
    }
    return {**plain, "severity": severity}


def _column(name: str, document: Any) -> ColumnSchema:
    where = f"columns.{name}"
    _keys(document, ("type", "optional", *RULES), where)
    family = document.get("type")
    if family not in FAMILIES:
        raise ChecksError(f"{where}.type is one of {', '.join(FAMILIES)}, not {shortened(family)}")
    optional = document.get("optional", False)
    if not isinstance(optional, bool):
        raise ChecksError(f"{where}.optional is true or false, not {shortened(optional)}")
    rules = {
        rule: _rule(f"{where}.{rule}", family, RULES[rule], document[rule])
        for rule in document
        if rule in RULES
    }
    return ColumnSchema(family, rules, optional)


def _rule(where: str, family: str, kind: type[Rule], document: Any) -> Rule:
    if family not in kind.families:
        raise ChecksError(f"{where} is for {', '.join(kind.families)}, not for {family}")
    _keys(document, tuple(one.name for one in fields(kind)), where)
    try:
        return kind(**document)
    except ChecksError as error:
        raise ChecksError(f"{where}: {error}") from None
    except TypeError as error:
        raise ChecksError(f"{where}: a value is of the wrong type: {error}") from None


def _rows(document: Any) -> RowsRule:
    _keys(document, ("at_least", "at_most", "severity"), "rows")
    rule = RowsRule(**document)
    if rule.severity not in SEVERITIES:
        raise ChecksError(f"rows: severity is one of {', '.join(SEVERITIES)}")
    try:
        require("at_least", rule.at_least, 0)
        if rule.at_most is not None:
            require("at_most", rule.at_most, rule.at_least)
    except ChecksError as error:
        raise ChecksError(f"rows: {error}") from None
    return rule


def _keys(document: Any, allowed: tuple[str, ...], where: str) -> None:
    if not isinstance(document, Mapping):
        raise ChecksError(f"{where} is a mapping, not {shortened(document)}")
    unknown = [str(key) for key in document if key not in allowed]
    if unknown:
        raise ChecksError(f"{where} has {', '.join(allowed)}; not {', '.join(unknown)}")

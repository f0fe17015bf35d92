"""What was counted of a table: metrics now, and mergeable with other parts and days."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any, Optional

from lupus.errors import StatisticsError
from lupus.metric import Metric
from lupus.metrics import Metrics
from lupus.statistics.catalog import kind_from_dict
from lupus.statistics.counted import Counted
from lupus.statistics.kind import Kind
from lupus.statistics.labels import Key, label_value, labels_of

if TYPE_CHECKING:
    import pandas as pd

FORMAT = "lupus.summary"
VERSION = 1
_NULL = ("null",)


@dataclass(frozen=True)
class Group:
    """What was counted of a group's rows."""

    rows: int
    columns: Mapping[str, Counted]


@dataclass(frozen=True, eq=False)
class Summary:
    """What was counted of a table.

    Parameters
    ----------
    by : mapping of str to str
        Labels and the columns that they come from.
    kinds : mapping of str to Kind
        Columns and what was counted of them.
    types : mapping of str to tuple of str
        Columns and the types that they were seen with.
    groups : mapping
        Values of ``by`` and what was counted of the group; without ``by`` there is one, ``()``.
    at : float, optional
        Seconds since 1970 UTC that freshness is relative to.
    most : int
        The most groups.

    Examples
    --------
    >>> import pandas as pd
    >>> from lupus import Numeric, Statistics
    >>> wanted = Statistics({"age": Numeric("mean")})
    >>> monday = wanted.compute(pd.DataFrame({"age": [31, 45]}))
    >>> tuesday = wanted.compute(pd.DataFrame({"age": [28]}))
    >>> (monday + tuesday).metrics()["age.mean"]
    34.666666666666664
    """

    by: Mapping[str, str]
    kinds: Mapping[str, Kind]
    types: Mapping[str, Sequence[str]]
    groups: Mapping[Key, Group]
    at: Optional[float] = None
    most: int = field(default=1000)

    def merge(self, other: "Summary") -> "Summary":
        """Count the rows of both; StatisticsError unless the same was declared for both."""
        if not isinstance(other, Summary):
            raise StatisticsError(f"a summary merges with a summary, not {type(other).__name__}")
        if dict(self.by) != dict(other.by) or list(self.kinds) != list(other.kinds):
            raise StatisticsError("these summaries have different columns or groups")
        most = min(self.most, other.most)
        kinds = {name: self._kind(name, other) for name in self.kinds}
        groups = {key: _under(kinds, group) for key, group in self.groups.items()}
        for key, group in other.groups.items():
            more = _under(kinds, group)
            groups[key] = _merged(groups[key], more, kinds) if key in groups else more
        too_many(len(groups), most, self.by)
        types = {name: _types([*self.types[name], *other.types[name]]) for name in kinds}
        ats = [at for at in (self.at, other.at) if at is not None]
        return Summary(self.by, kinds, types, groups, max(ats, default=None), most)

    def __add__(self, other: "Summary") -> "Summary":
        return self.merge(other) if isinstance(other, Summary) else NotImplemented

    def metrics(self) -> Metrics:
        """Give the metrics, ``rows`` and ``column.name``; groups are their labels."""
        return Metrics(
            Metric(name, value, labels)
            for key, group in self.groups.items()
            for name, value, labels in self._numbers(key, group)
        )

    def column(self, name: str, *group: Optional[str]) -> Counted:
        """Give what was counted of a column, in the group with these values."""
        if name not in self.kinds:
            raise StatisticsError(f"there is no column {name!r}; there are {', '.join(self.kinds)}")
        if group not in self.groups:
            raise StatisticsError(f"there is no group {group!r} of {', '.join(self.by) or 'none'}")
        return self.groups[group].columns[name]

    def to_pandas(self) -> "pd.DataFrame":
        """One row a metric: ``metric``, a column for each label, ``value``."""
        return self.metrics().to_pandas()

    def to_dict(self) -> dict[str, Any]:
        """Give all that was counted, for JSON."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "by": dict(self.by),
            "kinds": {name: kind.to_dict() for name, kind in self.kinds.items()},
            "types": {name: list(types) for name, types in self.types.items()},
            "at": self.at,
            "most": self.most,
            "groups": [
                {
                    "key": list(key),
                    "rows": group.rows,
                    "columns": {name: one.to_dict() for name, one in group.columns.items()},
                }
                for key, group in self.groups.items()
            ],
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Summary":
        """Read what ``to_dict`` gave."""
        if not isinstance(document, Mapping) or document.get("format") != FORMAT:
            raise StatisticsError("this is no summary of statistics")
        if document.get("version") != VERSION:
            raise StatisticsError(
                f"a summary of version {document.get('version')!r}; this lupus reads {VERSION}"
            )
        try:
            return cls._read(document)
        except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
            raise StatisticsError(f"the summary is damaged: {error!r}") from None

    def to_json(self) -> str:
        """Give ``to_dict`` as text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Summary":
        """Read what ``to_json`` gave."""
        try:
            document = json.loads(text)
        except ValueError as error:
            raise StatisticsError(f"this is no summary of statistics: {error}") from None
        return cls.from_dict(document)

    def __repr__(self) -> str:
        rows = sum(group.rows for group in self.groups.values())
        return f"<Summary: {rows} rows, {len(self.groups)} groups, {len(self.kinds)} columns>"

    def _repr_html_(self) -> str:
        return self.metrics()._repr_html_()

    @classmethod
    def _read(cls, document: Mapping[str, Any]) -> "Summary":
        kinds = {name: kind_from_dict(name, one) for name, one in document["kinds"].items()}
        groups = {
            tuple(group["key"]): Group(
                int(group["rows"]),
                {
                    name: Counted.from_dict(kinds[name], one)
                    for name, one in group["columns"].items()
                },
            )
            for group in document["groups"]
        }
        types = {name: tuple(types) for name, types in document["types"].items()}
        by = labels_of(document["by"])
        return cls(by, kinds, types, groups, document["at"], int(document["most"]))

    def _kind(self, name: str, other: "Summary") -> Kind:
        mine, others = self.kinds[name], other.kinds[name]
        # A part without any value of a column cannot tell what it would have been.
        if mine == others or tuple(other.types[name]) == _NULL:
            return mine
        if tuple(self.types[name]) == _NULL:
            return others
        raise StatisticsError(f"{name}: {mine} and {others} do not merge")

    def _numbers(
        self, key: Key, group: Group
    ) -> Iterator[tuple[str, Optional[float], dict[str, str]]]:
        labels = {label: label_value(value) for label, value in zip(self.by, key)}
        yield "rows", float(group.rows), labels
        for name, kind in self.kinds.items():
            for found, value, more in group.columns[name].numbers(name, kind, self.at):
                finite = value is not None and isfinite(value)
                yield (
                    found,
                    float(value) if finite and value is not None else None,
                    {**labels, **more},
                )


def too_many(groups: int, most: int, by: Mapping[str, str]) -> None:
    """Refuse more groups than are allowed."""
    if groups > most:
        raise StatisticsError(
            f"{', '.join(by.values())} make more than {most} groups; group by less, or allow more "
            f"with Statistics(..., groups={groups})"
        )


def _merged(one: Group, other: Group, kinds: Mapping[str, Kind]) -> Group:
    columns = {
        name: one.columns[name].merge(other.columns[name], name, kind)
        for name, kind in kinds.items()
    }
    return Group(one.rows + other.rows, columns)


def _under(kinds: Mapping[str, Kind], group: Group) -> Group:
    return Group(group.rows, {name: group.columns[name].under(kinds[name]) for name in kinds})


def _types(seen: Sequence[str]) -> tuple[str, ...]:
    """All types; null only where there is no other."""
    return tuple(sorted(set(seen) - {"null"})) or _NULL

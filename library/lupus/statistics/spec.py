"""What to compute of a table, declared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Optional, Union

from lupus.errors import StatisticsError
from lupus.statistics.catalog import KINDS, declared, for_type, kind_from_dict, with_metrics
from lupus.statistics.kind import Kind
from lupus.statistics.labels import labels_of
from lupus.statistics.time import Time

if TYPE_CHECKING:
    from lupus.statistics.summary import Summary

GROUPS = 1000
Wish = Union[Kind, str, Sequence[str], None]


@dataclass(frozen=True, init=False)
class Statistics:
    """Statistics of a table, by column, declared once and computed from any engine.

    Parameters
    ----------
    columns : sequence of str, or mapping of str to Kind, str or sequence of str, optional
        Columns, each with its kind (Numeric, Categorical, Array, Text, Time, Present), the name of
        a kind, or names of metrics, whose kind is the one of the column's type. Names alone: what
        is usual for each column's type. Without it: all columns but those of ``by``.
    by : sequence of str, or mapping of str to str, optional
        Columns whose values make the groups; they become labels of the metrics. A mapping gives
        labels and their columns, where a column's name is not fit for a label.
    groups : int
        The most groups.

    Raises
    ------
    StatisticsError
        If a column or a metric is wrong.

    Examples
    --------
    >>> import pandas as pd
    >>> from lupus import Categorical, Statistics
    >>> people = pd.DataFrame({"age": [31, 45, 28], "country": ["jp", "jp", "us"]})
    >>> wanted = Statistics({"age": ["mean", "max"], "country": Categorical("unique")})
    >>> print(wanted.compute(people).metrics())
    rows 3.0
    age.mean 34.666666666666664
    age.max 45.0
    country.unique 2.0
    """

    columns: Optional[Mapping[str, Wish]]
    by: Mapping[str, str]
    groups: int

    def __init__(
        self,
        columns: Union[Sequence[str], Mapping[str, Wish], None] = None,
        *,
        by: Union[Sequence[str], Mapping[str, str]] = (),
        groups: int = GROUPS,
    ) -> None:
        if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1:
            raise StatisticsError(f"groups is at least 1, not {groups!r}")
        object.__setattr__(self, "columns", _columns(columns))
        object.__setattr__(self, "by", labels_of(by))
        object.__setattr__(self, "groups", groups)

    def compute(self, frame: Any, *, at: Optional[datetime] = None) -> "Summary":
        """Compute from a table of pandas, Polars (lazy too), PyArrow or PySpark.

        Parameters
        ----------
        frame : DataFrame
        at : datetime, optional
            The time that freshness is relative to; naive is UTC.

        Returns
        -------
        Summary

        Raises
        ------
        StatisticsError
            If a column is missing, its type is none that its kind is for, or groups are too many.
        """
        from lupus.statistics.compute import compute  # noqa: PLC0415  only here needs numpy

        return compute(frame, self, seconds(at))

    def kinds(self, types: Mapping[str, str], at: Optional[float] = None) -> dict[str, Kind]:
        """Settle what is computed of each column, by the types of a table's columns."""
        for label, column in self.by.items():
            if column not in types:
                raise StatisticsError(f"by: {_missing(column, types)}")
            if types[column].startswith(("array", "map", "struct", "other")):
                raise StatisticsError(f"by: {label} is {types[column]}, which makes no groups")
        if self.columns is None:
            rest = [name for name in types if name not in self.by.values()]
            return {name: for_type(types[name], at is not None) for name in rest}
        return {name: _settled(name, wish, types, at) for name, wish in self.columns.items()}

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON or YAML."""
        given: dict[str, Any] = {"by": dict(self.by)} if self.by else {}
        if self.columns is not None:
            given["columns"] = {
                name: wish.to_dict() if isinstance(wish, Kind) else wish
                for name, wish in self.columns.items()
            }
        return given if self.groups == GROUPS else {**given, "groups": self.groups}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Statistics":
        """Read what ``to_dict`` gave, or what a file says.

        Parameters
        ----------
        document : mapping
            ``by``, ``groups`` and ``columns``, which has for each column names of metrics, the name
            of a kind, or ``{kind: numeric, metrics: [...], ...}`` with the kind's own parameters.
        """
        if not isinstance(document, Mapping):
            raise StatisticsError(f"statistics are declared by a mapping, not {document!r}")
        if unknown := set(document) - {"by", "columns", "groups"}:
            raise StatisticsError(
                f"statistics have by, columns, groups; not {', '.join(map(str, sorted(unknown)))}"
            )
        columns = document.get("columns")
        if isinstance(columns, Mapping):
            columns = {
                name: kind_from_dict(name, wish) if isinstance(wish, Mapping) else wish
                for name, wish in columns.items()
            }
        return cls(columns, by=document.get("by") or (), groups=document.get("groups", GROUPS))

    @classmethod
    def from_file(cls, path: Any) -> "Statistics":
        """Read a YAML or JSON file; YAML needs the package PyYAML."""
        from lupus.statistics.file import document  # noqa: PLC0415  only who has a file needs it

        return cls.from_dict(document(path))


def seconds(at: Optional[datetime]) -> Optional[float]:
    """Seconds since 1970 UTC; a naive time is UTC."""
    if at is None:
        return None
    if not isinstance(at, datetime):
        raise StatisticsError(f"at is a datetime, not {at!r}")
    return (at if at.tzinfo else at.replace(tzinfo=timezone.utc)).timestamp()


def _columns(columns: Any) -> Optional[dict[str, Wish]]:
    if columns is None:
        return None
    if isinstance(columns, str):
        raise StatisticsError(f"columns is a list of names or a mapping, not {columns!r}")
    named = dict(columns) if isinstance(columns, Mapping) else dict.fromkeys(columns)
    for name in named:
        if not isinstance(name, str) or not name:
            raise StatisticsError(f"a column's name is text, not {name!r}")
    return {name: declared(name, wish) for name, wish in named.items()}


def _settled(name: str, wish: Wish, types: Mapping[str, str], at: Optional[float]) -> Kind:
    if name not in types:
        raise StatisticsError(_missing(name, types))
    type_name = types[name]
    if isinstance(wish, Kind):
        kind = wish
    elif wish is None:
        return for_type(type_name, at is not None)
    else:
        kind = with_metrics(name, type_name, wish)
    check(name, kind, types)
    if isinstance(kind, Time) and kind.relative and at is None:
        raise StatisticsError(
            f"{name}: freshness needs the time that it is relative to: compute(frame, at=...)"
        )
    for other, inner in kind.others.items():
        if other not in types:
            raise StatisticsError(f"{name}, of: {_missing(other, types)}")
        check(other, inner, types)
    return kind


def check(name: str, kind: Kind, types: Mapping[str, str]) -> None:
    """Refuse a kind that is none for a column's type."""
    if kind.fits(types[name]):
        return
    fit = [one.__name__ for one in KINDS.values() if one.fits(types[name])]
    raise StatisticsError(
        f"{name} is {types[name]}: {type(kind).__name__} ({', '.join(kind.metrics)}) is for "
        f"{', '.join(kind.types)}; {types[name]} has {', '.join(fit)}"
    )


def _missing(name: str, types: Mapping[str, str]) -> str:
    return f"there is no column {name!r}; there are {', '.join(types) or 'none'}"

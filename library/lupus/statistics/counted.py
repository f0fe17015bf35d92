"""What was counted of one column of one group."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from lupus.errors import StatisticsError
from lupus.statistics.kind import Context, Kind
from lupus.statistics.labels import label_value
from lupus.statistics.presence import NoState

Of = Mapping[Optional[str], Mapping[str, "Counted"]]


@dataclass(frozen=True, eq=False)
class Counted:
    """What was counted of one column of one group.

    Parameters
    ----------
    rows, nulls : int
        Rows, and those of them without a value.
    state : State
        What its kind counted of the values.
    of : mapping
        Of each category, what was counted of other columns.
    """

    rows: int
    nulls: int
    state: Any
    of: Of = field(default_factory=dict)

    def merge(self, other: "Counted", name: str, kind: Kind) -> "Counted":
        """Count the rows of both."""
        of = {value: dict(columns) for value, columns in self.of.items()}
        for value, columns in other.of.items():
            mine = of.setdefault(value, {})
            for column, counted in columns.items():
                there = mine.get(column)
                inner = kind.others[column]
                mine[column] = there.merge(counted, column, inner) if there else counted
        categories(len(of), name, kind)
        state = self.state.merge(other.state)
        return Counted(self.rows + other.rows, self.nulls + other.nulls, state, of)

    def under(self, kind: Kind) -> "Counted":
        """Give it as a kind, when nothing was counted because no part had a value to tell one."""
        told = kind.form == "presence" or not isinstance(self.state, NoState)
        return self if told else Counted(self.rows, self.nulls, kind.nothing())

    def numbers(
        self, name: str, kind: Kind, at: Optional[float]
    ) -> Iterator[tuple[str, Optional[float], Mapping[str, str]]]:
        """Give names of metrics, values and labels."""
        for found in kind.numbers(self.state, Context(self.rows, self.nulls, at)):
            yield f"{name}.{found.name}", found.value, found.labels
        for value in sorted(self.of, key=lambda one: one or ""):
            for column, counted in self.of[value].items():
                inner = kind.others[column]
                for found_name, number, labels in counted.numbers(f"{name}.{column}", inner, at):
                    yield found_name, number, {**labels, "value": label_value(value)}

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON."""
        document = {"rows": self.rows, "nulls": self.nulls, "state": self.state.to_dict()}
        if self.of:
            document["of"] = [
                [value, {name: one.to_dict() for name, one in columns.items()}]
                for value, columns in self.of.items()
            ]
        return document

    @classmethod
    def from_dict(cls, kind: Kind, document: Mapping[str, Any]) -> "Counted":
        """Read what ``to_dict`` gave."""
        of = {
            value: {name: cls.from_dict(kind.others[name], one) for name, one in columns.items()}
            for value, columns in document.get("of", ())
        }
        state = kind.read(document["state"])
        return cls(int(document["rows"]), int(document["nulls"]), state, of)


def categories(many: int, name: str, kind: Kind) -> None:
    """Refuse more categories than other columns are counted for."""
    most = getattr(kind, "of_most", many)
    if many > most:
        raise StatisticsError(
            f"{name} has more than {most} categories to compute other columns of; group by it, or "
            f"allow more with of_most={many}"
        )

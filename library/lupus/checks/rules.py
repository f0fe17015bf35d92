"""All rules by their names, and those for whether there are values and how old they are."""

from dataclasses import dataclass
from typing import ClassVar

from lupus.checks.finding import Finding, percent
from lupus.checks.of_numbers import Quartiles, Range
from lupus.checks.of_values import Categories, Distribution, Pattern, Unique
from lupus.checks.rule import Rule, Seen, require
from lupus.statistics.time import TimeState

_MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class Present(Rule):
    """At least this share of the rows has a value; 1 is not null."""

    name: ClassVar[str] = "present"
    at_least: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require("at_least", self.at_least, 0, 1)

    def look(self, seen: Seen) -> Finding:
        """Measure the share of rows with a value."""
        rows = seen.counted.rows
        share = seen.rows / rows if rows else None
        return self.found(
            seen,
            None if share is None else share >= self.at_least,
            f"{seen.counted.nulls:,} of {rows:,} rows have no value",
            f"at least {percent(self.at_least)} with a value",
            measures={"present_share": share},
        )


@dataclass(frozen=True)
class Freshness(Rule):
    """The newest time is at most so old."""

    name: ClassVar[str] = "freshness"
    families: ClassVar[tuple[str, ...]] = ("timestamp", "date")
    at_most_seconds: float = 86_400.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require("at_most_seconds", self.at_most_seconds, 0)

    def look(self, seen: Seen) -> Finding:
        """Measure the age of the newest time."""
        allowed = f"at most {self.at_most_seconds:,.0f} s old"
        state = seen.counted.state
        if not isinstance(state, TimeState) or state.newest is None:
            return self.found(seen, False, "no time at all", allowed, measures={"freshness": None})
        age = seen.at - state.newest / _MICROSECONDS
        return self.found(
            seen,
            age <= self.at_most_seconds,
            f"the newest is {age:,.0f} s old",
            allowed,
            measures={"freshness": age},
        )


RULES: dict[str, type[Rule]] = {
    rule.name: rule
    for rule in (
        Present, Range, Quartiles, Unique, Categories, Pattern, Distribution, Freshness,
    )
}  # fmt: skip

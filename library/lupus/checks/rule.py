"""What a rule is: something asked of a column, measured on what was seen of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, ClassVar, Optional

from lupus.checks.finding import SEVERITIES, Finding, number, shortened
from lupus.errors import ChecksError
from lupus.statistics.array import ArrayState
from lupus.statistics.counted import Counted
from lupus.statistics.frequent import Frequent
from lupus.statistics.numeric import NumericState

FAMILIES = ("number", "text", "boolean", "date", "timestamp", "array", "other")


@dataclass(frozen=True)
class Seen:
    """A column of the checked frame.

    Parameters
    ----------
    name : str
        Of the column.
    counted : Counted
        Rows, missing ones, and what its values are like.
    at : float
        Seconds since 1970 UTC that freshness is relative to.
    mismatches : mapping of str to int
        Values that do not match the pattern, some of them, and how many rows have each.
    mismatched : int
        All rows whose value does not match.
    """

    name: str
    counted: Counted
    at: float
    mismatches: Mapping[str, int] = field(default_factory=dict)
    mismatched: int = 0

    @property
    def rows(self) -> int:
        """Rows with a value."""
        return self.counted.rows - self.counted.nulls

    @property
    def frequent(self) -> Optional[Frequent]:
        """Categories, or elements of arrays."""
        state = self.counted.state
        state = state.elements if isinstance(state, ArrayState) else state
        return state if isinstance(state, Frequent) else None

    @property
    def numeric(self) -> Optional[NumericState]:
        """Numbers."""
        state = self.counted.state
        return state if isinstance(state, NumericState) else None


@dataclass(frozen=True)
class Rule:
    """Something that is asked of a column; its fields are the keys of the file."""

    name: ClassVar[str] = ""
    families: ClassVar[tuple[str, ...]] = FAMILIES

    severity: str = "fail"

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ChecksError(
                f"severity is one of {', '.join(SEVERITIES)}, not {shortened(self.severity)}"
            )

    def look(self, seen: Seen) -> Finding:
        """Measure a column."""
        raise NotImplementedError

    def found(
        self, seen: Seen, ok: Optional[bool], said: str, allowed: str, **more: Any
    ) -> Finding:
        """Make a finding of this rule."""
        return Finding(seen.name, self.name, self.severity, ok, said, allowed, **more)


def require(name: str, value: Any, low: float = -inf, high: float = inf) -> None:
    """Raise ChecksError unless this is a number in a range."""
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
    if not fits:
        between = "" if (low, high) == (-inf, inf) else f" from {number(low)} to {number(high)}"
        raise ChecksError(f"{name} is a number{between}, not {shortened(value)}")


def examples(rows: Mapping[str, int], most: int = 5) -> tuple[str, ...]:
    """Name the most frequent values with their rows."""
    ordered = sorted(rows.items(), key=lambda one: (-one[1], one[0]))[:most]
    return tuple(f"{shortened(value)} ({count:,} rows)" for value, count in ordered)

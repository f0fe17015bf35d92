"""What every kind of evaluation does."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Optional

from lupus.evaluation.columns import Columns
from lupus.evaluation.state import State
from lupus.metric import Metric


@dataclass(frozen=True)
class Task:
    """What is evaluated: which columns hold what. One class a kind of task derives from it."""

    kind: ClassVar[str] = ""

    def columns(self) -> list[str]:
        """Columns that it reads."""
        raise NotImplementedError

    def together(self) -> list[str]:
        """Columns whose equal rows must be counted at once, such as the user of a ranked list."""
        return []

    def tally(self, columns: Columns) -> State:
        """Count rows; states of parts of the rows merge."""
        raise NotImplementedError

    def measures(self, state: State) -> Iterator[Metric]:
        """Give the metrics of what was counted."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Give what JSON can hold."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {
            "kind": self.kind,
            **{name: list(one) if isinstance(one, tuple) else one for name, one in values.items()},
        }


def share(part: float, whole: float) -> Optional[float]:
    """Quotient, or None of nothing."""
    return float(part / whole) if whole else None

"""WHERE clauses: conditions of a search as SQL text with parameters."""

from collections.abc import Mapping, Sequence

from storage.conditions import ABSENT, is_glob, label_tests
from storage.selector import LabelCondition


class Where:
    """Conditions that must all hold, and their parameters in order."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self.parameters: list[str | int] = []

    def add(self, part: str, *parameters: str | int) -> None:
        """Require one more condition."""
        self._parts.append(part)
        self.parameters.extend(parameters)

    def equals(self, column: str, value: str | int | None) -> None:
        """Require a value, unless it is None."""
        if value is not None:
            self.add(f"{column} = ?", value)

    def one_of(self, expression: str, values: Sequence[str]) -> None:
        """Require one of some values."""
        self.add(f"{expression} IN ({marks(values)})", *values)

    def metrics(self, metrics: Sequence[str]) -> None:
        """Require one of some names or globs; none given asks nothing."""
        if not metrics:
            return
        tests = ["metric GLOB ?" if is_glob(metric) else "metric = ?" for metric in metrics]
        values = [m.replace("[", "[[]") if is_glob(m) else m for m in metrics]
        self.add(f"({' OR '.join(tests)})", *values)

    def labels(self, conditions: Mapping[str, LabelCondition]) -> None:
        """Require what `storage.conditions` says."""
        for test in label_tests(conditions):
            # The name was checked: it holds letters, digits and _ only.
            value = f"coalesce(json_extract(labels, '$.{test.name}'), '{ABSENT}')"
            if test.any_of:
                self.one_of(value, test.any_of)
            if test.none_of:
                self.add(f"{value} NOT IN ({marks(test.none_of)})", *test.none_of)

    def __str__(self) -> str:
        return " AND ".join(self._parts) or "true"


def marks(values: Sequence[object]) -> str:
    """As many question marks as values."""
    return ", ".join("?" * len(values))

"""Which texts do not match their pattern: one pass over the rows."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from lupus.evaluation.columns import Column, Columns, columns_of, is_spark
from lupus.evaluation.state import Counts, State
from lupus.evaluation.task import Task
from lupus.metric import Metric

_EXAMPLES = 5


@dataclass(frozen=True)
class Patterns(Task):
    """Columns of texts and the regular expressions that they match as a whole."""

    kind: ClassVar[str] = "patterns"
    regexes: Mapping[str, str]

    def columns(self) -> list[str]:
        """Columns that it reads."""
        return list(self.regexes)

    def tally(self, columns: Columns) -> State:
        """Count rows that do not match; keep a few of their values."""
        state = State()
        for name, regex in self.regexes.items():
            found = _mismatches(columns[name], re.compile(regex))
            kept = sorted(found.items(), key=lambda one: (-one[1], one[0]))[:_EXAMPLES]
            counts: Counts = {(value,): float(rows) for value, rows in kept}
            state = state.merge(State({name: float(sum(found.values()))}, counts={name: counts}))
        return state

    def measures(self, state: State) -> Iterator[Metric]:
        """Give the rows that do not match."""
        for name, rows in state.sums.items():
            yield Metric(f"{name}.mismatched", rows)


def mismatches(frame: Any, regexes: Mapping[str, str]) -> dict[str, tuple[int, dict[str, int]]]:
    """Rows of each column that do not match, and some of their values with rows at least."""
    task = Patterns(regexes)
    if is_spark(frame):
        from lupus.evaluation.spark import states_of_spark  # noqa: PLC0415  only Spark needs it

        state = states_of_spark(frame, task, (), 1).get((), State())
    else:
        state = task.tally(columns_of(frame, regexes))
    return {
        name: (
            int(state.sums.get(name, 0)),
            {key[0]: int(rows) for key, rows in state.counts.get(name, {}).items()},
        )
        for name in regexes
    }


def _mismatches(column: Column, regex: "re.Pattern[str]") -> dict[str, int]:
    rows: dict[str, int] = {}
    known: dict[Any, bool] = {}
    for value in column.tolist():
        if value is None or value != value:  # NaN
            continue
        match = known.get(value)
        if match is None:
            match = known[value] = regex.fullmatch(str(value)) is not None
        if not match:
            rows[str(value)] = rows.get(str(value), 0) + 1
    return rows

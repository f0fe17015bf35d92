"""Why a payload is refused: its rows at fault, the first hundred of them and how many in all.

Rows are counted from 1, a header not counted; row 0 is the payload as a whole or a column.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from workflows.errors import IngestRejectedError, RowError

MAX_ROW_ERRORS = 100


def rejected(column: str, message: str) -> IngestRejectedError:
    """The refusal of a payload or a column as a whole."""
    return IngestRejectedError((RowError(0, column, message),), 1)


@dataclass
class RowErrors:
    """Collects errors of rows, counted from 0 here; keeps the first hundred of each kind.

    ``before`` is the number of rows before those that are spoken of, when a payload is read in
    parts.
    """

    kept: list[RowError] = field(default_factory=list)
    total: int = 0
    before: int = 0

    def add(
        self,
        rows: Sequence[int] | npt.NDArray[np.int64],
        column: str,
        message: Callable[[int], str] | str,
    ) -> None:
        """Note these rows, ascending; messages are made only for those that are kept."""
        self.total += len(rows)
        for row in map(int, rows[:MAX_ROW_ERRORS]):
            text = message if isinstance(message, str) else message(row)
            self.kept.append(RowError(self.before + row + 1, column, text))

    def check(self) -> None:
        """Raise when anything was noted."""
        if self.total:
            first = sorted(self.kept, key=lambda error: (error.row, error.column))
            raise IngestRejectedError(first[:MAX_ROW_ERRORS], self.total)

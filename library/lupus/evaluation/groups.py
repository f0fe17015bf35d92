"""Groups of rows by the values of columns."""

from collections.abc import Iterator, Sequence

import numpy as np

from lupus.errors import EvaluationError
from lupus.evaluation.columns import Columns
from lupus.evaluation.values import MISSING, Ints, names
from lupus.statistics.labels import EMPTY, NULL

Group = tuple[str, ...]
MOST_GROUPS = 10_000


def groups_of(
    columns: Columns, by: Sequence[str], most_groups: int = MOST_GROUPS
) -> Iterator[tuple[Group, Columns]]:
    """Give each group's rows, in their order."""
    if not by:
        yield (), columns
        return
    code, keys = group_codes([names(columns[name]) for name in by])
    if len(keys) > most_groups:
        raise EvaluationError(
            f"{' x '.join(by)} make {len(keys)} groups, more than most_groups={most_groups}"
        )
    order = np.argsort(code, kind="stable")
    ends = np.cumsum(np.bincount(code, minlength=len(keys)))
    for place, (group, end) in enumerate(zip(keys, ends)):
        rows = order[ends[place - 1] if place else 0 : end]
        yield group, {name: column[rows] for name, column in columns.items()}


def group_codes(columns: list[tuple[Ints, list[str]]]) -> tuple[Ints, list[Group]]:
    """Give each row's place in a list of groups, of the places and names of several columns."""
    code = np.zeros(len(columns[0][0]), dtype=np.int64)
    keys: list[Group] = [()]
    for codes, values in columns:
        shifted = np.where(codes == MISSING, len(values), codes)
        there, code = np.unique(code * (len(values) + 1) + shifted, return_inverse=True)
        code = code.reshape(-1).astype(np.int64)
        shown = [*(value or EMPTY for value in values), NULL]
        keys = [(*keys[at // len(shown)], shown[at % len(shown)]) for at in there.tolist()]
    return code, keys

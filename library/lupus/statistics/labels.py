"""Groups as labels of metrics."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from lupus.errors import StatisticsError

EMPTY = "(empty)"
NULL = "(null)"
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OURS = ("bin", "value")

Key = tuple[Optional[str], ...]


def labels_of(by: Union[Sequence[str], Mapping[str, str], Any]) -> dict[str, str]:
    """Give labels and their columns."""
    if isinstance(by, str) or not isinstance(by, (Sequence, Mapping)):
        raise StatisticsError(f"by is a list of columns or a mapping, not {by!r}")
    labels = dict(by) if isinstance(by, Mapping) else {name: name for name in by}
    if len(labels) != len(by):
        raise StatisticsError(f"by names a column twice: {', '.join(by)}")
    for label, column in labels.items():
        if not isinstance(label, str) or not _LABEL.fullmatch(label) or label in _OURS:
            raise StatisticsError(
                f"by: {label!r} is no label, which is of letters, digits and _, without a digit at "
                f"first, and neither bin nor value: choose one, by={{'my_label': {column!r}}}"
            )
    return labels


def label_value(value: Optional[str]) -> str:
    """Give the text of a group, which is never empty."""
    if value is None:
        return NULL
    return value or EMPTY

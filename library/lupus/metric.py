"""One number about a product."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional

from lupus.errors import MetricsError

LONGEST_NAME = 200
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


@dataclass(frozen=True)
class Metric:
    """One number about a product, and what it is of.

    Parameters
    ----------
    name : str
        1 to 200 printable characters, such as ``age.mean`` or ``ndcg@10``.
    value : float or None
        The number; None when there was nothing to compute it from.
    labels : mapping of str to str, optional
        What the number is of, such as ``{"region": "jp"}``; an empty value is an absent label.

    Raises
    ------
    MetricsError
        If the name or a label is none that the server takes.

    Examples
    --------
    >>> str(Metric("ndcg@10", 0.41, {"region": "jp"}))
    'ndcg@10{region="jp"} 0.41'
    """

    name: str
    value: Optional[float]
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= LONGEST_NAME or not self.name.isprintable():
            raise MetricsError(
                f"a metric's name has 1 to {LONGEST_NAME} printable characters, not {self.name!r}"
            )
        for label, value in self.labels.items():
            if not _LABEL.fullmatch(label):
                raise MetricsError(
                    f"{self.name}: a label's name is of letters, digits and _, without a digit "
                    f"at first, not {label!r}"
                )
            if not isinstance(value, str):
                raise MetricsError(f"{self.name}: label {label} must be text, not {value!r}")

    def __str__(self) -> str:
        pairs = ",".join(f"{label}={_quoted(self.labels[label])}" for label in sorted(self.labels))
        return f"{self.name}{'{' + pairs + '}' if pairs else ''} {self.value}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'

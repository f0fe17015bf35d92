"""What one check found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

SEVERITIES = ("fail", "warn")


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Parameters
    ----------
    column : str or None
        None of the whole frame.
    check : str
        Name of the rule.
    severity : str
        ``fail`` or ``warn``.
    ok : bool or None
        None when there was nothing to check.
    said : str
        What was seen.
    allowed : str
        What was allowed.
    measures : mapping of str to float
        What becomes metrics.
    examples : tuple of str
        A few of the offending values.
    """

    column: Optional[str]
    check: str
    severity: str
    ok: Optional[bool]
    said: str
    allowed: str
    measures: Mapping[str, Optional[float]] = field(default_factory=dict)
    examples: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Column and check."""
        return self.check if self.column is None else f"{self.column}.{self.check}"

    def __str__(self) -> str:
        examples = f": {', '.join(self.examples)}" if self.examples else ""
        return f"{self.name}: {self.said}{examples} (allowed: {self.allowed})"


def number(value: float) -> str:
    """Write a number with up to six digits."""
    return f"{value:.6g}"


def percent(share: float) -> str:
    """Write a share in percent."""
    return f"{share * 100:.4g} %"


def shortened(value: Any, most: int = 40) -> str:
    """Write a value of the data or of a file, cut where it is long."""
    said = repr(value)
    return said if len(said) <= most else f"{said[: most - 1]}…"

"""Which series and which times a question is about."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# One label's condition: a list is any-of, None = the series has no such label,
# a value "!tw" excludes tw; conditions of one selector are all required.
LabelCondition = tuple[str, ...] | None


@dataclass(frozen=True)
class Selector:
    """Metrics (names or globs ``*`` and ``?``), label conditions and a half-open time range."""

    metrics: tuple[str, ...]
    start_ms: int
    end_ms: int
    labels: Mapping[str, LabelCondition] = field(default_factory=dict)


# The years 1900 to 2100: a probe asks for whatever is there.
EVERYTHING = Selector(("*",), -2_208_988_800_000, 4_102_444_800_000)

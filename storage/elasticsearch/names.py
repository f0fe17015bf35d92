"""Names of indices, aliases and templates: what a month of documents is called."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from storage.errors import InvalidError
from storage.months import month_of

Kind = Literal["anomalies", "points", "bands", "series"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MONTHLY: tuple[Kind, ...] = ("anomalies", "points", "bands")

# Of the layout of documents: another one gets indices of its own.
LAYOUT = "v1"

_PREFIX = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")


@dataclass(frozen=True)
class Names:
    """All names below one prefix, which keeps several installations on one server apart."""

    prefix: str

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise InvalidError(
                f"index prefix {self.prefix!r}: allowed are lower-case letters, digits, - and _, "
                "beginning with a letter or digit, at most 100"
            )

    def alias(self, kind: Kind) -> str:
        """What searches ask: every month of a kind."""
        return f"{self.prefix}-{kind}"

    def stem(self, kind: Kind) -> str:
        """The name of the template, and the beginning of its indices' names."""
        return f"{self.prefix}-{kind}-{LAYOUT}"

    def pattern(self, kind: Kind) -> str:
        """The indices that the template is for."""
        return f"{self.stem(kind)}-*" if kind in MONTHLY else self.stem(kind)

    def index(self, kind: Kind, ts_ms: int = 0) -> str:
        """The index that holds a document of this time."""
        if kind not in MONTHLY:
            return self.stem(kind)
        return f"{self.stem(kind)}-{month_of(ts_ms).replace('-', '.')}"

    def month(self, kind: Kind, index: str) -> str | None:
        """The month YYYY-MM of an index of ours; None for any other name."""
        found = re.fullmatch(re.escape(self.stem(kind)) + r"-(\d{4})\.(\d{2})", index)
        return f"{found[1]}-{found[2]}" if found else None

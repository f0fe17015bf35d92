"""What a check of one configured part found, and what a person can do about it.

`lupus-server doctor` asks every configured store for its findings. A check never raises for what it
is there to find, and never changes anything that it does not remove again.
"""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Finding:
    """One thing that was checked. Neither ``detail`` nor ``advice`` may show a secret."""

    part: str  # the row's owner: "archive", "index", "objects", "connection warehouse"
    check: str  # what was looked at, a few words: "reach", "conditional put"
    state: State
    detail: str = ""  # what was seen: a version, a count, the store's own message
    advice: str = ""  # what to do; empty when it is ok

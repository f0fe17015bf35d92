"""How a database on a server is reached, besides its URL, which never holds a secret."""

from dataclasses import dataclass, field
from pathlib import Path

from storage.secret import Secret

# How long a lock is waited for: a renewal that waits this long leaves time for another before the
# lease ends (a third more).
BUSY_SECONDS = 8.0


@dataclass(frozen=True)
class Access:
    """For a file there is nothing to say: the defaults."""

    password: Secret = field(default_factory=Secret)  # read again for every new connection
    ca_bundle: Path | None = None
    connections: int = 16  # most that one process has open

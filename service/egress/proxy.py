"""The proxy of a company that reaches the outside only through one, and the names it is for."""

from dataclasses import dataclass, field

from storage.secret import Secret


@dataclass(frozen=True)
class Proxy:
    """Names on the list are left for the proxy to resolve; it never gets another.

    ``hosts`` are names, and ``*.example.com`` for all names below one.
    """

    url: str
    hosts: tuple[str, ...]
    user: str = ""
    password: Secret = field(default_factory=Secret)

    def serves(self, host: str) -> bool:
        """Whether a host, as `host_of` gives it, is on the list."""
        return any(
            host.endswith(one[1:]) if one.startswith("*.") else host == one for one in self.hosts
        )

    def credentials(self) -> tuple[str, str] | None:
        """User and password; the file of the password is read each time, so it may be rotated."""
        return (self.user, self.password.read()) if self.user else None

"""Who we are by Kerberos."""

from storage.errors import InvalidError
from storage.hive.options import HiveOptions
from storage.hive.sasl import Mechanism


class KerberosIdentity:
    """The tickets of one principal for one server."""

    def __init__(self, name: str, options: HiveOptions) -> None:
        raise InvalidError(f"{name}: auth KERBEROS is not there yet")

    def mechanism(self) -> Mechanism:
        """Who we are on a binary connection."""
        raise NotImplementedError

    def header(self, has_cookie: bool) -> str | None:
        """Who we are in an HTTP request."""
        raise NotImplementedError

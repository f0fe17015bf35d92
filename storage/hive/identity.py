"""Opens the way to a server that its options name, with who we are at this moment.

Passwords and keytabs are read each time, so rotated files are seen by the next session.
"""

import base64

from storage.hive.kerberos import KerberosIdentity
from storage.hive.options import HiveOptions
from storage.hive.sasl import Mechanism, Plain
from storage.hive.transport import HttpMessages, Messages, SocketMessages

# Where authentication is NONE the server wants a password and takes any.
_ANY_PASSWORD = "x"  # noqa: S105


def open_messages(name: str, options: HiveOptions) -> Messages:
    """A new connection on which the server knows us, or a storage error that says why not."""
    if options.transport in ("http", "https"):
        return HttpMessages(name, options, _http_identity(name, options).header)
    return SocketMessages(name, options, _mechanism(name, options))


def _mechanism(name: str, options: HiveOptions) -> Mechanism | None:
    if options.auth == "NOSASL":
        return None
    if options.auth == "KERBEROS":
        return KerberosIdentity(name, options).mechanism()
    return Plain(options.user, options.password.read() or _ANY_PASSWORD)


class _Basic:
    def __init__(self, user: str, password: str) -> None:
        self._value = base64.b64encode(f"{user}:{password}".encode()).decode()

    def header(self, has_cookie: bool) -> str | None:
        return None if has_cookie else f"Basic {self._value}"


def _http_identity(name: str, options: HiveOptions) -> "_Basic | KerberosIdentity":
    if options.auth == "KERBEROS":
        return KerberosIdentity(name, options)
    return _Basic(options.user, options.password.read() or _ANY_PASSWORD)

"""Who we are by Kerberos: SASL's mechanism GSSAPI (RFC 4752), and Negotiate over HTTP."""

import base64
import hashlib
import os

from storage.errors import InvalidError, RefusedError
from storage.hive.gssapi import Context, Credentials
from storage.hive.options import HiveOptions

_NONE, _INTEGRITY, _CONFIDENTIALITY = 1, 2, 4
_LARGEST = (1 << 24) - 1


class KerberosIdentity:
    """The tickets of one principal for one server; new ones are fetched as old ones age."""

    def __init__(self, name: str, options: HiveOptions) -> None:
        self._name, self._options = name, options
        host = options.kerberos_host or options.host
        self._service = f"{options.kerberos_service}@{host}"

    def mechanism(self) -> "Gssapi":
        """Who we are on a binary connection."""
        return Gssapi(self._name, self._context())

    def header(self, has_cookie: bool) -> str | None:
        """Who we are in an HTTP request; a token serves one request."""
        if has_cookie:
            return None
        return f"Negotiate {base64.b64encode(self._context().step(b'')).decode()}"

    def _context(self) -> Context:
        options = self._options
        keytab = str(options.keytab or "")
        if keytab and not os.access(keytab, os.R_OK):
            raise InvalidError(f"{self._name}: keytab {keytab} cannot be read")
        # A cache for each pair, so that no principal finds another one's tickets.
        pair = hashlib.sha256(f"{keytab}\0{options.principal}".encode()).hexdigest()[:16]
        credentials = Credentials(
            self._name, options.principal, keytab, f"MEMORY:lupus-{os.getpid()}-{pair}"
        )
        return Context(self._name, credentials, self._service)


class Gssapi:
    """The conversation of SASL, and the layer of protection that it agrees on."""

    name = "GSSAPI"

    def __init__(self, label: str, context: Context) -> None:
        self._label = label
        self._context = context
        self._layer = _NONE
        self._agreed = False

    def step(self, challenge: bytes | None) -> bytes:
        if not self._context.complete:
            return self._context.step(challenge or b"")
        if not challenge:
            return b""
        if self._agreed:
            raise RefusedError(f"{self._label}: the server goes on after an agreement")
        offer = self._context.unwrap(challenge)
        if len(offer) != 4:
            raise RefusedError(f"{self._label}: the server's offer of protection makes no sense")
        self._agreed = True
        layers = [layer for layer in (_CONFIDENTIALITY, _INTEGRITY, _NONE) if offer[0] & layer]
        if not layers:
            raise RefusedError(f"{self._label}: the server offers no layer of protection")
        self._layer = layers[0]
        largest = 0 if self._layer == _NONE else _LARGEST
        return self._context.wrap(bytes([self._layer]) + largest.to_bytes(3), secret=False)

    def wrap(self, message: bytes) -> bytes:
        if self._layer == _NONE:
            return message
        return self._context.wrap(message, secret=self._layer == _CONFIDENTIALITY)

    def unwrap(self, message: bytes) -> bytes:
        return message if self._layer == _NONE else self._context.unwrap(message)

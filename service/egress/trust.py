"""Whose certificates are believed: the system's authorities, and those of LUPUS_CA_BUNDLE."""

import ssl
from pathlib import Path

import httpx2

Mark = tuple[int, int, int]


class Trust:
    """A TLS context that is made again when the bundle's file was replaced."""

    def __init__(self, ca_bundle: Path | None = None) -> None:
        self._ca_bundle = ca_bundle
        self._made: tuple[Mark | None, ssl.SSLContext] | None = None

    def context(self) -> ssl.SSLContext:
        """For the next connection.

        Raises
        ------
        ConnectError
            The bundle cannot be read now: it is just being replaced, or gone.
        """
        try:
            mark = self._mark()
            if self._made is None or self._made[0] != mark:
                self._made = (mark, self._new())
        except OSError as error:
            told = "holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
            raise httpx2.ConnectError(f"LUPUS_CA_BUNDLE: {told}") from None
        return self._made[1]

    def _mark(self) -> Mark | None:
        if self._ca_bundle is None:
            return None
        found = self._ca_bundle.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _new(self) -> ssl.SSLContext:
        context = httpx2.create_ssl_context(trust_env=False)
        if self._ca_bundle is not None:
            context.load_verify_locations(self._ca_bundle)
        return context

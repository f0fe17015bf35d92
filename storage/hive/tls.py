"""Whom we talk to: certificates and host names are always verified."""

import ssl
from pathlib import Path

from storage.errors import InvalidError


def tls_context(name: str, ca_bundle: Path | None) -> ssl.SSLContext:
    """A context that trusts the bundle, or the system's authorities without one."""
    try:
        return ssl.create_default_context(cafile=ca_bundle)
    except (OSError, ssl.SSLError) as error:
        raise InvalidError(
            f"{name}: ca_bundle {ca_bundle}: {error.strerror or 'holds no certificate'}"
        ) from None

"""Certificates that every client trusts, and the address that messages link to."""

import ssl
import time
from collections.abc import Iterator

import httpx2

from service.settings import Settings
from storage.check import Finding

PART = "network"
_SECONDS = 5.0


def check(settings: Settings) -> Iterator[Finding]:
    """The bundle, then the public address."""
    if settings.ca_bundle is not None:
        yield _bundle(settings)
    yield _public(settings)


def _bundle(settings: Settings) -> Finding:
    name = "LUPUS_CA_BUNDLE"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=settings.ca_bundle)
    except (OSError, ssl.SSLError) as error:
        told = f"{settings.ca_bundle}: {error.strerror or type(error).__name__}"
        return Finding(PART, name, "failed", told, "let it name a PEM file of certificates")
    ends = [ssl.cert_time_to_seconds(str(one["notAfter"])) for one in context.get_ca_certs()]
    if not ends:
        told = f"{settings.ca_bundle} holds no certificate authority"
        return Finding(PART, name, "failed", told, "add the authority's certificate")
    over = sum(end < time.time() for end in ends)
    if over:
        told = f"{over} of {len(ends)} certificates are expired"
        return Finding(PART, name, "warning", told, "replace them")
    return Finding(PART, name, "ok", f"{len(ends)} certificates")


def _public(settings: Settings) -> Finding:
    name, url = "LUPUS_PUBLIC_URL", settings.public_url.rstrip("/")
    if not url:
        return Finding(
            PART, name, "warning", "not set: messages carry no links", "set it to where people look"
        )
    try:
        verify: ssl.SSLContext | bool = True
        if settings.ca_bundle is not None:
            verify = ssl.create_default_context(cafile=str(settings.ca_bundle))
        with httpx2.Client(timeout=_SECONDS, verify=verify) as client:
            status = client.get(f"{url}/livez").status_code
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        told = f"{url} does not answer from here ({type(error).__name__})"
        advice = "fine before the service runs; else check the ingress, or LUPUS_PUBLIC_URL"
        return Finding(PART, name, "warning", told, advice)
    if status != httpx2.codes.OK:
        advice = "check the ingress: /livez of this address should answer 200"
        return Finding(PART, name, "warning", f"{url}/livez answers {status}", advice)
    return Finding(PART, name, "ok", url)

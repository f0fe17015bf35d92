"""Certificates that every client trusts, the way out, and the address that messages link to."""

import socket
import ssl
import time
from collections.abc import Iterator, Sequence

import httpx2

from service.egress.addresses import METADATA, Network
from service.egress.proxy import Proxy
from service.egress.transport import open_client
from service.settings import Settings
from storage.check import Finding

PART = "network"
_SECONDS = 5.0
_MOST_NAMES = 3


def check(settings: Settings) -> Iterator[Finding]:
    """The bundle, the way out, then the public address."""
    if settings.ca_bundle is not None:
        yield _bundle(settings)
    if settings.egress_allow:
        yield _allowed(settings.egress_allow)
    if (proxy := settings.egress.proxy) is not None:
        yield from _through(proxy, settings)
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


def _allowed(networks: Sequence[Network]) -> Finding:
    name = "LUPUS_EGRESS_ALLOW"
    for network in networks:
        if network.num_addresses == 1 and network.network_address in METADATA:
            told = f"{network} hands the credentials of machines to whoever manages channels"
            return Finding(PART, name, "warning", told, "take it out")
        if network.prefixlen == 0:
            told = f"{network} opens every internal network to whoever manages channels"
            return Finding(PART, name, "warning", told, "name the networks that are needed")
    return Finding(PART, name, "ok", f"{len(networks)} networks")


def _through(proxy: Proxy, settings: Settings) -> Iterator[Finding]:
    """Each of the first names is asked for its first page, as a message would go."""
    names = [host for host in proxy.hosts if not host.startswith("*.")][:_MOST_NAMES]
    if not names:
        yield _reach(proxy)
    with open_client(settings.egress, settings.ca_bundle, _SECONDS) as client:
        for host in names:
            check = f"LUPUS_EGRESS_PROXY: {host}"
            try:
                status = client.head(f"https://{host}/").status_code
            except httpx2.HTTPError as error:
                advice = "check the proxy's rules, LUPUS_EGRESS_PROXY and LUPUS_CA_BUNDLE"
                told = str(error) or type(error).__name__
                yield Finding(PART, check, "failed", told, advice)
            else:
                yield Finding(PART, check, "ok", f"answers {status} through the proxy")


def _reach(proxy: Proxy) -> Finding:
    """A list of stars alone has no name to ask for."""
    name, url = "LUPUS_EGRESS_PROXY", httpx2.URL(proxy.url)
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        socket.create_connection((url.host, port), _SECONDS).close()
    except OSError as error:
        told = f"{url.host}:{port}: {error.strerror or type(error).__name__}"
        return Finding(PART, name, "failed", told, "check its address, and firewalls and policies")
    told = f"{url.host}:{port} listens; LUPUS_EGRESS_ALLOW_HOSTS has no single name to ask it for"
    return Finding(PART, name, "ok", told)


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

"""The one way out to URLs that people gave: pinned, without redirects, proxies or kept sockets."""

from ipaddress import IPv6Address
from pathlib import Path

import httpx2

from service.egress.egress import Address, Egress, check_url
from service.errors import EgressError


class PinnedTransport(httpx2.BaseTransport):
    """Connects to a checked address of the host; certificate and Host header stay the name's."""

    def __init__(self, egress: Egress, ca_bundle: Path | None = None) -> None:
        self._egress = egress
        context = httpx2.create_ssl_context(trust_env=False)
        if ca_bundle is not None:
            context.load_verify_locations(ca_bundle)
        # No connection is kept: one to a shared address would be reused for another name.
        self._inner = httpx2.HTTPTransport(
            verify=context, trust_env=False, limits=httpx2.Limits(max_keepalive_connections=0)
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send to the first address that accepts a connection."""
        check_url(str(request.url))
        host = request.url.host
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        failure: httpx2.TransportError | None = None
        for address in self._egress.addresses(host, port):
            try:
                return self._inner.handle_request(_pinned(request, address, host))
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                failure = error
        raise failure or EgressError(f"the host {host} has no address")

    def close(self) -> None:
        """Close what is open."""
        self._inner.close()


def _pinned(request: httpx2.Request, address: Address, host: str) -> httpx2.Request:
    literal = f"[{address}]" if isinstance(address, IPv6Address) else str(address)
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=literal),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )


def open_client(
    egress: Egress, ca_bundle: Path | None = None, timeout_seconds: float = 15.0
) -> httpx2.Client:
    """A client that can reach nothing but what ``egress`` allows."""
    return httpx2.Client(
        transport=PinnedTransport(egress, ca_bundle),
        timeout=timeout_seconds,
        follow_redirects=False,
        trust_env=False,
    )

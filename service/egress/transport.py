"""A client for URLs that people gave: pinned, bounded, without redirects and kept sockets."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpcore2
import httpx2

from service.egress.connect import Allowance, PinnedBackend, ProxyBackend
from service.egress.egress import Egress
from service.egress.proxy import Proxy
from service.egress.trust import Trust
from service.egress.url import host_of
from storage.errors import InvalidError

# Of an answer only the status and a sentence are of use.
LARGEST_ANSWER = 1024 * 1024
_PROXY_AUTHENTICATION_REQUIRED = 407


class PinnedTransport(httpx2.BaseTransport):
    """Each exchange has its own sockets, ``seconds`` in all and an answer of limited size.

    Host header and certificate are the name's, wherever the connection goes.
    """

    def __init__(
        self, egress: Egress, ca_bundle: Path | None = None, seconds: float = 15.0
    ) -> None:
        self._egress = egress
        self._trust = Trust(ca_bundle)
        self._seconds = seconds

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send to the first address that accepts a connection, or through the proxy."""
        host = host_of(str(request.url))
        proxy = self._egress.proxy_for(host)
        allowance = Allowance(self._seconds, LARGEST_ANSWER)
        # Making a context takes long, and nothing but https needs one.
        context = self._trust.context() if "https" in _schemes(request, proxy) else None
        pool = _proxied(proxy, allowance, context) if proxy else self._direct(allowance, context)
        try:
            with _as_httpx2(proxy, request.url):
                answer = pool.handle_request(_core(request, host))
            if proxy and answer.status == _PROXY_AUTHENTICATION_REQUIRED:
                raise httpx2.ProxyError(_refused_by(proxy, request.url, str(answer.status)))
        except BaseException:
            pool.close()
            raise
        return httpx2.Response(
            answer.status,
            # Nothing is unpacked: a few bytes could become many. We ask for nothing packed.
            headers=[one for one in answer.headers if one[0].lower() != b"content-encoding"],
            stream=_Answer(answer, pool),
            extensions=answer.extensions,
        )

    def _direct(
        self, allowance: Allowance, context: ssl.SSLContext | None
    ) -> httpcore2.ConnectionPool:
        return httpcore2.ConnectionPool(
            ssl_context=context,
            network_backend=PinnedBackend(self._egress, allowance),
            max_keepalive_connections=0,
        )


class _Answer(httpx2.SyncByteStream):
    """The body of an answer; closing it closes the exchange's socket."""

    def __init__(self, answer: httpcore2.Response, pool: httpcore2.ConnectionPool) -> None:
        self._answer = answer
        self._pool = pool

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx2():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()
        self._pool.close()


def open_client(
    egress: Egress, ca_bundle: Path | None = None, timeout_seconds: float = 15.0
) -> httpx2.Client:
    """A client that can reach nothing but what ``egress`` allows.

    An exchange has ``timeout_seconds`` in all, from resolving the name to the answer's last byte.
    """
    return httpx2.Client(
        transport=PinnedTransport(egress, ca_bundle, timeout_seconds),
        headers={"accept-encoding": "identity"},
        follow_redirects=False,
        trust_env=False,
    )


def _proxied(
    proxy: Proxy, allowance: Allowance, context: ssl.SSLContext | None
) -> httpcore2.ConnectionPool:
    try:
        credentials = proxy.credentials()
    except InvalidError as error:
        raise httpx2.ProxyError(f"LUPUS_EGRESS_PROXY_PASSWORD_FILE: {error}") from None
    return httpcore2.HTTPProxy(
        proxy.url,
        proxy_auth=credentials,
        ssl_context=context,
        proxy_ssl_context=context if proxy.url.startswith("https:") else None,
        network_backend=ProxyBackend(allowance),
        max_keepalive_connections=0,
    )


def _schemes(request: httpx2.Request, proxy: Proxy | None) -> tuple[str, ...]:
    return (request.url.scheme, proxy.url.partition(":")[0]) if proxy else (request.url.scheme,)


def _core(request: httpx2.Request, host: str) -> httpcore2.Request:
    url = request.url
    return httpcore2.Request(
        method=request.method,
        url=httpcore2.URL(
            scheme=url.raw_scheme, host=host.encode("ascii"), port=url.port, target=url.raw_path
        ),
        headers=request.headers.raw,
        content=request.stream,
    )


@contextmanager
def _as_httpx2(proxy: Proxy | None = None, url: httpx2.URL | None = None) -> Iterator[None]:
    """The errors of the layer below by the names that callers know."""
    try:
        yield
    except httpcore2.ProxyError as error:
        status = str(error)[:3]
        if proxy is None or url is None or not status.isdigit():
            raise httpx2.ProxyError(str(error)) from error
        raise httpx2.ProxyError(_refused_by(proxy, url, status)) from error
    except (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError) as error:
        known: type[httpx2.TransportError] = getattr(httpx2, type(error).__name__)
        raise known(str(error)) from error


def _refused_by(proxy: Proxy, url: httpx2.URL, status: str) -> str:
    shown = httpx2.URL(proxy.url).netloc.decode("ascii")
    told = f"the proxy {shown} answers {status} to a way to {url.host}"
    if status == str(_PROXY_AUTHENTICATION_REQUIRED):
        return f"{told}: check LUPUS_EGRESS_PROXY_USER and LUPUS_EGRESS_PROXY_PASSWORD"
    return f"{told}: ask who runs it to allow the host"

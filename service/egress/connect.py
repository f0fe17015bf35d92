"""Sockets of one exchange: to checked addresses only, with one deadline and one size for all."""

import ssl
import threading
import time
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from typing import TypeVar

import httpcore2

from service.egress.egress import Egress
from service.errors import EgressError

Result = TypeVar("Result")
_CONNECT = httpcore2.SyncBackend()


class Allowance:
    """What is left of an exchange: ``seconds`` until its end, ``size`` bytes of the answer."""

    def __init__(self, seconds: float, size: int) -> None:
        self._end = time.monotonic() + seconds
        self._size = self._left = size

    def seconds(self, late: type[Exception]) -> float:
        """Seconds until the end; ``late`` when it has passed."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise late("the exchange took too long")
        return left

    def take(self, received: int) -> None:
        """Count bytes that arrived."""
        self._left -= received
        if self._left < 0:
            raise httpcore2.ReadError(f"the answer is larger than {self._size} bytes")


class _Stream(httpcore2.NetworkStream):
    """A drip of bytes does not prolong the exchange: every call gets what is left of it."""

    def __init__(self, stream: httpcore2.NetworkStream, allowance: Allowance) -> None:
        self._stream = stream
        self._allowance = allowance

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        found = self._stream.read(max_bytes, self._allowance.seconds(httpcore2.ReadTimeout))
        self._allowance.take(len(found))
        return found

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._allowance.seconds(httpcore2.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        left = self._allowance.seconds(httpcore2.ConnectTimeout)
        inside = self._stream.start_tls(ssl_context, server_hostname, left)
        return _Stream(inside, self._allowance)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


class PinnedBackend(httpcore2.NetworkBackend):
    """Resolves and checks a host where its socket is opened: nothing can come in between."""

    def __init__(self, egress: Egress, allowance: Allowance) -> None:
        self._egress = egress
        self._allowance = allowance

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """To the first address that accepts; each gets an equal share of the time that is left."""
        addresses = self._resolved(host, port)
        failure: httpcore2.NetworkError | httpcore2.TimeoutException | None = None
        for number, address in enumerate(addresses):
            share = self._allowance.seconds(httpcore2.ConnectTimeout) / (len(addresses) - number)
            try:
                stream = _CONNECT.connect_tcp(str(address), port, share, None, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream, self._allowance)
        raise failure or EgressError(f"the host {host} has no address")

    def _resolved(self, host: str, port: int) -> list[str]:
        """A resolver has no deadline of its own, so it is left behind when ours is over."""
        left = self._allowance.seconds(httpcore2.ConnectTimeout)
        found = _in_time(lambda: self._egress.addresses(host, port), left)
        return [str(address) for address in found]


class ProxyBackend(httpcore2.NetworkBackend):
    """To the operator's proxy, which is trusted and may have an internal address."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Say that it was the proxy that could not be reached."""
        left = self._allowance.seconds(httpcore2.ConnectTimeout)
        try:
            stream = _CONNECT.connect_tcp(host, port, left, None, socket_options)
        except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
            raise httpcore2.ProxyError(
                f"the proxy {host}:{port} (LUPUS_EGRESS_PROXY) cannot be reached: {error}"
            ) from error
        return _Stream(stream, self._allowance)


def _in_time(call: Callable[[], Result], seconds: float) -> Result:
    answers: SimpleQueue[tuple[Result | None, Exception | None]] = SimpleQueue()

    def work() -> None:
        try:
            answers.put((call(), None))
        except Exception as error:  # noqa: BLE001 - raised where the answer is awaited
            answers.put((None, error))

    threading.Thread(target=work, name="egress-resolver", daemon=True).start()
    try:
        found, error = answers.get(timeout=seconds)
    except Empty:
        raise httpcore2.ConnectTimeout("the name was not resolved in time") from None
    if error is not None:
        raise error
    return found  # type: ignore[return-value]  # there is a result, or an error was raised

"""Messages to and from a server, over a socket or HTTP; a message is read where it lies.

Thrift's own transports copy each message several times, accept any HTTP status and have no
time-out that moves with a deadline.
"""

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.cookies import CookieError, SimpleCookie

from thrift.transport.TTransport import TTransportBase

from storage.errors import BusyError, InvalidError, RefusedError, StorageError, UnreachableError
from storage.hive.errors import LostConnectionError
from storage.hive.options import HiveOptions
from storage.hive.sasl import Mechanism, Plain, negotiate
from storage.hive.tls import tls_context

_PART = 1 << 18
_LARGEST_PART = 1 << 22
_LARGEST_FRAME = 1 << 30
_LEAST_SECONDS = 0.05


class Messages(TTransportBase):  # type: ignore[misc]
    """What `TCLIService` writes to and reads from, and what `decode` looks into."""

    def __init__(self) -> None:
        self.data = bytearray()  # the part of a message that has arrived
        self.start = 0  # of what is not read yet
        self._outgoing: list[bytes] = []
        self._timeout_seconds = 0.0

    def set_timeout(self, seconds: float) -> None:
        """How long one wait for the network may take from now on."""
        self._timeout_seconds = max(seconds, _LEAST_SECONDS)

    def need(self, size: int) -> int:
        """Make ``size`` unread bytes lie in ``data`` in one piece, and give where they begin."""
        while len(self.data) - self.start < size:
            # Arrays over the old part may still be alive, so it is left as it is.
            self.data = self.data[self.start :] + self.arrive(size)
            self.start = 0
        return self.start

    def read(self, size: int) -> bytes:
        start = self.need(size)
        self.start = start + size
        return bytes(self.data[start : start + size])

    readAll = read  # noqa: N815

    def write(self, data: bytes) -> None:
        self._outgoing.append(data)

    def flush(self) -> None:
        message = b"".join(self._outgoing)
        self._outgoing.clear()
        self.data, self.start = bytearray(), 0
        self.depart(message)

    def alive(self) -> bool:
        """False when the connection is known to be of no more use."""
        raise NotImplementedError

    def interrupt(self) -> None:
        """End what another thread waits for."""
        raise NotImplementedError

    def arrive(self, size: int) -> bytearray:
        """The next bytes of the server, one at least; ``size`` are wished for."""
        raise NotImplementedError

    def depart(self, message: bytes) -> None:
        """Send one message."""
        raise NotImplementedError


class SocketMessages(Messages):
    """A socket, plain or under TLS; framed once SASL has said who we are."""

    def __init__(self, name: str, options: HiveOptions, mechanism: Mechanism | None) -> None:
        super().__init__()
        self._name = name
        self._mechanism = mechanism
        self._framed = False
        self.set_timeout(options.connect_seconds)
        with network_errors(name, options):
            self._socket = self._connected(options)
            try:
                if mechanism is not None:
                    negotiate(self, mechanism, name)
                    self._framed = True
            except BaseException:
                self._socket.close()
                raise

    def _connected(self, options: HiveOptions) -> socket.socket:
        address = (options.host, options.port)
        found = socket.create_connection(address, timeout=self._timeout_seconds)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A server whose machine is gone is noticed while a query runs for hours.
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for setting, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, setting):
                found.setsockopt(socket.IPPROTO_TCP, getattr(socket, setting), value)
        if options.transport != "tls":
            return found
        try:
            context = tls_context(self._name, options.ca_bundle)
            return context.wrap_socket(found, server_hostname=options.host)
        except BaseException:
            found.close()
            raise

    def set_timeout(self, seconds: float) -> None:
        super().set_timeout(seconds)
        if hasattr(self, "_socket"):
            self._socket.settimeout(self._timeout_seconds)

    def alive(self) -> bool:
        """False when the server has closed the connection, or sent what nobody asked for."""
        if isinstance(self._socket, ssl.SSLSocket):
            return True  # cannot be looked into without reading
        try:
            self._socket.setblocking(False)
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            self._socket.settimeout(self._timeout_seconds)
        return False

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive(self, size: int) -> bytearray:
        found = bytearray(size)
        view, arrived = memoryview(found), 0
        while arrived < size:
            count = self._socket.recv_into(view[arrived:])
            if count == 0:
                raise EOFError("the server closed the connection")
            arrived += count
        return found

    def depart(self, message: bytes) -> None:
        if self._framed:
            assert self._mechanism is not None
            wrapped = self._mechanism.wrap(message)
            message = len(wrapped).to_bytes(4) + wrapped
        self.send(message)

    def arrive(self, size: int) -> bytearray:
        if not self._framed:
            # A damaged length must not become memory.
            part = bytearray(min(max(size, _PART), _LARGEST_PART))
            count = self._socket.recv_into(part)
            if count == 0:
                raise EOFError("the server closed the connection")
            del part[count:]
            return part
        assert self._mechanism is not None
        length = int.from_bytes(self.receive(4))
        if length > _LARGEST_FRAME:
            raise UnreachableError(f"{self._name}: the server sent what is no frame of a message")
        frame = self.receive(length)
        if isinstance(self._mechanism, Plain):
            return frame
        return bytearray(self._mechanism.unwrap(bytes(frame)))

    def interrupt(self) -> None:
        """End what another thread waits for."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()


class HttpMessages(Messages):
    """One POST for each message, over one connection that is kept.

    ``authorization`` gives the header's value; it is told whether the server gave us a cookie,
    which says the same for less.
    """

    def __init__(
        self, name: str, options: HiveOptions, authorization: Callable[[bool], str | None]
    ) -> None:
        super().__init__()
        self._name = name
        self._path = f"/{options.http_path}"
        self._authorization = authorization
        self._cookies: dict[str, str] = {}
        self._answered = True
        self.set_timeout(options.connect_seconds)
        seconds = self._timeout_seconds
        if options.transport == "https":
            context = tls_context(name, options.ca_bundle)
            self._http: http.client.HTTPConnection = http.client.HTTPSConnection(
                options.host, options.port, timeout=seconds, context=context
            )
        else:
            self._http = http.client.HTTPConnection(options.host, options.port, timeout=seconds)
        with network_errors(name, options):
            self._http.connect()

    def set_timeout(self, seconds: float) -> None:
        super().set_timeout(seconds)
        if hasattr(self, "_http"):
            self._http.timeout = self._timeout_seconds
            if self._http.sock is not None:
                self._http.sock.settimeout(self._timeout_seconds)

    def alive(self) -> bool:
        """Each request may connect anew, so there is nothing to look at."""
        return True

    def depart(self, message: bytes) -> None:
        headers = {"Content-Type": "application/x-thrift", "Accept": "application/x-thrift"}
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{key}={value}" for key, value in self._cookies.items())
        authorization = self._authorization(bool(self._cookies))
        if authorization is not None:
            headers["Authorization"] = authorization
        self._http.request("POST", self._path, message, headers)
        self._answered = False

    def arrive(self, size: int) -> bytearray:
        if self._answered:
            raise EOFError("the server's answer ended too early")
        answer = self._http.getresponse()
        self._answered = True
        body = bytearray(answer.read())
        self._keep_cookies(answer.headers.get_all("Set-Cookie") or ())
        if answer.status != http.HTTPStatus.OK:
            raise _http_error(self._name, answer.status, answer.reason)
        if not body:
            raise EOFError("the server's answer is empty")
        return body

    def _keep_cookies(self, lines: Iterator[str] | list[str] | tuple[str, ...]) -> None:
        for line in lines:
            try:
                morsels = SimpleCookie(line)
            except CookieError:
                continue
            self._cookies.update({key: morsel.value for key, morsel in morsels.items()})

    def interrupt(self) -> None:
        """End what another thread waits for."""
        if self._http.sock is not None:
            with suppress(OSError):
                self._http.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._http.close()


def _http_error(name: str, status: int, reason: str) -> StorageError:
    said = f"{name}: the server answers HTTP {status} {reason}"
    if status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
        return RefusedError(f"{said}: it refuses our credentials")
    if status in (http.HTTPStatus.TOO_MANY_REQUESTS, http.HTTPStatus.SERVICE_UNAVAILABLE):
        return BusyError(said)
    if status == http.HTTPStatus.NOT_FOUND:
        return InvalidError(f"{said}: check http_path")
    return UnreachableError(said)


@contextmanager
def network_errors(name: str, options: HiveOptions) -> Iterator[None]:
    """Turn what a socket says into UnreachableError, or RefusedError for a certificate."""
    place = f"{name}: {options.host}:{options.port}"
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise RefusedError(
            f"{place}: its certificate is not accepted: {error.verify_message or error.reason}"
        ) from None
    except ssl.SSLError as error:
        raise UnreachableError(
            f"{place}: TLS failed: {error.reason or 'no reason given'}"
        ) from None
    except TimeoutError:
        raise UnreachableError(f"{place} did not answer in time") from None
    except socket.gaierror as error:
        raise UnreachableError(f"{place}: no such host: {error.strerror}") from None
    except (OSError, EOFError, http.client.HTTPException) as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise LostConnectionError(f"{place}: {said}") from None

"""A small proxy: CONNECT and absolute URLs, with a password, and an own idea of names."""

import base64
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.service.egress.raw_server import Speak, head, serving

REFUSED = "403 Forbidden"


@dataclass
class ConnectProxy:
    """``names`` are what it can reach: name -> port of this machine. ``lines`` is what it heard."""

    names: Mapping[str, int]
    credentials: str = ""
    lines: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def speak(self, connection: socket.socket) -> None:
        heard = head(connection)
        if not heard:
            return  # somebody looked whether we are there
        first, *headers = heard.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        self.lines.append(first)
        told = self._told(first, headers)
        if isinstance(told, str):
            extra = "Proxy-Authenticate: Basic\r\n" if told.startswith("407") else ""
            answer = f"HTTP/1.1 {told}\r\n{extra}Content-Length: 0\r\n\r\n"
            connection.sendall(answer.encode())
            return
        with socket.create_connection(("127.0.0.1", told), timeout=20) as beyond:
            if first.startswith("CONNECT"):
                connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                beyond.sendall(_forwarded(heard))
            _pump(connection, beyond)

    def _told(self, first: str, headers: list[str]) -> int | str:
        """The port beyond, or why not."""
        wanted = base64.b64encode(self.credentials.encode()).decode()
        if self.credentials and f"Proxy-Authorization: Basic {wanted}" not in headers:
            return "407 Proxy Authentication Required"
        target = first.split(" ")[1]
        host = urlsplit(target).hostname if "://" in target else target.rpartition(":")[0]
        return self.names.get(host or "", REFUSED)


def _forwarded(heard: bytes) -> bytes:
    """The request as the receiver gets it: the path alone, and nothing for the proxy."""
    method, target, rest = heard.split(b" ", 2)
    path = urlsplit(target.decode()).path.encode()
    lines = (method + b" " + path + b" " + rest).split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.lower().startswith(b"proxy-"))


def _pump(one: socket.socket, other: socket.socket) -> None:
    def copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(65536):
                target.sendall(part)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    back = threading.Thread(target=copy, args=(other, one), daemon=True)
    back.start()
    copy(one, other)
    back.join()


@contextmanager
def proxying(
    names: Mapping[str, int],
    credentials: str = "",
    speak: Speak | None = None,
) -> Iterator[ConnectProxy]:
    """A proxy on this machine; ``speak`` instead of what it would do."""
    proxy = ConnectProxy(names, credentials)
    with serving(speak or proxy.speak) as port:
        proxy.port = port
        yield proxy

"""The sockets that a server accepts at, one for each address of its host."""

import errno
import socket
from typing import Any

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Listener(socket.socket):
    """Says once that no file handle is left, then that nobody waits.

    asyncio pauses for a second after the first and leaves its loop at the second. Without that it
    goes on as often as the backlog is long, each time with a line in the log and a timer that
    does it all again: the service answers nobody and its log fills the disk.
    """

    __slots__ = ("_exhausted",)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._exhausted = False

    def accept(self) -> tuple[socket.socket, Any]:
        if self._exhausted:
            self._exhausted = False
            raise BlockingIOError
        try:
            return super().accept()
        except OSError as error:
            self._exhausted = error.errno in _EXHAUSTED
            raise


def open_listeners(host: str, port: int) -> list[socket.socket]:
    """OSError: an address is taken, not of this machine, or unknown."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    listeners: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            listener = Listener(family, kind, protocol)
            listeners.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind(address)
            listener.listen()
    except OSError:
        for opened in listeners:
            opened.close()
        raise
    return listeners

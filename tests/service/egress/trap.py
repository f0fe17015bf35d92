"""A port of this machine that nobody may knock at, and a witness of every attempt to connect."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

_witnessing: list[list[Any]] = []


def _see(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        for seen in _witnessing:
            seen.append(arguments[1])


# Python tells auditors before it asks the kernel; a hook stays for the life of the process.
sys.addaudithook(_see)


@dataclass
class Trap:
    """``attempts`` are all addresses that this process tried, wherever they are."""

    port: int
    sockets: list[socket.socket]
    attempts: list[Any] = field(default_factory=list)

    def caught(self) -> int:
        """Connections that the kernel accepted for us."""
        count = 0
        for listening in self.sockets:
            while True:
                try:
                    connection, _ = listening.accept()
                except BlockingIOError:
                    break
                connection.close()
                count += 1
        return count


@contextmanager
def trap() -> Iterator[Trap]:
    """Both loopback addresses, where the machine has both."""
    first = socket.create_server(("127.0.0.1", 0))
    port = first.getsockname()[1]
    sockets = [first]
    with suppress(OSError):  # no IPv6 here, or its port is taken
        sockets.append(socket.create_server(("::1", port), family=socket.AF_INET6))
    made = Trap(port, sockets)
    for one in sockets:
        one.setblocking(False)
    _witnessing.append(made.attempts)
    try:
        yield made
    finally:
        _witnessing.remove(made.attempts)
        for one in sockets:
            one.close()

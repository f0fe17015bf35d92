"""A wire to a real server that a test can cut and mend: TCP, any protocol."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# Pods reach this machine here; programs of this machine do too.
NODE = "10.244.0.1"
_PIECE = 1 << 16


class Wire:
    """Listens on a port of its own and passes everything on, until it is cut."""

    def __init__(self, host: str, port: int, listen: str = NODE) -> None:
        self._target = (host, port)
        self._listen = listen
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._server: socket.socket | None = None
        self.port = 0
        self.accepted = 0
        self.mend()

    @property
    def address(self) -> str:
        return f"{self._listen}:{self.port}"

    def mend(self) -> None:
        """Listen, on the same port as before."""
        if self._server is not None:
            return
        server = socket.create_server((self._listen, self.port))
        self.port = server.getsockname()[1]
        self._server = server
        threading.Thread(target=self._accept, args=(server,), daemon=True).start()

    def cut(self) -> None:
        """Refuse new connections and end the open ones, as a server does that dies."""
        with self._lock:
            server, self._server = self._server, None
            ends, self._open = self._open, set()
        if server is not None:
            # A thread in accept() holds the socket: only shutdown wakes it.
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            server.close()
        for end in ends:
            _end(end)

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                near, _ = server.accept()
            except OSError:
                return
            self.accepted += 1
            try:
                far = socket.create_connection(self._target, timeout=30)
            except OSError:
                _end(near)
                continue
            far.settimeout(None)
            with self._lock:
                alive = self._server is server
                if alive:
                    self._open |= {near, far}
            if not alive:
                _end(near)
                _end(far)
                return
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while piece := one.recv(_PIECE):
                other.sendall(piece)
        with self._lock:
            self._open -= {one, other}
        _end(one)
        _end(other)


def _end(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextmanager
def wire(host: str, port: int, listen: str = NODE) -> Iterator[Wire]:
    """A wire as long as the context lasts."""
    made = Wire(host, port, listen)
    try:
        yield made
    finally:
        made.cut()

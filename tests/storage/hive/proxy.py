"""A way to a server that can be cut, held or watched; it may speak TLS to its callers."""

import socket
import ssl
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

_PART = 1 << 16


class Proxy:
    """Listens on a port of its own and passes bytes both ways."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None = None) -> None:
        self._target = (host, port)
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.accepted = 0
        self.seen = bytearray()  # what callers sent
        self.answered = 0  # bytes that went to callers
        self.cut_after: int | None = None  # so many more bytes to callers, then all is cut
        self.held = threading.Event()  # while set, nothing reaches the caller
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()
        self.held.clear()
        self.cut()

    def cut(self) -> None:
        """Close every connection, as a killed server does."""
        with self._lock:
            some, self._open = self._open, []
        for one in some:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                caller, _address = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        try:
            if self._context is not None:
                caller = self._context.wrap_socket(caller, server_side=True)
            server = socket.create_connection(self._target)
        except OSError:
            caller.close()
            return
        with self._lock:
            self._open += [caller, server]
        threading.Thread(target=self._pass, args=(caller, server, True), daemon=True).start()
        self._pass(server, caller, False)

    def _pass(self, source: socket.socket, target: socket.socket, asking: bool) -> None:
        with suppress(OSError):
            while part := source.recv(_PART):
                if asking:
                    self.seen += part
                elif not self._may_answer(part):
                    return
                target.sendall(part)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _may_answer(self, part: bytes) -> bool:
        while self.held.is_set():
            threading.Event().wait(0.02)
        self.answered += len(part)
        if self.cut_after is None:
            return True
        self.cut_after -= len(part)
        if self.cut_after > 0:
            return True
        self.cut_after = None
        self.cut()
        return False

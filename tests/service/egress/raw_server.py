"""A server that says whatever a test makes it say, byte for byte."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Speak = Callable[[socket.socket], None]


@dataclass
class RawServer:
    port: int
    heard: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)  # asked for in a TLS handshake


@contextmanager
def speaking(speak: Speak, context: ssl.SSLContext | None = None) -> Iterator[RawServer]:
    """Each connection is heard until its head is complete, then gets what ``speak`` sends."""
    server = RawServer(0)
    if context is not None:
        context.sni_callback = lambda sock, name, ctx: server.names.append(name)

    def talk(connection: socket.socket) -> None:
        with safe(connection, context) as talking:
            server.heard.append(head(talking))
            speak(talking)

    with serving(talk) as server.port:
        yield server


@contextmanager
def safe(connection: socket.socket, context: ssl.SSLContext | None) -> Iterator[socket.socket]:
    """The connection, under TLS if there is a context."""
    if context is None:
        yield connection
        return
    # The socket stays the caller's to close.
    with context.wrap_socket(connection.dup(), server_side=True) as talking:
        yield talking


@contextmanager
def serving(talk: Speak) -> Iterator[int]:
    """A port; each connection has a thread that talks and then closes it."""
    listening = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.settimeout(20)
            talk(connection)
            # Closing with something unread would take back what was sent.
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

    def listen() -> None:
        listening.settimeout(0.05)
        while not over.is_set():
            with suppress(TimeoutError):
                connection, _ = listening.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        over.set()
        thread.join()
        listening.close()


def head(connection: socket.socket) -> bytes:
    """What was sent up to the empty line."""
    heard = b""
    while b"\r\n\r\n" not in heard:
        part = connection.recv(65536)
        if not part:
            break
        heard += part
    return heard


def saying(*parts: bytes) -> Speak:
    """Send the parts in order."""

    def speak(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)

    return speak

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
    listening = socket.create_server(("127.0.0.1", 0))
    server = RawServer(listening.getsockname()[1])
    over = threading.Event()
    if context is not None:
        context.sni_callback = lambda sock, name, ctx: server.names.append(name)

    def talk(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.settimeout(20)
            talking = context.wrap_socket(connection, server_side=True) if context else connection
            with talking:
                server.heard.append(head(talking))
                speak(talking)

    def listen() -> None:
        listening.settimeout(0.05)
        while not over.is_set():
            with suppress(TimeoutError):
                connection, _ = listening.accept()
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield server
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

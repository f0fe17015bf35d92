"""Who we are on a binary connection: SASL as HiveServer2 speaks it."""

import struct
from typing import Protocol

from storage.errors import RefusedError, UnreachableError

_START, _OK, _BAD, _ERROR, _COMPLETE = 1, 2, 3, 4, 5
_LARGEST_MESSAGE = 1 << 20


class Mechanism(Protocol):
    """One way to say who we are, and what it does to the frames that follow."""

    name: str

    def step(self, challenge: bytes | None) -> bytes:
        """The answer to a challenge; None asks for the first message."""
        ...

    def wrap(self, message: bytes) -> bytes:
        """A message as it travels."""
        ...

    def unwrap(self, message: bytes) -> bytes:
        """A message as it was before it travelled."""
        ...


class Wire(Protocol):
    """What SASL needs of a socket."""

    def send(self, data: bytes) -> None:
        """Send everything."""
        ...

    def receive(self, size: int) -> bytearray:
        """Exactly so many bytes."""
        ...


class Plain:
    """User and password; HiveServer2 takes any of them where its authentication is NONE."""

    name = "PLAIN"

    def __init__(self, user: str, password: str) -> None:
        self._message = f"\0{user}\0{password}".encode()

    def step(self, challenge: bytes | None) -> bytes:
        return self._message if challenge is None else b""

    def wrap(self, message: bytes) -> bytes:
        return message

    def unwrap(self, message: bytes) -> bytes:
        return message


def negotiate(wire: Wire, mechanism: Mechanism, name: str) -> None:
    """Come to terms with the server, or say why not.

    Raises
    ------
    RefusedError
        The server does not accept us.
    """
    _send(wire, _START, mechanism.name.encode())
    _send(wire, _OK, mechanism.step(None))
    while True:
        status, payload = _receive(wire, name)
        if status == _COMPLETE:
            # The server may be done and still hand over a last message of its mechanism.
            if payload:
                mechanism.step(payload)
            return
        if status != _OK:
            said = payload.decode("utf-8", "replace")
            raise RefusedError(f"{name}: the server refuses our credentials: {said}")
        _send(wire, _OK, mechanism.step(payload))


def _send(wire: Wire, status: int, payload: bytes) -> None:
    wire.send(struct.pack(">BI", status, len(payload)) + payload)


def _receive(wire: Wire, name: str) -> tuple[int, bytes]:
    status, size = struct.unpack(">BI", wire.receive(5))
    if status not in (_OK, _BAD, _ERROR, _COMPLETE) or size > _LARGEST_MESSAGE:
        raise UnreachableError(
            f"{name}: what answers does not speak SASL: check host, port, auth and transport"
        )
    return status, bytes(wire.receive(size))

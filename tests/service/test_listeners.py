"""Sockets that servers accept at: every address of a host, and few file handles."""

import asyncio
import errno
import logging
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from service.listeners import open_listeners


@contextmanager
def no_handle_left() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    last = os.dup(0)
    os.close(last)
    resource.setrlimit(resource.RLIMIT_NOFILE, (last, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_lack_of_handles_is_said_once_a_pause(caplog: pytest.LogCaptureFixture) -> None:
    """Not two thousand times, and the caller who waited is answered in the end."""

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    async def meet() -> bytes:
        [listener] = open_listeners("127.0.0.1", 0)
        async with await asyncio.start_server(greet, sock=listener, backlog=2048):
            with socket.create_connection(listener.getsockname()) as caller:
                with no_handle_left():
                    await asyncio.sleep(0.2)
                caller.setblocking(False)
                return await asyncio.get_running_loop().sock_recv(caller, 5)

    with caplog.at_level(logging.ERROR, "asyncio"):
        assert asyncio.run(meet()) == b"hello"
    assert len(caplog.records) == 1


def test_an_address_that_is_taken_is_an_error() -> None:
    [listener] = open_listeners("127.0.0.1", 0)
    with listener, pytest.raises(OSError) as taken:  # noqa: PT011 - its number is checked
        open_listeners(*listener.getsockname())
    assert taken.value.errno == errno.EADDRINUSE

"""Takes a long stream in pieces that fit into memory or into one request."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of at most ``size``, each drawn whole before it is given: a slow producer never holds
    up what is done with one."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some

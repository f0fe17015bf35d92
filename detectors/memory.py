"""Memory of large columns: in large pages, and used again while it is warm.

A process's first touch of fresh memory costs more than most of what is done here with a point. So
columns that belong to many series lie in regions of their own, the system is asked for large pages
under them, and regions that nobody refers to any more are kept for the next columns of their size.
Of what is kept the system may take back whatever it is short of.
"""

import math
import mmap
from collections.abc import Callable
from contextlib import suppress
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_LARGE_PAGE = 2 << 20
_LEAST_BYTES = 512 << 10  # below, numpy's own memory is as good
_IS_SUPPORTED = hasattr(mmap, "MADV_HUGEPAGE") and hasattr(mmap, "MADV_FREE")


def empty(shape: tuple[int, ...], dtype: DTypeLike = np.float64) -> NDArray[Any]:
    """Make an array of any content, as `numpy.empty` does.

    It and its views keep the whole of its memory.
    """
    return columns(shape, dtype)[0]


def columns(shape: tuple[int, ...], *dtypes: DTypeLike) -> list[NDArray[Any]]:
    """Make arrays of one shape that lie, and live, together; those of large items first."""
    kinds = [np.dtype(one) for one in dtypes]
    sizes = [math.prod(shape) * kind.itemsize for kind in kinds]
    if not _IS_SUPPORTED or sum(sizes) < _LEAST_BYTES:
        return [np.empty(shape, kind) for kind in kinds]
    pages = _whole_pages(sum(sizes))
    region = np.asarray(_Region(_KEPT.take(pages) or _mapped(pages)))
    ends = accumulate(sizes)
    return [
        region[end - size : end].view(kind).reshape(shape)
        for kind, size, end in zip(kinds, sizes, ends, strict=True)
    ]


def _whole_pages(size: int) -> int:
    page = _LARGE_PAGE if size >= _LARGE_PAGE else mmap.PAGESIZE
    return -(-size // page) * page


def _mapped(size: int) -> mmap.mmap:
    try:
        memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"no room for {size} bytes: {error}") from error
    _advise(memory, mmap.MADV_HUGEPAGE)
    return memory


def _advise(memory: mmap.mmap, advice: int) -> None:
    with suppress(OSError):  # a system without large pages, or one that takes nothing back
        memory.madvise(advice)


class Kept:
    """Regions without a user. Calls of several threads, and of a collector of garbage, may meet."""

    most_bytes = 256 << 20
    # Of the class, for there may be no globals any more when the last array goes.
    may_go = getattr(mmap, "MADV_FREE", 0)
    advise = staticmethod(_advise)

    def __init__(self) -> None:
        self._regions: list[mmap.mmap] = []

    def take(self, size: int) -> mmap.mmap | None:
        """Find a region of that size, the warmest first."""
        for region in self._regions[::-1]:
            if len(region) == size:
                with suppress(ValueError):  # somebody else was faster
                    self._regions.remove(region)
                    return region
        return None

    def give(self, region: mmap.mmap) -> None:
        """Keep a region, and let the oldest go where there are too many."""
        self.advise(region, self.may_go)
        self._regions.append(region)
        kept = self._regions[:]
        excess = sum(map(len, kept)) - self.most_bytes
        for oldest in kept:
            if excess <= 0:
                break
            excess -= len(oldest)
            with suppress(ValueError):
                self._regions.remove(oldest)


_KEPT = Kept()


class _Region:
    """The base of an array in mapped memory; gives the memory back when the array is gone."""

    __slots__ = ("__array_interface__", "_memory")

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self.__array_interface__ = np.frombuffer(memory, np.uint8).__array_interface__

    def __del__(self, give: Callable[[mmap.mmap], None] = _KEPT.give) -> None:
        give(self._memory)

"""Compiled kernels kept on disk, and found again where nothing may be written.

numba keeps machine code beside the source, but refuses a folder that it cannot write and then fails
to import where no other one can be written either: in a pod with a read-only root.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from numba.core import caching


def keep(dispatcher: Any, function: Callable[..., Any]) -> None:
    """Let a numba dispatcher read and write its machine code, as far as the folders allow."""
    with suppress(RuntimeError):  # nowhere to read or write: every process compiles for itself
        # numba has no public way to choose a cache.
        dispatcher._cache = _Cache(function)  # type: ignore[no-untyped-call]  # noqa: SLF001


class _BesideTheSource(caching.InTreeCacheLocator):
    """The source's `__pycache__`, also where it can only be read."""

    def ensure_cache_path(self) -> None:
        try:
            super().ensure_cache_path()  # type: ignore[no-untyped-call]
        except OSError:
            folder = Path(self.get_cache_path())  # type: ignore[no-untyped-call]
            if not any(folder.glob("*.nbi")):
                raise


class _Files(caching.CompileResultCacheImpl):
    _locator_classes: ClassVar = [  # type: ignore[misc]
        caching.UserProvidedCacheLocator,
        _BesideTheSource,
        caching.UserWideCacheLocator,
    ]


class _Cache(caching.FunctionCache):
    _impl_class = _Files

    def save_overload(self, signature: object, data: object) -> None:
        with suppress(OSError):  # costs the next process time, and nothing else
            super().save_overload(signature, data)  # type: ignore[no-untyped-call]

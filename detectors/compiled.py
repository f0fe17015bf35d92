"""Compiled kernels: numba with one pinned target, so that every node computes the same floats.

Import this module only where a kernel is about to run: numba costs more to import than all of
numpy. Kernels with a signature are compiled when their module is imported, others at first use; the
code is kept beside the source, so an image that has imported them once never compiles again.
"""

import platform
from collections.abc import Callable
from typing import Any, TypeVar, cast

import llvmlite.binding as llvm  # type: ignore[import-untyped]
import numba

from detectors.kernel_cache import keep

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

_TARGET = "x86-64-v3"
_FEATURES = (
    "64bit", "cmov", "cx8", "fxsr", "mmx", "sse", "sse2", "x87", "cx16", "sahf", "popcnt", "sse3",
    "sse4.1", "sse4.2", "ssse3", "avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe",
    "xsave",
)  # fmt: skip


def _pin_target() -> None:
    """Compile for the x86-64-v3 class unless the user chose a target or the processor is older."""
    config: Any = numba.config
    if platform.machine() not in ("x86_64", "AMD64") or config.CPU_NAME is not None:
        return
    host = llvm.get_host_cpu_features()
    if all(host.get(feature, False) for feature in ("avx2", "bmi2", "fma", "lzcnt", "movbe")):
        config.CPU_NAME = _TARGET
        config.CPU_FEATURES = ",".join(f"+{feature}" for feature in _FEATURES)


_pin_target()


def kernel(signature: Any = None) -> Callable[[Kernel], Kernel]:
    """Compile a function without the interpreter; division by zero gives inf or NaN.

    Parameters
    ----------
    signature : numba signature, optional
        Types to compile for at once, so that no other variant can arise; else at first call.
    """

    def decorate(function: Kernel) -> Kernel:
        dispatcher = numba.njit(error_model="numpy", nogil=True)(function)
        keep(dispatcher, function)
        if signature is not None:
            dispatcher.compile(signature)
            dispatcher.disable_compile()
        return cast("Kernel", dispatcher)

    return decorate

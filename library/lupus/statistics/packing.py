"""Arrays of integers as text, for JSON."""

import base64
import zlib
from typing import Any

import numpy as np

from lupus.errors import StatisticsError


def pack(array: Any) -> str:
    """Give an array of int64 or uint8 as base64 of zlib."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return base64.b64encode(zlib.compress(little.tobytes(), 1)).decode("ascii")


def unpack(text: str, dtype: str) -> Any:
    """Read what ``pack`` gave; dtype is ``<i8`` or ``u1``."""
    try:
        return np.frombuffer(zlib.decompress(base64.b64decode(text, validate=True)), dtype).copy()
    except (ValueError, zlib.error) as error:
        raise StatisticsError(f"no packed numbers: {error}") from None

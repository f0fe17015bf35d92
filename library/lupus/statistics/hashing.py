"""64-bit hashes of texts, the same on every machine and with every version of any library."""

from typing import Any

import numpy as np

Array = Any

_MULTIPLY = np.uint64(0x9E37_79B9_7F4A_7C15)
# So that nothing, and the number 0, do not have the hash 0.
_SEED = np.uint64(0x2545_F491_4F6C_DD1D)
_STEPS = ((30, 0xBF58_476D_1CE4_E5B9), (27, 0x94D0_49BB_1331_11EB))
_WORD = 8


def hashes(texts: Array) -> Array:
    """Hash texts, an iterable of str with a length, into uint64, shape (n,)."""
    joined, lengths = _bytes(list(texts))
    ends = np.cumsum(lengths)
    starts = ends - lengths
    data = np.frombuffer(joined + bytes(_WORD), np.uint8)
    # Every place of the bytes, read as a little-endian word.
    words: Array = np.ndarray((len(joined) + 1,), "<u8", data, strides=(1,))
    state = _mixed(lengths.astype(np.uint64) * _MULTIPLY + _SEED)
    living = np.flatnonzero(lengths > 0)
    step = 0
    while len(living):
        left = lengths[living] - step
        word = words[starts[living] + step].astype(np.uint64)
        unused = np.maximum(_WORD - left, 0).astype(np.uint64) * np.uint64(8)
        word &= np.uint64(0xFFFF_FFFF_FFFF_FFFF) >> unused
        state[living] = _mixed(state[living] * _MULTIPLY ^ word)
        step += _WORD
        living = living[left > _WORD]
    return state


def number_hashes(values: Array) -> Array:
    """Hash float64, shape (n,), into uint64."""
    return _mixed((values + 0.0).view(np.uint64) * _MULTIPLY + _SEED)


def _bytes(texts: list[str]) -> tuple[bytes, Array]:
    joined = "".join(texts).encode("utf-8", "surrogatepass")
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    if int(lengths.sum()) != len(joined):
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    return joined, lengths


def _mixed(state: Array) -> Array:
    """Mix the bits so that each depends on all: splitmix64's last steps (Vigna, 2015)."""
    for shift, factor in _STEPS:
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    return state ^ (state >> np.uint64(31))

"""As much of the wire format of protocol buffers as a message of numbers and texts needs."""

from collections.abc import Iterator

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_TOO_SHORT = "the message ends too early"


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and content of each field: whole numbers unsigned, all else as bytes.

    Raises
    ------
    ValueError
        These bytes are no message.
    """
    at, end = 0, len(data)
    while at < end:
        key, at = varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = varint(data, at)
            yield number, value
            continue
        if kind == _BYTES:
            size, at = varint(data, at)
        elif kind in (_EIGHT, _FOUR):
            size = 8 if kind == _EIGHT else 4
        else:
            raise ValueError(f"field {number} has the unknown wire type {kind}")
        if at + size > end:
            raise ValueError(_TOO_SHORT)
        yield number, data[at : at + size]
        at += size


def varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number of up to 64 bits, and where it ends."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError(_TOO_SHORT)
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & (1 << 64) - 1, at
    raise ValueError("a number has more than 64 bits")


def signed(number: int) -> int:
    """An int64 of its unsigned bits."""
    return number - (1 << 64) if number >= 1 << 63 else number

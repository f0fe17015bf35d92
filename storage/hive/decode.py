"""The server's blocks of columns as Arrow batches, without a Python object for each number.

A block is thrift's binary form of a TFetchResultsResp: numbers lie there big-endian, one after the
other, with a bitmap of nulls (lowest bit first, possibly shorter than the rows) whose values are 0.
"""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from TCLIService.ttypes import TStatus
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.Thrift import TApplicationException, TMessageType, TType

from storage.errors import CorruptError
from storage.hive.transport import Messages

_LARGEST = 1 << 31
_length = struct.Struct(">i")

# number of TColumn's field -> element type on the wire, how numpy reads it, Arrow's type
_NUMBERS: dict[int, tuple[int, str, pa.DataType]] = {
    1: (TType.BOOL, "u1", pa.bool_()),
    2: (TType.BYTE, "i1", pa.int8()),
    3: (TType.I16, ">i2", pa.int16()),
    4: (TType.I32, ">i4", pa.int32()),
    5: (TType.I64, ">i8", pa.int64()),
    6: (TType.DOUBLE, ">f8", pa.float64()),
}
_TEXTS: dict[int, pa.DataType] = {7: pa.string(), 8: pa.binary()}

# TTypeId of a column's metadata -> what its blocks decode to; all others travel as text.
_TYPES: dict[int, pa.DataType] = {
    0: pa.bool_(),
    1: pa.int8(),
    2: pa.int16(),
    3: pa.int32(),
    4: pa.int64(),
    5: pa.float64(),  # FLOAT travels as double
    6: pa.float64(),
    9: pa.binary(),
}


def arrow_type(type_id: int) -> pa.DataType:
    """What a column of a TTypeId is decoded to."""
    return _TYPES.get(type_id, pa.string())


@dataclass
class Block:
    """One answer to FetchResults."""

    status: TStatus | None = None
    columns: list[pa.Array] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many rows came; none means that there are no more."""
        return len(self.columns[0]) if self.columns else 0


def read_block(protocol: TBinaryProtocol) -> Block:
    """Read the answer to a FetchResults that was sent.

    Raises
    ------
    CorruptError
        The bytes are not such an answer.
    """
    try:
        _name, kind, _number = protocol.readMessageBegin()
        if kind == TMessageType.EXCEPTION:
            failure = TApplicationException()
            failure.read(protocol)
            raise failure
        block = Block()
        _read(protocol, {0: lambda: _read(protocol, {
            1: lambda: _status(protocol, block),
            3: lambda: _read(protocol, {3: lambda: _columns(protocol, block)}),
        })})  # fmt: skip
    except (struct.error, IndexError, UnicodeDecodeError, pa.ArrowException) as error:
        raise CorruptError(f"a block of rows cannot be read: {error}") from None
    if len({len(column) for column in block.columns}) > 1:
        raise CorruptError("a block of rows has columns of several lengths")
    return block


def _read(protocol: TBinaryProtocol, readers: Mapping[int, Callable[[], object]]) -> None:
    for number, type_ in _fields(protocol):
        reader = readers.get(number)
        if reader is None:
            protocol.skip(type_)
        else:
            reader()


def _fields(protocol: TBinaryProtocol) -> Iterator[tuple[int, int]]:
    while True:
        _name, type_, number = protocol.readFieldBegin()
        if type_ == TType.STOP:
            return
        yield number, type_


def _status(protocol: TBinaryProtocol, block: Block) -> None:
    block.status = TStatus()
    block.status.read(protocol)


def _columns(protocol: TBinaryProtocol, block: Block) -> None:
    type_, count = protocol.readListBegin()
    if type_ != TType.STRUCT or not 0 <= count < _LARGEST:
        raise CorruptError("a block of rows has no list of columns")
    block.columns = [_column(protocol) for _ in range(count)]


def _column(protocol: TBinaryProtocol) -> pa.Array:
    found: pa.Array | None = None
    for number, _type in _fields(protocol):
        found = _values(protocol, number)
    if found is None:
        raise CorruptError("a column of a block has no values")
    return found


def _values(protocol: TBinaryProtocol, number: int) -> pa.Array:
    messages: Messages = protocol.trans
    build: Callable[[bytes], pa.Array] | None = None
    nulls = b""
    for part, type_ in _fields(protocol):
        if part == 1:
            build = _list(protocol, messages, number)
        elif part == 2:
            nulls = protocol.readBinary()
        else:
            protocol.skip(type_)
    if build is None:
        raise CorruptError("a column of a block has no values")
    return build(nulls)


def _list(
    protocol: TBinaryProtocol, messages: Messages, number: int
) -> Callable[[bytes], pa.Array]:
    element, count = protocol.readListBegin()
    if not 0 <= count < _LARGEST:
        raise CorruptError(f"a column of a block has {count} values")
    if number in _TEXTS and element == TType.STRING:
        offsets, values = _texts(messages, count)
        return lambda nulls: _text_array(_TEXTS[number], offsets, values, nulls)
    if number in _NUMBERS and element == _NUMBERS[number][0]:
        _element, form, type_ = _NUMBERS[number]
        size = np.dtype(form).itemsize * count
        start = messages.need(size)
        numbers = np.frombuffer(messages.data, form, count, start)
        native = np.packbits(numbers != 0, bitorder="little") if number == 1 else (
            numbers.astype(numbers.dtype.newbyteorder("=")))  # fmt: skip
        messages.start = start + size
        return lambda nulls: pa.Array.from_buffers(
            type_, count, [validity(nulls, count), pa.py_buffer(native)]
        )
    raise CorruptError(f"a column of a block has the unknown type {number}, {element}")


def validity(nulls: bytes, rows: int) -> pa.Buffer | None:
    """Arrow's bitmap of what is there from the server's bitmap of what is not."""
    if not any(nulls):
        return None
    bits = np.zeros((rows + 7) // 8, np.uint8)
    given = np.frombuffer(nulls, np.uint8)[: len(bits)]
    bits[: len(given)] = given
    return pa.py_buffer(~bits)


def _texts(messages: Messages, count: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Where each text begins, and all of them without their lengths between."""
    at = start = messages.need(4 * count)
    unpack = _length.unpack_from
    lengths = []
    for done in range(count):
        # At least the lengths still to come must lie behind this one.
        if len(messages.data) < at + 4:
            at = _further(messages, start, at, 4 * (count - done))
            start = messages.start
        (length,) = unpack(messages.data, at)
        if length < 0:
            raise CorruptError("a text of a block has a negative length")
        lengths.append(length)
        at += 4 + length
        if len(messages.data) < at:
            at = _further(messages, start, at, 4 * (count - done - 1))
            start = messages.start
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    if offsets[-1] >= _LARGEST:
        raise CorruptError("a block has more than 2 GiB of text in one column")
    raw = np.frombuffer(messages.data, np.uint8, at - start, start)
    text = np.ones(len(raw), np.bool_)
    begins = offsets[:-1] + 4 * np.arange(count)
    for byte in range(4):
        text[begins + byte] = False
    values = raw[text]
    messages.start = at
    return offsets.astype(np.int32), values


def _further(messages: Messages, start: int, at: int, more: int) -> int:
    """Let the bytes up to ``at`` and some more arrive; where ``at`` is then."""
    return messages.need(at - start + more) + at - start


def _text_array(
    type_: pa.DataType, offsets: npt.NDArray[np.int32], values: npt.NDArray[np.uint8], nulls: bytes
) -> pa.Array:
    rows = len(offsets) - 1
    buffers = [validity(nulls, rows), pa.py_buffer(offsets), pa.py_buffer(values)]
    array = pa.Array.from_buffers(type_, rows, buffers)
    array.validate(full=True)  # the server promises UTF-8; Arrow would believe it unseen
    return array


def batch_of(block: Block, schema: pa.Schema) -> pa.RecordBatch:
    """The rows of a block under the names and types of the result."""
    if len(block.columns) != len(schema):
        raise CorruptError(f"a block has {len(block.columns)} columns of {len(schema)}")
    columns: Sequence[Any] = [
        column if column.type == wanted.type else column.cast(wanted.type)
        for column, wanted in zip(block.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(list(columns), schema=schema)

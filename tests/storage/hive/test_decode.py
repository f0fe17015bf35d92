"""Blocks of columns: the same values as TCLIService and PyHive read from the same bytes."""

import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyhive.hive import _unwrap_column
from TCLIService import TCLIService, ttypes
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.Thrift import TApplicationException, TException, TMessageType
from thrift.transport.TTransport import TMemoryBuffer

from storage.errors import CorruptError
from storage.hive.decode import arrow_type, batch_of, read_block, validity
from storage.hive.transport import Messages

COLUMNS = {
    "boolVal": (ttypes.TBoolColumn, st.booleans()),
    "byteVal": (ttypes.TByteColumn, st.integers(-128, 127)),
    "i16Val": (ttypes.TI16Column, st.integers(-(2**15), 2**15 - 1)),
    "i32Val": (ttypes.TI32Column, st.integers(-(2**31), 2**31 - 1)),
    "i64Val": (ttypes.TI64Column, st.integers(-(2**63), 2**63 - 1)),
    "doubleVal": (ttypes.TDoubleColumn, st.floats()),
    "stringVal": (ttypes.TStringColumn, st.text()),
    "binaryVal": (ttypes.TBinaryColumn, st.binary()),
}


class Parts(Messages):
    """Bytes that arrive in pieces of the given sizes, as a network cuts them."""

    def __init__(self, message: bytes, sizes: Sequence[int] = ()) -> None:
        super().__init__()
        self._left = message
        self._sizes = list(sizes)

    def arrive(self, size: int) -> bytearray:
        if not self._left:
            raise EOFError
        cut = self._sizes.pop(0) if self._sizes else len(self._left)
        part, self._left = self._left[:cut], self._left[cut:]
        return bytearray(part)


def message(columns: list[Any], kind: int = TMessageType.REPLY) -> bytes:
    rows = ttypes.TRowSet(startRowOffset=0, rows=[], columns=columns)
    status = ttypes.TStatus(ttypes.TStatusCode.SUCCESS_STATUS, infoMessages=["note"])
    answer = ttypes.TFetchResultsResp(status, hasMoreRows=False, results=rows)
    memory = TMemoryBuffer()
    protocol = TBinaryProtocol(memory)
    protocol.writeMessageBegin("FetchResults", kind, 0)
    TCLIService.FetchResults_result(success=answer).write(protocol)
    protocol.writeMessageEnd()
    return bytes(memory.getvalue())


def column(kind: str, values: list[Any], nulls: bytes = b"") -> Any:
    return ttypes.TColumn(**{kind: COLUMNS[kind][0](values, nulls)})


def reference(data: bytes) -> list[list[Any]]:
    """What TCLIService reads and PyHive unpacks."""
    client = TCLIService.Client(TBinaryProtocol(TMemoryBuffer(data)))
    return [_unwrap_column(one) for one in client.recv_FetchResults().results.columns]


def ours(data: bytes, sizes: Sequence[int] = ()) -> list[list[Any]]:
    block = read_block(TBinaryProtocol(Parts(data, sizes)))
    assert block.status is not None
    assert block.status.infoMessages == ["note"]
    for one in block.columns:
        one.validate(full=True)
    return [one.to_pylist() for one in block.columns]


@st.composite
def blocks(draw: st.DrawFn) -> list[Any]:
    rows = draw(st.integers(0, 40))
    kinds = draw(st.lists(st.sampled_from(list(COLUMNS)), min_size=1, max_size=4))
    columns = []
    for kind in kinds:
        values = draw(st.lists(COLUMNS[kind][1], min_size=rows, max_size=rows))
        # PyHive cannot read bits beyond the rows; shorter bitmaps are as common as full ones.
        null = draw(st.lists(st.booleans(), max_size=rows))
        bits = sum(bit << place for place, bit in enumerate(null))
        columns.append(column(kind, values, bits.to_bytes((len(null) + 7) // 8, "little")))
    return columns


def same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    return type(left) is type(right) and bool(left == right)


@given(blocks(), st.lists(st.integers(1, 64), max_size=40))
def test_the_same_values_as_the_reference_however_the_bytes_arrive(
    columns: list[Any], sizes: list[int]
) -> None:
    data = message(columns)
    expected, found = reference(data), ours(data, sizes)
    assert len(found) == len(expected)
    for left, right in zip(found, expected, strict=True):
        assert len(left) == len(right)
        assert all(map(same, left, right)), (left, right)


@given(st.lists(st.booleans(), max_size=80), st.binary(max_size=12), st.integers(0, 80))
def test_bitmaps_may_be_short_long_or_have_bits_beyond_the_rows(
    known: list[bool], more: bytes, rows: int
) -> None:
    bits = sum(bit << place for place, bit in enumerate(known))
    nulls = bits.to_bytes((len(known) + 7) // 8, "little") + more
    wanted = [
        place // 8 < len(nulls) and bool(nulls[place // 8] >> place % 8 & 1)
        for place in range(rows)
    ]
    bitmap = validity(nulls, rows)
    data = pa.py_buffer(bytes(8 * rows))
    array = pa.Array.from_buffers(pa.int64(), rows, [bitmap, data])
    assert array.is_null().to_pylist() == wanted
    assert array.null_count == sum(wanted)


def test_a_null_double_travels_as_zero_with_a_bit() -> None:
    data = message([column("doubleVal", [0.0, 0.0, math.nan], b"\x02")])
    first, second, third = ours(data)[0]
    assert (first, second) == (0.0, None)
    assert math.isnan(third)


def test_a_large_block_arrives_in_many_parts() -> None:
    texts = [f"series {number % 977} \N{GREEK SMALL LETTER MU}" for number in range(30_000)]
    data = message([column("stringVal", texts), column("i64Val", list(range(30_000)))])
    assert ours(data, [4_099] * 1_000) == [texts, list(range(30_000))]


def test_an_empty_block_has_no_rows() -> None:
    block = read_block(TBinaryProtocol(Parts(message([column("doubleVal", [])]))))
    assert block.rows == 0
    assert read_block(TBinaryProtocol(Parts(message([])))).rows == 0


@given(blocks(), st.data())
def test_cut_bytes_are_an_error_and_never_rows(columns: list[Any], data: st.DataObject) -> None:
    whole = message(columns)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(EOFError):
        ours(cut)


@given(blocks(), st.data())
def test_damaged_bytes_end_in_an_error_or_in_sound_arrays(
    columns: list[Any], data: st.DataObject
) -> None:
    damaged = bytearray(message(columns))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    try:
        block = read_block(TBinaryProtocol(Parts(bytes(damaged))))
    except (CorruptError, EOFError, ValueError, TypeError, TException):
        return
    for one in block.columns:
        one.validate(full=True)


def test_text_that_is_no_text_is_refused() -> None:
    broken = message([column("stringVal", ["ab"])]).replace(b"ab", b"\xff\xfe")
    with pytest.raises(CorruptError, match="block of rows"):
        ours(broken)


def test_columns_of_several_lengths_are_refused() -> None:
    with pytest.raises(CorruptError, match="several lengths"):
        ours(message([column("i64Val", [1]), column("doubleVal", [])]))


def test_a_refusal_of_the_server_is_not_taken_for_rows() -> None:
    memory = TMemoryBuffer()
    protocol = TBinaryProtocol(memory)
    protocol.writeMessageBegin("FetchResults", TMessageType.EXCEPTION, 0)
    TApplicationException(TApplicationException.UNKNOWN_METHOD, "no").write(protocol)
    with pytest.raises(TApplicationException, match="no"):
        ours(memory.getvalue())


def test_rows_take_names_and_types_of_the_result() -> None:
    block = read_block(TBinaryProtocol(Parts(message([column("i32Val", [1, 2], b"\x01")]))))
    batch = batch_of(block, pa.schema([("n", arrow_type(4))]))
    assert batch.schema == pa.schema([("n", pa.int64())])
    assert batch.to_pydict() == {"n": [None, 2]}
    with pytest.raises(CorruptError, match="1 columns of 2"):
        batch_of(block, pa.schema([("n", pa.int64()), ("m", pa.int64())]))

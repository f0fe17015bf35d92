"""A series as 60 bits, so that a sorted stream carries no text in its rows.

The engine sorts by the number and sends it; whoever reads knows from a small question before which
series has which. Neither side needs a key table on the server, which would have to be written.
"""

from collections.abc import Sequence

from sqlglot import exp

from storage.sql.build import bigint, call
from storage.sql.matching import number, text

_HEX_DIGITS = 15  # more would not fit into a signed 64-bit integer


def of_id(series: exp.Expr) -> exp.Expr:
    """The first 60 bits of a series id; ids sort as these numbers do."""
    digits = call("substr", series, number(1), number(_HEX_DIGITS))
    return bigint(call("conv", digits, number(16), number(10)))


def of_texts(texts: Sequence[exp.Expr]) -> exp.Expr:
    """60 bits of the hash of several texts; their lengths keep ('a', 'bc') from ('ab', 'c')."""
    parts: list[exp.Expr] = []
    for each in texts:
        parts += [exp.cast(call("length", each), "text"), text(":"), each.copy()]
    return of_id(call("md5", call("concat", *parts)))


def id_number(series: str) -> int:
    """What `of_id` gives for an id."""
    return int(series[:_HEX_DIGITS], 16)

"""The optional condition of an external mapping, parsed and held to an allow-list.

It runs with the service's rights, so only comparisons, arithmetic, casts and functions that
compute from their arguments are let through: no subquery, no table, no file, no session.
"""

import re
from collections.abc import Collection

from sqlglot import Dialect, exp
from sqlglot.errors import SqlglotError

from storage.errors import InvalidError
from storage.hive.options import NEVER_FUNCTIONS
from storage.sql.dialect import Name

_ALLOWED: tuple[type[exp.Expr], ...] = (
    exp.Column,
    exp.Identifier,
    exp.Literal,
    exp.Boolean,
    exp.Null,
    exp.And,
    exp.Or,
    exp.Not,
    exp.Paren,
    exp.EQ,
    exp.NEQ,
    exp.GT,
    exp.GTE,
    exp.LT,
    exp.LTE,
    exp.Is,
    exp.In,
    exp.Between,
    exp.Like,
    exp.Add,
    exp.Sub,
    exp.Mul,
    exp.Div,
    exp.Mod,
    exp.Neg,
    exp.Case,
    exp.If,
    exp.Cast,
    exp.TryCast,  # what Hive's CAST is
    exp.DataType,
    exp.DataTypeParam,
    exp.Lower,
    exp.Upper,
    exp.Trim,
    exp.Length,
    exp.Substring,
    exp.DPipe,
    exp.Concat,
    exp.Coalesce,
    exp.Nullif,
    exp.Abs,
    exp.Round,
    exp.Floor,
    exp.Ceil,
    exp.Year,
    exp.Month,
    exp.Day,
)
FUNCTIONS = (
    "abs, case, cast, ceil, coalesce, concat, day, floor, if, length, lower, month, nullif, "
    "round, substring, trim, upper, year"
)
_CALLED = re.compile(r"([A-Za-z_]\w*)\(")
_LONGEST = 4_000
_DEEPEST = 200


def parse_where(
    where: str,
    dialect: Name,
    columns: Collection[str] | None,
    functions: Collection[str] = (),
) -> exp.Expr:
    """The condition as an expression; ``columns`` are the table's own, None when not known.

    ``functions`` are those that the operator allows besides, as the engine calls them.
    """
    if len(where) > _LONGEST:
        raise InvalidError(f"where: longer than {_LONGEST} characters")
    try:
        statements = Dialect.get_or_raise(dialect).parse_into(exp.Condition, where)
    except (SqlglotError, RecursionError) as error:
        raise InvalidError(f"where: is not one condition in the words of {dialect}") from error
    if len(statements) != 1 or statements[0] is None:
        raise InvalidError("where: exactly one condition is allowed")
    condition = statements[0]
    if sum(1 for _ in condition.walk()) > _DEEPEST:
        raise InvalidError(f"where: more than {_DEEPEST} parts")
    known = None if columns is None else {column.lower() for column in columns}
    more = {function.lower() for function in functions} - NEVER_FUNCTIONS
    for node in condition.walk():
        if not _is_allowed_call(node, dialect, more):
            _check(node, known, more)
        node.comments = None  # a comment would be written into the SQL
    return condition.transform(_quoted)


def _is_allowed_call(node: exp.Expr, dialect: Name, functions: set[str]) -> bool:
    """Whether this is a call of one of the functions, or a part of its own such as a unit."""
    if isinstance(node, exp.JSONPath | exp.JSONPathPart | exp.Var):
        return node.parent is not None and _is_allowed_call(node.parent, dialect, functions)
    if not isinstance(node, exp.Func) or isinstance(node, exp.AggFunc):
        return False
    # What runs is the name that is written, not the one that was read.
    called = _CALLED.match(node.sql(dialect=dialect))
    return called is not None and called[1].lower() in functions


def _check(node: exp.Expr, known: set[str] | None, functions: set[str]) -> None:
    if type(node) not in _ALLOWED:
        allowed = ", ".join([FUNCTIONS, *sorted(functions)])
        raise InvalidError(
            f"where: {node.sql()[:60]!r} ({type(node).__name__}) is not allowed; allowed are "
            f"columns, values, comparisons, arithmetic and the functions {allowed}"
        )
    if isinstance(node, exp.In) and not node.expressions:
        raise InvalidError("where: IN takes a list of values")
    if isinstance(node, exp.Column):
        if node.table:
            raise InvalidError(f"where: column {node.sql()}: name it without a table")
        if known is not None and node.name.lower() not in known:
            raise InvalidError(f"where: the table has no column {node.name!r}")


def _quoted(node: exp.Expr) -> exp.Expr:
    return exp.column(node.name, quoted=True) if isinstance(node, exp.Column) else node

"""Eight numbers side by side, as kernels hold them in vector registers.

A kernel reads eight neighbours of an array with `lanes_at`, computes with `+ - * /` among them and
with numbers, and writes them back with `put`. Each lane is rounded as a number alone would be.
Whoever changes this file must change decomposition.py too: kernels are compiled again only then.
"""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

WIDTH = 8
_VECTOR = ir.VectorType(ir.DoubleType(), WIDTH)


class _Lanes(types.Type):
    pass


lanes: Any = _Lanes("eight float64")


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)  # type: ignore[no-untyped-call]


def _spread(builder: Any, number: Any) -> Any:
    one = builder.insert_element(
        ir.Constant(_VECTOR, ir.Undefined), number, ir.Constant(ir.IntType(32), 0)
    )
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), None)
    return builder.shuffle_vector(one, ir.Constant(_VECTOR, ir.Undefined), everywhere)


def _as_lanes(builder: Any, kind: Any, value: Any) -> Any:
    return value if isinstance(kind, _Lanes) else _spread(builder, value)


def _define(operation: Any, instruction: str) -> None:
    """Let an operator take lanes, or lanes and a number."""

    @type_callable(operation)
    def typed(context: Any) -> Callable[[Any, Any], Any]:
        def result(left: Any, right: Any) -> Any:
            kinds = (left, right)
            one = any(isinstance(kind, _Lanes) for kind in kinds)
            known = all(isinstance(kind, _Lanes) or kind == types.float64 for kind in kinds)
            return lanes if one and known else None

        return result

    def lowered(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pair = [_as_lanes(builder, *one) for one in zip(signature.args, values, strict=True)]
        return getattr(builder, instruction)(*pair)

    for kinds in ((_Lanes, _Lanes), (_Lanes, types.Float), (types.Float, _Lanes)):
        lower_builtin(operation, *kinds)(lowered)  # type: ignore[no-untyped-call]


_define(operator.add, "fadd")
_define(operator.sub, "fsub")
_define(operator.mul, "fmul")
_define(operator.truediv, "fdiv")
for _in_place, _instruction in (
    (operator.iadd, "fadd"),
    (operator.isub, "fsub"),
    (operator.imul, "fmul"),
):
    _define(_in_place, _instruction)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [at]), _VECTOR.as_pointer())


def _lanes_at(typing_context: Any, array: Any, at: Any) -> Any:
    """Read the eight numbers of a contiguous array that begin at a place; unchecked."""

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], *values)
        return builder.load(pointer, align=8)

    return lanes(array, types.intp), build


def _put(typing_context: Any, array: Any, at: Any, values: Any) -> Any:
    """Write eight numbers to the places of a contiguous array from one on; unchecked."""

    def build(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], *given[:2])
        builder.store(given[2], pointer, align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), build


def _everywhere(typing_context: Any, number: Any) -> Any:
    """Put one number into all lanes."""

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _spread(builder, values[0])

    return lanes(types.float64), build


def _fused(typing_context: Any, left: Any, right: Any, addend: Any) -> Any:
    """Compute left * right + addend with one rounding, or with two on processors without it."""

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        three = [_as_lanes(builder, *one) for one in zip(signature.args, values, strict=True)]
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        name = f"llvm.fmuladd.v{WIDTH}f64"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), three)  # type: ignore[no-untyped-call]

    return lanes(left, right, addend), build


def _choice(comparison: str) -> Callable[..., Any]:
    """Take `then` in lanes in which left compares so with right, `other` elsewhere."""

    def choose(typing_context: Any, left: Any, right: Any, then: Any, other: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            first, second, yes, no = (
                _as_lanes(builder, *one) for one in zip(signature.args, values, strict=True)
            )
            return builder.select(builder.fcmp_ordered(comparison, first, second), yes, no)

        return lanes(left, right, then, other), build

    return choose


lanes_at: Any = intrinsic(_lanes_at)
put: Any = intrinsic(_put)
everywhere: Any = intrinsic(_everywhere)
fused: Any = intrinsic(_fused)
where_above: Any = intrinsic(_choice(">"))
where_at_most: Any = intrinsic(_choice("<="))

"""Which operations have an integer form, and which run of elementwise ones is a function of one value, so one table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import prod

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue

from dnnc.ir.dnn.activation import ReluOp
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.composite import InstanceNormOp, LayerNormOp, LpNormOp, RmsNormOp, SoftmaxOp
from dnnc.ir.dnn.elementwise import AddOp, ClipOp, Elementwise, MulOp, SubOp
from dnnc.ir.dnn.quantize import DequantizeOp, QuantizeOp, RequantizeOp
from dnnc.ir.dnn.reduction import AvgPoolOp, ReduceMeanOp, ReduceSumOp
from dnnc.ir.dnn.rescale import RequantShiftOp, ThresholdOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.types import F32, I1, QuantType, is_float, shape_of
from dnnc.ir.weights import WeightStore
from dnnc.passes.analysis.contractions import Contraction

Norm = LayerNormOp | RmsNormOp | LpNormOp | InstanceNormOp

_ALWAYS = (AddOp, SubOp, MulOp, ReluOp, ClipOp, AvgPoolOp, ReduceMeanOp, ReduceSumOp, SoftmaxOp)


def real(value: SSAValue) -> bool:
    """Whether a value holds floating-point numbers."""
    element = value.type.element_type  # pyright: ignore[reportAttributeAccessIssue]
    return not isinstance(element, QuantType) and is_float(element)


def in_float(op: Operation) -> bool:
    """Whether an operation reads or makes floating-point numbers."""
    return any(real(v) for v in (*op.operands, *op.results))


def bounds(op: Operation | object) -> bool:
    """Whether an operation only bounds values: a relu or a clip."""
    return isinstance(op, (ReluOp, ClipOp))


def comes_quantized(module: ModuleOp) -> bool:
    """Whether values that are computed, not only weights, are quantized already."""
    makers = (QuantizeOp, RequantizeOp, RequantShiftOp, ThresholdOp)
    return any(isinstance(op, makers) and not isinstance(op.x.owner, ConstOp) for op in module.walk())


def contraction(op: Operation) -> bool:
    """Whether an operation is a sum of products with an int32 form: its bias, if any, is a constant of one value a channel."""
    return isinstance(op, Contraction) and constant_bias(op)


def constant_bias(op: Contraction) -> bool:
    """Whether there is no bias, or one of constants: one value for all channels or one a channel."""
    return op.bias is None or (constant(op.bias) is not None and all(d == 1 for d in shape_of(op.bias.type)[:-1]))


def constant(value: SSAValue) -> ConstOp | None:
    """The constant that a value is, or that it is the dequantized form of, uniformly quantized."""
    made = value.owner
    made = made.x.owner if isinstance(made, DequantizeOp) and isinstance(made.element(), QuantType) else made
    return made if isinstance(made, ConstOp) else None


def constant_norm(op: Operation) -> bool:
    """Whether an operation is a normalization by a root of squares whose scale and shift are constants."""
    known = isinstance(op, Norm) and all(isinstance(v.owner, ConstOp) for v in op.operands[1:])
    return known and (not isinstance(op, LpNormOp) or op.p.data == 2)


def integer_form(op: Operation, tables: Tables) -> bool:
    """Whether a float operation has an integer form between quantized values; `tables` are those of its program."""
    if not isinstance(op, DnnOp) or not all(_plain(v) for v in (*op.operands, *op.results)):
        return False
    known = op.keeps_type() or isinstance(op, _ALWAYS) or contraction(op) or constant_norm(op)
    return known or any(r in tables.roots for r in op.results)


def _plain(value: SSAValue) -> bool:
    return not real(value) or value.type.element_type == F32  # pyright: ignore[reportAttributeAccessIssue]


def pointwise(op: Operation | object) -> bool:
    """Whether an operation is the body of one element, of floats or truth values."""
    made = isinstance(op, Elementwise) and type(op).scalar is not Elementwise.scalar
    return made and op.results[0].type.element_type in (F32, I1) and all(map(_plain, op.operands))  # pyright: ignore


def single(value: SSAValue) -> bool:
    """Whether a value is a constant of one element."""
    return isinstance(value.owner, ConstOp) and prod(shape_of(value.type)) == 1


@dataclass
class Tables:
    """The values that are functions of one other value: `roots` tells of which, `inner` those only such functions read.

    A value that something else reads too is quantized on its own, so it starts a new function.
    """

    roots: dict[SSAValue, SSAValue] = field(default_factory=dict)
    inner: set[SSAValue] = field(default_factory=set)

    @staticmethod
    def of(ops: Iterable[Operation]) -> Tables:
        """The functions of one value among the operations of a block."""
        chain = [op for op in ops if pointwise(op)]
        starts: set[SSAValue] = set()
        while True:
            roots = _roots(chain, starts)
            inner = {v for v in roots if v not in starts and _read_within(v, roots)}
            if starts == set(roots) - inner:
                return Tables(roots, inner)
            starts = set(roots) - inner


def _roots(chain: list[Operation], starts: set[SSAValue]) -> dict[SSAValue, SSAValue]:
    roots: dict[SSAValue, SSAValue] = {}
    for op in chain:
        varying = [v for v in op.operands if not single(v)]
        behind = {roots[v] if v in roots and v not in starts else v for v in varying}
        kept = isinstance(op, (ReluOp, ClipOp)) and behind == set(varying)  # a bound of a value, not a function of it
        if len(behind) == 1 and not kept:
            (root,) = behind
            if shape_of(root.type) == shape_of(op.results[0].type) and not isinstance(root.owner, ConstOp):
                roots[op.results[0]] = root
    return roots


def _read_within(value: SSAValue, roots: dict[SSAValue, SSAValue]) -> bool:
    users = [use.operation for use in value.uses]
    same = [u.results and roots.get(u.results[0]) is roots[value] for u in users]
    return bool(users) and all(same)


def function_of(value: SSAValue, leaf: SSAValue, x: np.ndarray, store: WeightStore) -> np.ndarray:
    """A value as a function of a leaf it is computed from, where the leaf holds x; in float64."""
    if value is leaf:
        return x
    op = value.owner
    if isinstance(op, ConstOp):
        c = op.array(store).reshape(())
        return c.astype(np.float64) if np.issubdtype(c.dtype, np.floating) else c
    assert isinstance(op, Elementwise)
    with np.errstate(all="ignore"):
        return np.asarray(op.scalar(*(function_of(v, leaf, x, store) for v in op.operands)))


def leaves(value: SSAValue) -> list[SSAValue]:
    """The values a run of elementwise operations starts from, without constants of one element."""
    found: dict[SSAValue, None] = {}
    seen: set[SSAValue] = set()
    todo = [value]
    while todo:
        v = todo.pop()
        if v in seen or single(v):
            continue
        seen.add(v)
        if pointwise(v.owner):
            todo.extend(v.owner.operands)  # pyright: ignore[reportAttributeAccessIssue]
        else:
            found[v] = None
    return list(found)

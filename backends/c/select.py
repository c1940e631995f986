"""Which kernel writes which operation: `case Family()`, special operations above it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue

from dnnc.backends.c.expression import element_text
from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.kernels import (
    bitwise,
    convolution,
    elementwise,
    indexing,
    integer_reduction,
    matmul,
    movement,
    normalize,
    plain,
    plain_integer,
    pool,
    quad_convolution,
    quad_matmul,
    reduction,
    resample,
    thresholds,
)
from dnnc.backends.c.text import C_TYPES, numpy_type, size_of
from dnnc.backends.c.units import Graph, Leave, Unit, pointwise
from dnnc.ir.diagnostics import Collector, where
from dnnc.ir.dnn import bitwise as B
from dnnc.ir.dnn import composite as C
from dnnc.ir.dnn import contraction as K
from dnnc.ir.dnn import indexing as I
from dnnc.ir.dnn import integer as Q
from dnnc.ir.dnn import movement as M
from dnnc.ir.dnn import reduction as R
from dnnc.ir.dnn import resampling as P
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.elementwise import Elementwise
from dnnc.ir.dnn.recurrent import ScanOp
from dnnc.ir.dnn.rescale import ThresholdOp
from dnnc.ir.types import F32, QuantType, dtype, is_float, tensor_text, type_name

Emit = Callable[[Kernel], None]


def emitter(op: DnnOp) -> Emit | None:
    """The function that writes the body for a unit headed by `op`; None when there is none."""
    if isinstance(op, ScanOp):
        return _emit_loop
    if isinstance(op, B.PackOp | B.BitContraction):
        return _bitwise_emitter(op)
    if any(isinstance(v.type.element_type, QuantType) for v in op.operands):  # pyright: ignore
        stored = op.keeps_type() or isinstance(op, (R.ArgReduction, R.ArgMaxPoolOp, M.StorageCastOp))
        return _integer_emitter(op) or (_plain_emitter(op) if stored else None)
    return _plain_emitter(op)


def _emit_loop(kernel: Kernel) -> None:
    """Head and end of a loop are written around the calls of its body; here they say what they read."""
    unit = kernel.unit
    for value in unit.inputs:
        kernel.x(value)
    if isinstance(unit, Leave):
        for value in unit.handed_on:
            kernel.scratch(size_of(value.type), numpy_type(value))


def _plain_emitter(op: DnnOp) -> Emit | None:
    """For values computed on as they are stored: floats, integers, and quantized ones that are only moved or compared."""
    single = op.operands and op.element() == F32  # pyright: ignore[reportAttributeAccessIssue]
    match op:
        case K.ConvOp():
            return lambda k: convolution.emit_conv(k, op) if single else plain.emit_plain_conv(k, op)
        case K.ConvTransposeOp() if single:
            return lambda k: convolution.emit_conv_transpose(k, op)
        case K.MatmulOp():
            return lambda k: matmul.emit_matmul(k, op) if single else plain.emit_plain_matmul(k, op)
        case R.ArgMaxPoolOp():
            return lambda k: pool.emit_arg_max_pool(k, op)
        case R.Pool():
            return lambda k: pool.emit_pool(k, op)
        case R.AxisReduction():
            return lambda k: reduction.emit_axis_reduction(k, op)
        case R.ArgReduction():
            return lambda k: reduction.emit_arg_reduction(k, op)
        case R.CumSumOp():
            return lambda k: reduction.emit_cum_sum(k, op)
        case M.GatherOp():
            return lambda k: indexing.emit_gather(k, op)
        case I.GatherElementsOp():
            return lambda k: indexing.emit_gather_elements(k, op)
        case I.GatherNDOp():
            return lambda k: indexing.emit_gather_nd(k, op)
        case I.ScatterElementsOp():
            return lambda k: indexing.emit_scatter_elements(k, op)
        case I.ScatterNDOp():
            return lambda k: indexing.emit_scatter_nd(k, op)
        case I.TopKOp():
            return lambda k: indexing.emit_top_k(k, op)
        case P.BorderPadOp():
            return lambda k: resample.emit_border_pad(k, op)
        case P.ResizeOp():
            return lambda k: resample.emit_resize(k, op)
        case M.Movement():
            return lambda k: movement.emit_movement(k, op)
        case C.SoftmaxOp() | C.LogSoftmaxOp():
            return lambda k: normalize.emit_softmax(k, op)
        case C.HardmaxOp():
            return lambda k: normalize.emit_hardmax(k, op)
        case C.BatchNormOp():
            return lambda k: normalize.emit_batch_norm(k, op)
        case C.InstanceNormOp() | C.GroupNormOp():
            return lambda k: normalize.emit_channel_norm(k, op)
        case C.LayerNormOp() | C.RmsNormOp():
            return lambda k: normalize.emit_layer_norm(k, op)
        case C.MeanVarianceNormOp():
            return lambda k: normalize.emit_mean_variance_norm(k, op)
        case C.LpNormOp():
            return lambda k: normalize.emit_lp_norm(k, op)
        case C.LrnOp():
            return lambda k: normalize.emit_lrn(k, op)
        case C.ReduceLogSumExpOp():
            return lambda k: normalize.emit_log_sum_exp(k, op)
        case _ if pointwise(op):
            return elementwise.emit_elementwise
        case _:
            return None


def _bitwise_emitter(op: B.PackOp | B.BitContraction) -> Emit | None:
    match op:
        case B.PackOp():
            return lambda k: bitwise.emit_pack(k, op)
        case B.BitConvOp() if op.window.data.rank < 3:
            return lambda k: bitwise.emit_bit_conv(k, op)
        case B.BitMatmulOp():
            return lambda k: bitwise.emit_bit_matmul(k, op)
        case _:
            return None


def _integer_emitter(op: DnnOp) -> Emit | None:
    match op:
        case K.ConvOp():
            return lambda k: _emit_integer_conv(k, op)
        case K.ConvTransposeOp():
            return lambda k: plain_integer.emit_integer_conv_transpose(k, op)
        case K.MatmulOp():
            return lambda k: _emit_integer_matmul(k, op)
        case Q.QAvgPoolOp():
            return lambda k: integer_reduction.emit_average_pool(k, op)
        case Q.QReduction():
            return lambda k: integer_reduction.emit_integer_reduction(k, op)
        case Q.QSoftmaxOp():
            return lambda k: integer_reduction.emit_integer_softmax(k, op)
        case Q.QNormalizeOp():
            return lambda k: integer_reduction.emit_normalize(k, op)
        case _ if pointwise(op):
            return elementwise.emit_elementwise
        case ThresholdOp() if thresholds.counts_sums(op):
            return lambda k: thresholds.emit_thresholds(k, op)
        case _:
            return None


def _emit_integer_conv(kernel: Kernel, op: K.ConvOp) -> None:
    if quad_convolution.quad_weights(kernel, op) is not None:
        quad_convolution.emit_quad_conv(kernel, op)
    else:
        plain_integer.emit_integer_conv(kernel, op)


def _emit_integer_matmul(kernel: Kernel, op: K.MatmulOp) -> None:
    weights = quad_matmul.matmul_weights(kernel, op)
    if weights is not None:
        quad_matmul.emit_quad_matmul(kernel, op, weights)
    else:
        plain_integer.emit_integer_matmul(kernel, op)


def check_supported(graph: Graph) -> None:
    """Raise one UnsupportedError that names every operation and type this backend cannot write."""
    found = Collector()
    for i, value in enumerate(graph.inputs):
        _check_type(found, f"input {i}", "the network", value)
    for i, value in enumerate(graph.outputs):
        if value in graph.constants:  # no operation names its type
            _check_type(found, f"output {i}", "the network", value)
    for unit in graph.units:
        for op in unit.ops:
            _check_op(found, op)
    found.raise_if_any()


def _check_op(found: Collector, op: DnnOp) -> None:
    place = where(op.location, op.name)
    if emitter(op) is None:
        types = ", ".join(_type_of(v) for v in op.operands)
        found.refuse(
            place, f"expected an operation the C backend writes, not '{op.name}' on ({types}). {_REMEDY}", "E0901"
        )
        return
    values = {_type_of(v): v for v in (*op.operands, *op.results)}
    fits = [_check_type(found, place, f"'{op.name}'", value) for value in values.values()]
    quantized = any(isinstance(v.type.element_type, QuantType) for v in op.operands)  # pyright: ignore
    if isinstance(op, Elementwise) and all(fits) and not quantized:
        _check_body(found, op)


_REMEDY = "Decompose it before the C backend, or run it on the interpreter."


def _type_of(value: SSAValue) -> str:
    assert isinstance(value.type, TensorType)
    return type_name(value.type.element_type)


def _check_type(found: Collector, place: str, what: str, value: SSAValue) -> bool:
    """Whether elements of a value have a C type and are few enough to count in 32 bits; refuses it if not."""
    assert isinstance(value.type, TensorType)
    element = value.type.element_type
    if size_of(value.type) >= 2**31:
        found.refuse(place, f"expected tensors of less than 2^31 elements, not {tensor_text(value.type)}.", "E0902")
    fits = dtype(element).name in C_TYPES
    if not fits:
        names = "f32, f64, i1, i8 to i64 or ui8 to ui64"
        reason = "Narrow float" if is_float(element) else "Narrow"
        found.refuse(
            place,
            f"expected {what} on {names}, not {type_name(element)}. {reason} types are not written as C yet.",
            "E0903",
        )
    return fits


def _check_body(found: Collector, op: Elementwise) -> None:
    try:
        element_text(op, ["x"] * len(op.operands))
    except NotImplementedError as error:
        types = ", ".join(_type_of(v) for v in op.operands)
        message = f"expected '{op.name}' on types it has a C form for, not ({types}): {error}. Cast the operands first."
        found.refuse(where(op.location, op.name), message, "E0901")


def kernels_of(
    graph: Graph, skip: set[int], slabs: dict[int, frozenset[int]], array: Callable[..., np.ndarray | None]
) -> dict[int, Kernel]:
    """The kernel of each unit but those to skip and those that make nothing; `slabs`: parts of concats already in place."""
    kernels: dict[int, Kernel] = {}
    for number, unit in enumerate(graph.units):
        if number not in skip and any(size_of(v.type) for v in unit.outputs):
            kernels[number] = _written(graph, unit, array, slabs.get(number))
    return kernels


def _written(graph: Graph, unit: Unit, array: Callable[..., np.ndarray | None], done: frozenset[int] | None) -> Kernel:
    kernel = Kernel(unit, graph, array)
    if done is not None and isinstance(unit.head, M.Movement):
        movement.emit_movement(kernel, unit.head, done)
    else:
        emit = emitter(unit.head)
        assert emit is not None
        emit(kernel)
    return kernel

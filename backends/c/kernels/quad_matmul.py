"""Matrix products of 8-bit values with constant weights: each row of A as quads of bytes against vectors of columns."""

from __future__ import annotations

from math import prod

import numpy as np

from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.kernels.chain import Chain, signed_bytes
from dnnc.backends.c.kernels.elementwise import Walk
from dnnc.backends.c.kernels.quad_tiles import packed_columns
from dnnc.backends.c.text import index, numpy_type, shifted
from dnnc.ir.dnn.contraction import MatmulOp
from dnnc.ir.types import shape_of


def matmul_weights(kernel: Kernel, op: MatmulOp) -> np.ndarray | None:
    """The weights [n, k] less their zero point when bytes can hold them and A, else None."""
    fits = numpy_type(op.a).itemsize == 1 and len(op.shape(1)) == 2
    b = shape_of(op.bias.type) if op.bias is not None else ()
    vector = op.bias is None or (kernel.value(op.bias) is not None and b[-1:] == (prod(b),))
    w = signed_bytes(kernel, op.b) if fits and vector else None
    return w if w is None or op.trans_b is not None else np.ascontiguousarray(w.T)


def emit_quad_matmul(kernel: Kernel, op: MatmulOp, w: np.ndarray) -> None:
    """Y[i][j] = bias[j] + sum over k of (A[i][k] - z) * w[j][k], then the operations of the unit."""
    (*stack, m, k), _ = op.operand_shapes()
    n, quads, code = len(w), -(-k // 4), kernel.code
    chain = Chain.of(kernel, op, w)
    full = n + -n % 16
    row, sums = kernel.scratch(quads, np.uint32), kernel.scratch(full, np.int32)
    a, weights = kernel.x(op.a), kernel.constant(packed_columns(w))
    bias = kernel.constant(np.pad(chain.bias, (0, full - n)))
    flip = 128 if chain.flip else 0
    with code.nest_named([(v, b) for v, b in (("s", prod(stack)), ("i", m)) if b > 1]):
        place = [v if b > 1 else 0 for v, b in (("s", prod(stack)), ("i", m))]
        source = shifted(f"(const uint8_t *){a}", index(place, [m * k, k if op.trans_a is None else 1]))
        step = 1 if op.trans_a is None else m
        code.add(f"dnnc_quad_bytes({row}, {source}, {k}, {step}, {flip});")
        code.add(f"dnnc_quad_columns({row}, {quads}, {weights}, {bias}, {sums}, {full});")
        code.add(chain.store_each(shifted(kernel.y(), index(place, [m * n, n])), sums, str(n)))
    shape = shape_of(op.result.type)
    chain.emit_rest(lambda: Walk(shape, (0,) * len(shape), shape))

"""Reading and writing at places known only at run time. A place outside the operand is moved to its nearest element."""

from __future__ import annotations

from math import prod

from xdsl.ir import SSAValue

from dnnc.backends.c.expression import expression_text, operand_text
from dnnc.backends.c.kernel import Kernel
from dnnc.backends.c.text import C_TYPES, c_type, index, kind_of, numpy_type, shifted, size_of
from dnnc.ir import scalar as S
from dnnc.ir.dnn.attributes import normal_axis
from dnnc.ir.dnn.indexing import GatherElementsOp, GatherNDOp, ScatterElementsOp, Scattering, ScatterNDOp, TopKOp
from dnnc.ir.dnn.movement import GatherOp

_STEPS = {"add": "add", "mul": "mul", "max": "maximum", "min": "minimum"}


def emit_gather(kernel: Kernel, op: GatherOp) -> None:
    """y[a][i][b] = x[a][index[i]][b]."""
    shape = op.shape()
    axis = normal_axis(op.axis.data, len(shape))
    outer, size, inner = prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])
    count, code = prod(op.shape(1)), kernel.code
    with code.loop("a", outer), code.loop("i", count):
        code.add(f"const int64_t p = dnnc_place({kernel.x(op.indices)}[i], {size});")
        _emit_slice(
            kernel,
            op,
            shifted(kernel.y(), index(["a", "i"], [count * inner, inner])),
            shifted(kernel.x(op.x), index(["a", "p"], [size * inner, inner])),
            inner,
        )


def _emit_slice(kernel: Kernel, op: GatherOp | GatherNDOp, target: str, source: str, size: int) -> None:
    """Copy `size` consecutive elements."""
    if size == 1:
        kernel.code.add(f"*({target}) = *({source});")
    else:
        kernel.code.add(f"memcpy({target}, {source}, {size}u * sizeof({c_type(op.result)}));")


def emit_gather_elements(kernel: Kernel, op: GatherElementsOp) -> None:
    """y[i] = x[i, but the index along the axis]."""
    shape, at = op.shape(), op.shape(1)
    axis = normal_axis(op.axis.data, len(shape))
    x, places = kernel.x(op.x), kernel.x(op.indices)
    with kernel.code.nest(at) as loops:
        here = index(loops, _rows(at))
        kernel.code.add(f"const int64_t p = dnnc_place({places}[{here}], {shape[axis]});")
        source = index([*loops[:axis], "p", *loops[axis + 1 :]], _rows(shape))
        kernel.code.add(f"{kernel.y()}[{here}] = {x}[{source}];")


def emit_gather_nd(kernel: Kernel, op: GatherNDOp) -> None:
    """y[b, i] = x[b, index[b, i, :]], whole slices at a time."""
    shape, at, b = op.shape(), op.shape(1), op.batch.data
    depth, outer, count = at[-1], prod(at[:b]), prod(at[b:-1])
    inner, code = prod(shape[b + depth :]), kernel.code
    with code.loop("a", outer), code.loop("i", count):
        places = shifted(kernel.x(op.indices), index(["a", "i"], [count * depth, depth]))
        _emit_places(kernel, op.indices, places, shape[b : b + depth], inner)
        target = shifted(kernel.y(), index(["a", "i"], [count * inner, inner]))
        _emit_slice(kernel, op, target, shifted(kernel.x(op.x), index(["a", "p"], [prod(shape[b:]), 1])), inner)


def _emit_places(kernel: Kernel, indices: SSAValue, pointer: str, shape: tuple[int, ...], inner: int) -> None:
    """`p`: the element that a row of indices points to."""
    kernel.code.add(f"const {c_type(indices)} *at = {pointer};", "int64_t p = 0;")
    for d, size in enumerate(shape):
        stride = prod(shape[d + 1 :]) * inner
        kernel.code.add(f"p += dnnc_place(at[{d}], {size}) * {stride};")
    if not shape:
        kernel.code.add("(void)at;")


def emit_scatter_elements(kernel: Kernel, op: ScatterElementsOp) -> None:
    """Y = x, then each update at its index along the axis, in order."""
    shape, at = op.shape(), op.shape(1)
    axis = normal_axis(op.axis.data, len(shape))
    _emit_start(kernel, op)
    with kernel.code.nest(at) as loops:
        here = index(loops, _rows(at))
        kernel.code.add(f"const int64_t p = dnnc_place({kernel.x(op.indices)}[{here}], {shape[axis]});")
        target = index([*loops[:axis], "p", *loops[axis + 1 :]], _rows(shape))
        _emit_update(kernel, op, f"{kernel.y()}[{target}]", f"{kernel.x(op.updates)}[{here}]")


def emit_scatter_nd(kernel: Kernel, op: ScatterNDOp) -> None:
    """Y = x, then each slice of updates at the place its indices give, in order."""
    shape, at = op.shape(), op.shape(1)
    depth, inner, code = at[-1], prod(shape[at[-1] :]), kernel.code
    _emit_start(kernel, op)
    with code.loop("i", prod(at[:-1])):
        places = shifted(kernel.x(op.indices), index(["i"], [depth]))
        _emit_places(kernel, op.indices, places, shape[:depth], inner)
        with code.loop("b", inner):
            update = f"{kernel.x(op.updates)}[{index(['i', 'b'], [inner, 1])}]"
            _emit_update(kernel, op, f"{kernel.y()}[p + b]", update)


def _emit_start(kernel: Kernel, op: Scattering) -> None:
    size = f"{size_of(op.x.type)}u * sizeof({c_type(op.x)})"
    kernel.code.add(f"memcpy({kernel.y()}, {kernel.x(op.x)}, {size});")


def _emit_update(kernel: Kernel, op: Scattering, target: str, update: str) -> None:
    step, dt = _STEPS.get(op.reduction.data), numpy_type(op.x)
    if step is None:
        kernel.code.add(f"{target} = {update};")
        return
    texts = [operand_text(t, dt, dt) for t in (target, update)]
    text = expression_text(S.apply(step, S.Arg(0), S.Arg(1)), texts, dt)
    kernel.code.add(f"{target} = {text if kind_of(dt) != 'int' else f'({C_TYPES[dt.name]}){text}'};")


def emit_top_k(kernel: Kernel, op: TopKOp) -> None:
    """The k best of each line, kept sorted while the line is read; of equal ones the first."""
    shape, k = op.shape(), op.k.data
    axis = normal_axis(op.axis.data, len(shape))
    outer, n, inner = prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])
    code, values, places, element = kernel.code, kernel.y(0), kernel.y(1), c_type(op.x)
    x = kernel.x(op.x)
    if k == 0:
        return
    with code.loop("a", outer), code.loop("b", inner):
        code.add(f"const {element} *in = {shifted(x, index(['a', 'b'], [n * inner, 1]))};")
        out = index(["a", "b"], [k * inner, 1])
        code.add(f"{element} *v = {shifted(values, out)};", f"int64_t *at = {shifted(places, out)};")
        with code.loop("i", n):
            code.add(f"const {element} e = in[i * {inner}];", f"int32_t j = i < {k} ? i : {k};")
            with code.block(f"while (j > 0 && {_better(op, 'e', f'v[(j - 1) * {inner}]')})"):
                with code.block(f"if (j < {k})"):
                    code.add(f"v[j * {inner}] = v[(j - 1) * {inner}];", f"at[j * {inner}] = at[(j - 1) * {inner}];")
                code.add("--j;")
            with code.block(f"if (j < {k})"):
                code.add(f"v[j * {inner}] = e;", f"at[j * {inner}] = i;")


def _better(op: TopKOp, a: str, b: str) -> str:
    """Whether a comes before b; NaN counts as the largest."""
    real = kind_of(numpy_type(op.x)) != "int"
    if op.smallest is not None:
        return f"({a} < {b} || ({b} != {b} && {a} == {a}))" if real else f"{a} < {b}"
    return f"({a} > {b} || ({a} != {a} && {b} == {b}))" if real else f"{a} > {b}"


def _rows(shape: tuple[int, ...]) -> list[int]:
    return [prod(shape[d + 1 :]) for d in range(len(shape))]

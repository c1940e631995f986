"""Operators with a sliding window: convolutions and pools. Their padding is worked out here, so the dialect sees numbers only."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import SSAValue

from dnnc.frontend.onnx.site import Mistake, Refused, Site
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.contraction import ConvOp, ConvTransposeOp
from dnnc.ir.dnn.movement import SliceOp
from dnnc.ir.dnn.reduction import ArgMaxPoolOp, AvgPoolOp, LpPoolOp, MaxPoolOp, ReduceMaxOp, ReduceMeanOp
from dnnc.ir.types import shape_of


def window(site: Site, kernel: Sequence[int], size: Sequence[int]) -> Window:
    """The window of a node over an input of spatial `size`: `auto_pad` becomes pads."""
    n = len(kernel)
    stride, dilation = per_dimension(site, "strides", n), per_dimension(site, "dilations", n)
    ceil = site.flag("ceil_mode")
    pads = tuple(site.ints("pads", (0,) * (2 * n)))
    auto = site.word("auto_pad", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
    if len(pads) != 2 * n:
        raise Mistake(f"expected {2 * n} values as attribute 'pads', not {len(pads)}.", "E0434")
    if auto == "VALID":
        pads = (0,) * (2 * n)
    elif auto != "NOTSET":
        pads = same_pads(kernel, stride, dilation, size, upper=auto == "SAME_UPPER")
    return Window.of(kernel, stride, pads, dilation, ceil and auto == "NOTSET")


def per_dimension(site: Site, name: str, n: int) -> tuple[int, ...]:
    """An attribute with a value for each spatial dimension, 1 by default."""
    values = tuple(site.ints(name, ())) or (1,) * n
    if len(values) != n:
        raise Mistake(f"expected {n} values as attribute '{name}', not {len(values)}.", "E0434")
    if min(values) < 1:
        raise Mistake(f"expected values of at least 1 as attribute '{name}', not {list(values)}.", "E0416")
    return values


def same_pads(
    kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int], size: Sequence[int], upper: bool
) -> tuple[int, ...]:
    """Pads for an output of ceil(size / stride); the odd one goes after under `upper`."""
    totals = [max(0, (-(-h // u) - 1) * u + (k - 1) * d + 1 - h) for h, k, u, d in zip(size, kernel, stride, dilation)]
    less, more = [t // 2 for t in totals], [t - t // 2 for t in totals]
    return (*less, *more) if upper else (*more, *less)


def spatial(site: Site, i: int = 0) -> tuple[int, ...]:
    """Spatial dimensions of an input [N, C, spatial...]."""
    if site.rank(i) < 3:
        raise Mistake(f"expected input {site.input_name(i)} of rank 3 or more, not {site.rank(i)}.", "E0418")
    return site.shape(i)[2:]


def kernel_shape(site: Site) -> tuple[int, ...]:
    """The kernel of a convolution: that of its weights, which the attribute must repeat."""
    kernel = spatial(site, 1)
    stated = tuple(site.ints("kernel_shape", kernel))
    if stated != kernel:
        raise Mistake(f"expected a kernel_shape of {list(kernel)} as in the weights, not {list(stated)}.", "E0421")
    return kernel


def cropped(site: Site, x: SSAValue, win: Window) -> tuple[SSAValue, Window]:
    """Negative pads are a slice of the input."""
    if min(win.pad, default=0) >= 0:
        return x, win
    shape = shape_of(x.type)
    cut = [(0, 0), (0, 0), *((max(0, -a), max(0, -b)) for a, b in win.pads)]
    start = tuple(a for a, _ in cut)
    size = tuple(max(0, d - a - b) for d, (a, b) in zip(shape, cut))
    x = site.emit(SliceOp, x, start=start, size=size)
    return x, Window.of(win.kernel, win.stride, [max(0, p) for p in win.pad], win.dilation, win.ceil)


def conv(site: Site) -> SSAValue:
    """Conv."""
    kernel = kernel_shape(site)
    win = window(site, kernel, spatial(site))
    x, win = cropped(site, site.operand(0), win)
    groups = site.int("group", 1)
    return site.emit(ConvOp, x, site.operand(1), site.optional(2), window=win, groups=groups)


def conv_transpose(site: Site) -> SSAValue:
    """ConvTranspose: `output_shape` and `auto_pad` fix the pads, the odd one before the input unless SAME_UPPER."""
    kernel, size = kernel_shape(site), spatial(site)
    n = len(kernel)
    stride, dilation = per_dimension(site, "strides", n), per_dimension(site, "dilations", n)
    extra = site.ints("output_padding", (0,) * n)
    pads = list(site.ints("pads", (0,) * (2 * n)))
    auto = site.word("auto_pad", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
    wanted = site.ints("output_shape", None)
    if auto.startswith("SAME") and wanted is None:
        wanted = tuple(h * u for h, u in zip(size, stride))
    if wanted is not None:
        full = [u * (h - 1) + (k - 1) * d + 1 + e for h, u, k, d, e in zip(size, stride, kernel, dilation, extra)]
        totals = [f - w for f, w in zip(full, wanted[-n:])]
        extra = tuple(e + max(0, -t) for e, t in zip(extra, totals))
        less = [max(0, t) // 2 for t in totals]
        more = [max(0, t) - a for t, a in zip(totals, less)]
        pads = [*less, *more] if auto == "SAME_UPPER" else [*more, *less]
    elif auto == "VALID":
        pads = [0] * (2 * n)
    win = Window.of(kernel, stride, pads, dilation)
    return site.emit(
        ConvTransposeOp,
        site.operand(0),
        site.operand(1),
        site.optional(2),
        window=win,
        groups=site.int("group", 1),
        output_pad=extra if any(extra) else None,
    )


def pool_window(site: Site) -> Window:
    """The window of a pool."""
    kernel = site.ints("kernel_shape")
    if len(kernel) != len(spatial(site)):
        raise Mistake(f"expected a kernel_shape of {len(spatial(site))} values, not {len(kernel)}.", "E0434")
    return window(site, kernel, spatial(site))


def max_pool(site: Site) -> list[SSAValue]:
    """MaxPool, with the places of the maxima when they are wanted."""
    win, column_major = pool_window(site), site.flag("storage_order")
    x = site.operand(0)
    results = [site.emit(MaxPoolOp, x, window=win)]
    if site.wants(1):
        results.append(site.emit(ArgMaxPoolOp, x, window=win, column_major=column_major))
    return results


def average_pool(site: Site) -> SSAValue:
    """AveragePool."""
    win = pool_window(site)
    return site.emit(AvgPoolOp, site.operand(0), window=win, count_pad=site.flag("count_include_pad"))


def lp_pool(site: Site) -> SSAValue:
    """LpPool."""
    win = pool_window(site)
    return site.emit(LpPoolOp, site.operand(0), window=win, p=norm_order(site))


def norm_order(site: Site) -> int:
    """The p of an Lp pool."""
    p = site.float("p", 2)
    if p < 1 or not float(p).is_integer():
        raise Refused(f"expected a whole p of at least 1, not {p}.", "E0207")
    return int(p)


def global_average_pool(site: Site) -> SSAValue:
    """GlobalAveragePool: the mean over all spatial dimensions."""
    axes = tuple(range(2, 2 + len(spatial(site))))
    return site.emit(ReduceMeanOp, site.operand(0), axes=axes, keepdims=True)


def global_max_pool(site: Site) -> SSAValue:
    """GlobalMaxPool: the maximum over all spatial dimensions."""
    axes = tuple(range(2, 2 + len(spatial(site))))
    return site.emit(ReduceMaxOp, site.operand(0), axes=axes, keepdims=True)


def global_lp_pool(site: Site) -> SSAValue:
    """GlobalLpPool: one window over all spatial dimensions."""
    return site.emit(LpPoolOp, site.operand(0), window=Window.of(spatial(site)), p=norm_order(site))

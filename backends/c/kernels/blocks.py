"""Windows that see nothing but their block: as windows of more dimensions, or with a test of the block's bounds at each tap.

Rows in blocks of B are two dimensions of the same memory, which block and where in it, where they divide evenly: then a
window is one of a kernel 1 x R over both, and nothing else is to be done.
"""

from __future__ import annotations

from collections.abc import Sequence

from dnnc.backends.c.text import Code, index
from dnnc.ir.dnn.attributes import Window

Spread = tuple[Window, tuple[int, ...], tuple[int, ...]]


def spread(window: Window, hw: Sequence[int], ef: Sequence[int]) -> Spread | None:
    """A window with its input and output sizes, every axis in blocks as two; None where a last block is smaller."""
    cut = cuts(window, ef)
    if any(b is not None and (e % b or h != e * u) for b, e, h, u in zip(cut, ef, hw, window.stride)):
        return None
    kernel, stride, dilation = (doubled(values, cut) for values in (window.kernel, window.stride, window.dilation))
    pads = [pad for pad, b in zip(window.pads, cut) for pad in ([pad] if b is None else [(0, 0), pad])]
    sizes, made = [], []
    for h, e, b, u in zip(hw, ef, cut, window.stride):
        sizes += [h] if b is None else [e // b, b * u]
        made += [e] if b is None else [e // b, b]
    pad = (*(a for a, _ in pads), *(b for _, b in pads))
    return Window(kernel, stride, dilation, pad), tuple(sizes), tuple(made)


def cuts(window: Window, ef: Sequence[int]) -> list[int | None]:
    """The size of the blocks of every axis of the output, None of one that is whole."""
    return [b if b < e else None for b, e in zip(window.block or ef, ef)]


def doubled(values: Sequence[int], cut: Sequence[int | None]) -> tuple[int, ...]:
    """Values of every axis, with a 1 for the blocks of those that are cut."""
    return tuple(v for value, b in zip(values, cut) for v in ([value] if b is None else [1, value]))


def spread_shape(shape: Sequence[int], cut: Sequence[int | None]) -> tuple[int, ...]:
    """The shape of an operand beside the result [N, M, spatial...], with two dimensions for every axis that is cut."""
    whole = (1,) * (2 + len(cut) - len(shape)) + tuple(shape)
    spatial = [[n] if b is None else [n // b, b] if n > 1 else [1, 1] for n, b in zip(whole[2:], cut)]
    return (*whole[:2], *(n for part in spatial for n in part))


def inside(code: Code, window: Window, hw: Sequence[int], ef: Sequence[int], at: Sequence[str]) -> str:
    """The condition that input coordinates h0, h1, ... lie in the block of the output `at`."""
    conditions = []
    for a, (h, u, b) in enumerate(zip(hw, window.stride, cuts(window, ef))):
        if b is None:
            conditions.append(f"h{a} >= 0 && h{a} < {h}")
        else:
            code.add(f"const int32_t b{a} = {at[a]} / {b} * {b * u};")
            end = "" if h % (b * u) == 0 else f" && h{a} < {h}"
            conditions.append(f"h{a} >= b{a} && h{a} < b{a} + {b * u}{end}")
    return " && ".join(conditions)


def coordinates(code: Code, window: Window, at: Sequence[str], tap: Sequence[str]) -> None:
    """Declare the input coordinates h0, h1, ... of a tap of the window at an output."""
    for a in range(window.rank):
        place = index([at[a], tap[a]], [window.stride[a], window.dilation[a]], -window.pad[a])
        code.add(f"const int32_t h{a} = {place};")

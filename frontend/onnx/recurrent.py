"""Recurrent operators: every direction is a scan of its cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from xdsl.ir import SSAValue

from dnnc.frontend.onnx.site import Mistake, Refused, Site
from dnnc.ir.dnn.cells import FUNCTIONS, Activation, Cell, Gru, Lstm, Rnn, Weights, run_cell
from dnnc.ir.dnn.elementwise import CastOp
from dnnc.ir.dnn.logic import LessOp
from dnnc.ir.dnn.movement import ConcatOp, ReshapeOp, SliceOp, TransposeOp
from dnnc.ir.types import I32, shape_of

INITIAL = 5  # the first operand that is an initial state
PEEPHOLE = 7


def _read(site: Site, kind: type[Cell], **more: Any) -> list[SSAValue]:
    """LSTM, GRU or RNN: [T, N, I] to all hidden states [T, directions, N, H] and the last of each state."""
    site.ignore("output_sequence")
    batch_first = site.flag("layout")
    word = site.word("direction", "forward", "reverse", "bidirectional")
    backward = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}[word]
    units = _units(site, kind, len(backward))
    clip = site.float("clip") if site.given("clip") else None
    functions = _activations(site, kind, len(backward))
    x = _swapped(site, site.operand(0), (1, 0, 2)) if batch_first else site.operand(0)
    mask = _mask(site, *shape_of(x.type)[:2])
    ys: list[SSAValue] = []
    lasts: list[list[SSAValue]] = []
    for d, reverse in enumerate(backward):
        cell = kind(functions[d], clip, **more)
        states = [_initial(site, INITIAL + i, d, batch_first, x, units) for i in range(kind.STATES)]
        y, last = run_cell(site, cell, x, _weights(site, kind, d, units), states, mask, reverse)
        ys.append(y)
        lasts.append(last)
    joined = _joined(site, ys, 1)
    ends = [_joined(site, [last[i] for last in lasts], 0) for i in range(kind.STATES)]
    if not batch_first:
        return [joined, *ends]
    return [_swapped(site, joined, (2, 0, 1, 3)), *(_swapped(site, v, (1, 0, 2)) for v in ends)]


def _units(site: Site, kind: type[Cell], directions: int) -> int:
    """The size of a state, by the recurrent weights [directions, gates * H, H]."""
    for i in range(3):
        if site.rank(i) != 3:
            raise Mistake(f"expected input {site.input_name(i)} of rank 3, not {site.rank(i)}.", "E0418")
    units = site.int("hidden_size", site.shape(2)[-1])
    want = (directions, kind.GATES * units)
    if site.shape(2) != (*want, units):
        raise Mistake(f"expected recurrent weights of shape {[*want, units]}, not {list(site.shape(2))}.", "E0442")
    if site.shape(1) != (*want, site.shape(0)[-1]):
        raise Mistake(f"expected weights of shape {[*want, site.shape(0)[-1]]}, not {list(site.shape(1))}.", "E0442")
    return units


def _swapped(site: Site, v: SSAValue, perm: tuple[int, ...]) -> SSAValue:
    return site.emit(TransposeOp, v, perm=perm)


def _joined(site: Site, parts: Sequence[SSAValue], axis: int) -> SSAValue:
    """Values of the directions along a new axis."""
    shape = shape_of(parts[0].type)
    rows = [site.emit(ReshapeOp, v, shape=(*shape[:axis], 1, *shape[axis:])) for v in parts]
    return rows[0] if len(rows) == 1 else site.emit(ConcatOp, rows, axis=axis)


def _of_direction(site: Site, i: int, d: int) -> SSAValue:
    """The i-th operand without its first dimension, the direction."""
    shape = site.shape(i)
    start, size = (d, *(0,) * (len(shape) - 1)), (1, *shape[1:])
    one = site.operand(i) if shape[0] == 1 else site.emit(SliceOp, site.operand(i), start=start, size=size)
    return site.emit(ReshapeOp, one, shape=shape[1:])


def _weights(site: Site, kind: type[Cell], d: int, units: int) -> Weights:
    w, r = _of_direction(site, 1, d), _of_direction(site, 2, d)
    if not site.has(3):
        biases: list[SSAValue | None] = [None, None]
    else:
        both, n = _of_direction(site, 3, d), kind.GATES * units
        biases = [site.emit(SliceOp, both, start=(i * n,), size=(n,)) for i in (0, 1)]
    peephole = _of_direction(site, PEEPHOLE, d) if site.has(PEEPHOLE) else None
    return Weights(w, r, biases[0], biases[1], peephole)


def _initial(site: Site, i: int, d: int, batch_first: bool, x: SSAValue, units: int) -> SSAValue:
    if not site.has(i):
        return site.const(np.zeros((shape_of(x.type)[1], units), site.dtype()))
    if not batch_first:
        return _of_direction(site, i, d)
    n, _, h = site.shape(i)
    one = site.emit(SliceOp, site.operand(i), start=(0, d, 0), size=(n, 1, h))
    return site.emit(ReshapeOp, one, shape=(n, h))


def _mask(site: Site, steps: int, batch: int) -> SSAValue | None:
    """[T, N, 1], whether a step is inside its sequence; None when all are."""
    known = site.known(4)
    if not site.has(4) or (known is not None and bool(np.all(known == steps))):
        return None
    lengths = site.emit(CastOp, site.emit(ReshapeOp, site.operand(4), shape=(1, batch, 1)), to=I32)
    return site.emit(LessOp, site.const(np.arange(steps, dtype=np.int32).reshape(-1, 1, 1)), lengths)


def _activations(site: Site, kind: type[Cell], directions: int) -> list[tuple[Activation, ...]]:
    """The activations of each direction; parameters go, in order, to those that have one of the name."""
    count = len(kind.FUNCTIONS)
    names = [n.lower() for n in site.strings("activations", kind.FUNCTIONS * directions)]
    if len(names) != count * directions:
        raise Mistake(f"expected {count * directions} activations, not {len(names)}.", "E0434")
    unknown = [n for n in names if n not in FUNCTIONS]
    if unknown:
        raise Refused(f"expected activations among {', '.join(FUNCTIONS)}, not '{unknown[0]}'.", "E0207")
    given = {p: iter(site.floats(f"activation_{p}", ())) for p in ("alpha", "beta")}
    found = []
    for name in names:
        own = {p: next(given[p], value) for p, value in FUNCTIONS[name].defaults.items()}
        found.append(FUNCTIONS[name].bound(**own))
    return [tuple(found[d * count : (d + 1) * count]) for d in range(directions)]


def lstm(site: Site) -> list[SSAValue]:
    """LSTM."""
    return _read(site, Lstm, coupled=site.flag("input_forget"))


def gru(site: Site) -> list[SSAValue]:
    """GRU."""
    return _read(site, Gru, linear_before_reset=site.flag("linear_before_reset"))


def rnn(site: Site) -> list[SSAValue]:
    """RNN."""
    return _read(site, Rnn)

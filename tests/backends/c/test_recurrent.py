"""Loops as C against the interpreter: states, slices, what is stacked, and memory that must not be reused within them."""

import numpy as np
import pytest
from xdsl.ir import Block

from dnnc.ir.dnn.activation import ReluOp, SigmoidOp, TanhOp
from dnnc.ir.dnn.cells import Body, Gru, Lstm, Rnn, Weights, run_cell
from dnnc.ir.dnn.elementwise import AddOp, MulOp, SubOp
from dnnc.ir.dnn.movement import ConcatOp, ReshapeOp, SliceOp, TransposeOp
from dnnc.ir.dnn.recurrent import ScanOp, slice_type
from dnnc.ir.dnn.structure import YieldOp

ACTIVATIONS = {
    1: (lambda w, x: w.emit(TanhOp, x),),
    3: (lambda w, x: w.emit(SigmoidOp, x), lambda w, x: w.emit(TanhOp, x)),
    4: (lambda w, x: w.emit(SigmoidOp, x), *(lambda w, x: w.emit(TanhOp, x),) * 2),
}


@pytest.fixture
def scan(net):
    """`scan(write, states, sequences, fixed, steps)`: results of a loop whose body `write` appends."""

    def scan(write, states, sequences=(), fixed=(), steps=4, reverse=False, within=None):
        types = [v.type for v in states] + [slice_type(v.type) for v in sequences] + [v.type for v in fixed]
        block, n, m = Block(arg_types=types), len(states), len(states) + len(sequences)
        nexts, stacked = write(Body(net.store, None, block), block.args[:n], block.args[n:m], block.args[m:])
        block.add_op(YieldOp.create(operands=[*nexts, *stacked]))
        op = ScanOp.of(block, states, sequences, fixed, steps, reverse)
        (within or net.block).add_op(op)
        return op.results

    return scan


def real(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


def test_states_sequences_and_what_is_fixed(net, scan, rng):
    h, x, f = net.input(real(rng, 2, 5)), net.input(real(rng, 4, 2, 5)), net.const(real(rng, 5))

    def write(body, states, slices, fixed):
        new = body.emit(AddOp, body.emit(MulOp, states[0], fixed[0]), slices[0])
        return [new], [body.emit(SubOp, new, body.const(np.float32(1)))]

    for reverse in (False, True):
        for i, v in enumerate(scan(write, [h], [x], [f], reverse=reverse)):
            net.output(f"{reverse} {i}", v)
    # An intermediate sequence and state, and what a concat takes in place.
    last, all_ = scan(write, [net.add(ReluOp(h))], [net.add(ReluOp(x))], [f])
    net.output("joined", net.add(ConcatOp([last, net.add(ReluOp(last))], axis=0)))
    net.output("turned", net.add(TransposeOp(all_, perm=(2, 0, 1))))
    net.check()


def test_states_that_take_each_others_place(net, scan, rng):
    """Next states are states as they were, in a ring, and parts of one."""
    states = [net.input(real(rng, 1, 6)) for _ in range(3)]

    def write(body, states, slices, fixed):
        a, b, c = states
        first = body.emit(SliceOp, a, start=(0, 0), size=(1, 3))
        both = body.emit(ConcatOp, [body.emit(SliceOp, c, start=(0, 3), size=(1, 3)), first], axis=1)
        return [b, both, a], [body.emit(ReshapeOp, c, shape=(6,)), c]

    for i, v in enumerate(scan(write, states, steps=3)):
        net.output(str(i), v)
    net.check()


def test_what_is_made_before_a_loop_lives_through_it(net, scan, rng):
    """The first step must not overwrite what the second reads, although it is read once in the text."""
    h, x = net.input(real(rng, 64)), net.input(real(rng, 3, 64))
    outside, other = net.add(TanhOp(h)), net.add(TanhOp(x))

    def write(body, states, slices, fixed):
        a = body.emit(MulOp, fixed[0], slices[0])
        b = body.emit(ConcatOp, [a, fixed[0], states[0]], axis=0)
        c = body.emit(ConcatOp, [states[0], body.emit(ReluOp, fixed[0])], axis=0)
        d = body.emit(AddOp, body.emit(SliceOp, b, start=(32,), size=(128,)), c)
        return [body.emit(SliceOp, d, start=(64,), size=(64,))], [d]

    for i, v in enumerate(scan(write, [h], [other], [outside], steps=3)):
        net.output(str(i), v)
    net.check()


def test_a_loop_in_a_loop(net, scan, rng):
    h, x = net.input(real(rng, 5)), net.input(real(rng, 3, 4, 5))

    def inner(body, states, slices, fixed):
        new = body.emit(AddOp, body.emit(MulOp, states[0], slices[0]), fixed[0])
        return [new], [new]

    def outer(body, states, slices, fixed):
        last, all_ = scan(inner, states, slices, [states[0]], within=body.block)
        return [last], [all_]

    for reverse in (False, True):
        for i, v in enumerate(scan(outer, [h], [x], steps=3, reverse=reverse)):
            net.output(f"{reverse} {i}", v)
    net.check()


class Outside:
    """The network as a writer of cells."""

    location = None

    def __init__(self, net):
        self.net, self.store = net, net.store

    def append(self, op):
        self.net.block.add_op(op)
        return op.results

    def emit(self, kind, *operands, **params):
        return self.append(kind(*operands, **params))[0]

    def const(self, array):
        return self.net.const(array)


@pytest.mark.parametrize("kind", [Rnn, Gru, Lstm])
def test_cells(net, rng, kind):
    g = kind.GATES * 6
    more = [{}, {"linear_before_reset": True}] if kind is Gru else [{}]
    for i, parameters in enumerate(more):
        cell = kind(ACTIVATIONS[kind.GATES], 0.8 if i else None, **parameters)
        weights = Weights(*(net.const(real(rng, *s)) for s in ((g, 3), (g, 6), (g,), (g,))))
        states = [net.input(real(rng, 2, 6)) for _ in range(kind.STATES)]
        y, lasts = run_cell(Outside(net), cell, net.input(real(rng, 5, 2, 3)), weights, states, reverse=bool(i))
        for k, v in enumerate([y, *lasts]):
            net.output(f"{i} {k}", v)
    net.check()


def test_the_header_counts_all_steps(net, rng):
    weights = Weights(*(net.const(real(rng, *s)) for s in ((6, 3), (6, 6))))
    cell = Rnn(ACTIVATIONS[1])
    y, _ = run_cell(Outside(net), cell, net.input(real(rng, 5, 2, 3)), weights, [net.input(real(rng, 2, 6))])
    net.output("y", y)
    assert f"MACS {5 * 2 * 6 * (3 + 6)}ull" in net.emit().header

"""Every elementwise operation of the dialect as C against the interpreter, on each kind of element type it takes."""

import itertools

import numpy as np
from xdsl.utils.exceptions import VerifyException

from dnnc.ir.diagnostics import DnncError
from dnnc.ir.dnn import OPS
from dnnc.ir.dnn.activation import LeakyReluOp, ReluOp, ShrinkOp, SigmoidOp
from dnnc.ir.dnn.elementwise import AddOp, CastOp, ClipOp, Elementwise, ModOp, MulOp, PowOp, SubOp, WhereOp
from dnnc.ir.dnn.logic import Comparison, IsInfOp, Logical, NotOp, ShiftLeftOp, ShiftRightOp
from dnnc.ir.types import element_type

KINDS = (np.float32, np.float64, np.bool_, np.int8, np.int32, np.int64, np.uint8, np.uint32, np.uint64)
ELEMENTWISE = [op for op in OPS if issubclass(op, Elementwise) and op is not CastOp]


def values(rng, dtype, positive=False):
    """A few dozen elements, with the awkward ones of the type."""
    if dtype == np.bool_:
        return rng.integers(0, 2, (3, 16)).astype(bool)
    if np.issubdtype(dtype, np.integer):
        info = np.iinfo(dtype)
        x = rng.integers(max(info.min, -9), 9, (3, 16)).astype(dtype)
        x[0, :3] = info.min, info.max, 0
        return x
    x = rng.uniform(-4, 4, (3, 16))
    x[0, :6] = 0.5, -0.5, 2.5, -2.5, 0.0, 1.0
    return x.astype(dtype)


def test_every_operation_on_every_type_it_takes(net, rng):
    arguments = {(t, i): net.input(values(rng, t)) for t in KINDS for i in range(3)}
    amounts = {t: net.input(rng.integers(0, 8, (3, 16)).astype(t)) for t in KINDS}
    tried = set()
    for op, dtype in itertools.product(ELEMENTWISE, KINDS):
        if dtype == np.bool_ and not issubclass(op, (Comparison, Logical, NotOp, WhereOp)):
            continue  # arithmetic on booleans
        types = [np.bool_, dtype, dtype] if op is WhereOp else [dtype] * len(op.get_irdl_definition().operands)
        operands = [arguments[t, i] for i, t in enumerate(types)]
        if op in (PowOp, ShiftLeftOp, ShiftRightOp, ShrinkOp) and np.issubdtype(dtype, np.integer):
            operands = [amounts[dtype]] * len(types)
        try:
            value = net.add(op(*operands))
        except VerifyException:
            continue  # the operation does not take the type
        tried.add(op)
        net.output(f"{op.name} {np.dtype(dtype).name}", value)
    assert tried == set(ELEMENTWISE)
    net.check(1e-5, 1e-6)


def test_integers_and_fractions_are_computed_as_reals(net):
    for dtype in (np.int32, np.int64, np.int8):
        x = net.input(np.array([-3, -2, 0, 1, 2, 9]).astype(dtype))
        net.output(f"shrink {dtype}", net.add(ShrinkOp(x, lambd=1.5, bias=1.5)))
        net.output(f"clip {dtype}", net.add(ClipOp(x, low=-1.0, high=4.0)))
    net.check()


def test_operands_broadcast(net, rng):
    shapes = [
        ((2, 3, 4, 5), (5,)),
        ((2, 3, 4, 5), (3, 1, 1)),
        ((2, 1, 4, 1), (3, 1, 5)),
        ((), (4, 3)),
        ((1,), (1, 1, 1)),
    ]
    for a, b in shapes:
        x, y = net.input(rng.standard_normal(a, np.float32)), net.input(rng.standard_normal(b, np.float32))
        net.output(f"{a} {b}", net.add(SubOp(x, y)))
    c = net.input(np.array([[True], [False], [True]]))
    x, y = net.input(rng.standard_normal((3, 4), np.float32)), net.input(np.float32(7))
    net.output("where", net.add(WhereOp(c, x, y)))
    net.output("empty", net.add(AddOp(net.input(np.zeros((0, 3), np.float32)), net.input(np.float32([1, 2, 3])))))
    net.check()


def test_parameters_and_mixed_types(net, rng):
    x = net.input(np.float32([-3, -1, -0.0, 0.5, 2, np.nan, np.inf, -np.inf]))
    net.output("clip", net.add(ClipOp(x, low=-1.0, high=1.5)))
    net.output("clip low", net.add(ClipOp(x, low=-1.0)))
    net.output("relu keeps NaN", net.add(ReluOp(x)))
    net.output("leaky", net.add(LeakyReluOp(x, alpha=0.3)))
    net.output("inf only", net.add(IsInfOp(x, no_negative=True)))
    a = net.input(np.float32([1, 2, 3, -2]))
    net.output("float ** int", net.add(PowOp(a, net.input(np.int64([2, -1, 0, 3])))))
    i = net.input(np.int32([1, 2, 3, -2]))
    net.output("int ** int", net.add(PowOp(i, net.input(np.int64([2, 1, 0, 3])))))
    net.output("fmod", net.add(ModOp(a, net.input(np.float32([2, -3, 2, 3])), fmod=True)))
    net.output("mod", net.add(ModOp(a, net.input(np.float32([2, -3, 2, 3])))))
    net.output("int mod", net.add(ModOp(i, net.input(np.int32([2, -3, 2, 3])))))
    net.check()


def test_shifts_beyond_the_width(net):
    for dtype in (np.int8, np.int32, np.uint64):
        x = net.input(np.array([-1, 5, 9, -7]).astype(dtype))
        amount = net.input(np.array([8, 31, 64, 100]).astype(dtype))
        net.output(f"left {dtype}", net.add(ShiftLeftOp(x, amount)))
        net.output(f"right {dtype}", net.add(ShiftRightOp(x, amount)))
    net.check()


def test_casts(net, rng):
    for source in KINDS:
        for target in KINDS:
            x = np.array([0, 1, 2, 100], source) if source != np.bool_ else np.array([True, False])
            net.output(f"{source} {target}", net.add(CastOp(net.input(x), to=element_type(target))))
    x = np.float32([-1.7, 1.7, 0.2, -0.9])
    net.output("truncates", net.add(CastOp(net.input(x), to=element_type(np.int32))))
    net.check()


def test_a_chain_in_a_group_is_one_loop(net, rng):
    x, y = net.input(rng.standard_normal((4, 5), np.float32)), net.input(rng.standard_normal((5,), np.float32))
    add = AddOp(x, y)
    sigmoid = SigmoidOp(add.result)
    net.output("chain", net.group(add, sigmoid, MulOp(sigmoid.result, x)))
    assert net.check().source.count("static void net_") == 1


def test_dead_operands_are_written_over(net, rng):
    x = net.input(rng.standard_normal((8, 8), np.float32))
    a = net.add(MulOp(x, x))
    b = net.add(SigmoidOp(a))
    c = net.add(AddOp(b, a))  # a is needed until here
    net.output("c", net.add(ReluOp(c)))
    program = net.check()
    assert program.arena_bytes == 2 * 8 * 8 * 4


def test_refused_types_are_all_named(net):
    import ml_dtypes
    import pytest

    x = net.input(np.zeros((2, 3), np.float16))
    y = net.add(ReluOp(x))
    net.output("f16", y)
    net.output("bf16", net.add(SigmoidOp(net.input(np.zeros(3, ml_dtypes.bfloat16)))))
    with pytest.raises(DnncError) as e:
        net.emit()
    assert str(e.value).splitlines() == [
        "4 unsupported things:",
        "input 0: expected the network on f32, f64, i1, i8 to i64 or ui8 to ui64, not f16. "
        "Narrow float types are not written as C yet. [E0903]",
        "input 1: expected the network on f32, f64, i1, i8 to i64 or ui8 to ui64, not bf16. "
        "Narrow float types are not written as C yet. [E0903]",
        "dnn.relu: expected 'dnn.relu' on f32, f64, i1, i8 to i64 or ui8 to ui64, not f16. "
        "Narrow float types are not written as C yet. [E0903]",
        "dnn.sigmoid: expected 'dnn.sigmoid' on f32, f64, i1, i8 to i64 or ui8 to ui64, not bf16. "
        "Narrow float types are not written as C yet. [E0903]",
    ]

import pytest
from xdsl.parser import Parser
from xdsl.utils.exceptions import VerifyException

from dnnc.ir.context import make_context
from dnnc.ir.sched import BufferOp, CopyOp, LoopOp, Slice, iterations

TEXT = """builtin.module {
  %0 = sched.buffer "x" in <inputs> at <64> : memref<1x3x12x12x!dnn.q<i8, 0.1, 3>>
  %1 = sched.buffer "x.tile" in <input> at <0> copies <2> : memref<3x6x12x!dnn.q<i8, 0.1, 3>>
  %2 = sched.buffer "y" in <outputs> : memref<1x3x12x12x!dnn.q<i8, 0.1, 3>>
  %3 = sched.buffer "y.tile" in <output> : memref<3x4x12x!dnn.q<i8, 0.1, 3>>
  %4 = sched.buffer "w" in <weights> constant <"w.q"> : memref<3x3x3x3xi8>
  sched.loop %s = 0 to 12 step 5 {
    sched.copy %0 to %1 at (%s) <[0 size 1 in 1, 0 size 3 in 3, -1 step 1 of 0 size 7 in 12, 0 size 12 in 12]> : \
memref<1x3x12x12x!dnn.q<i8, 0.1, 3>> to memref<3x6x12x!dnn.q<i8, 0.1, 3>>
    sched.compute "pool" on %1, %3 as ["input", "output"] at (%s) <[0 size 1 in 1, 0 size 1 in 1, 0 size 3 in 3, \
0 step 1 of 0 size 5 in 12, 0 size 1 in 1]> {
    ^bb0(%5: tensor<1x3x12x12x!dnn.q<i8, 0.1, 3>>):
      %6 = dnn.relu %5 : (tensor<1x3x12x12x!dnn.q<i8, 0.1, 3>>) -> tensor<1x3x12x12x!dnn.q<i8, 0.1, 3>>
      dnn.yield %6 : tensor<1x3x12x12x!dnn.q<i8, 0.1, 3>>
    } : memref<3x6x12x!dnn.q<i8, 0.1, 3>>, memref<3x4x12x!dnn.q<i8, 0.1, 3>>
  }
}
"""


def parse(text):
    return Parser(make_context(), text, "x.mlir").parse_module()


def test_text_round_trip():
    module = parse(TEXT)
    module.verify()
    again = parse(str(module))
    again.verify()
    assert str(again) == str(module)


def test_generic_round_trip():
    import io

    from xdsl.printer import Printer

    module = parse(TEXT)
    out = io.StringIO()
    Printer(out, print_generic_format=True).print_op(module)
    assert str(parse(out.getvalue())) == str(module)


def test_loops_give_their_values():
    module = parse(TEXT)
    loop = next(op for op in module.walk() if isinstance(op, LoopOp))
    assert list(loop.values) == [0, 5, 10]
    copy = next(op for op in module.walk() if isinstance(op, CopyOp))
    assert list(iterations(copy)) == [(0,), (5,), (10,)]
    assert copy.loads


@pytest.mark.parametrize(("i", "expected"), [(0, (0, 6)), (5, (4, 7)), (10, (9, 3))])
def test_a_slice_is_clipped_at_both_borders(i, expected):
    assert Slice(-1, 7, 12, 1, 0).at(i) == expected


def test_a_slice_beyond_the_border_is_empty():
    assert Slice(0, 4, 12, 1, 0).at(20)[1] == 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("in <inputs>", "in <heap>", "expected one of the spaces"),
        ("in <inputs>", "in <input>", "expected one side on chip and one off chip"),
        ("step 5", "step 0", "expected upper and step of at least 1"),
        ('as ["input", "output"]', 'as ["input"]', "expected a role for each of 2 tiles, not 1"),
        ("step 1 of 0 size 7", "step 1 of 1 size 7", "expected slices of at least 1 over 1 indices"),
    ],
)
def test_bad_operations_are_refused(old, new, message):
    assert old in TEXT
    with pytest.raises(VerifyException, match=message):
        parse(TEXT.replace(old, new)).verify()


def test_buffers_know_where_they_are():
    module = parse(TEXT)
    chip = {op.label.data: op.on_chip for op in module.walk() if isinstance(op, BufferOp)}
    assert chip == {"x": False, "x.tile": True, "y": False, "y.tile": True, "w": False}

import numpy as np
import pytest
from xdsl.dialects.builtin import UNKNOWN_LOC
from xdsl.ir import Block

from dnnc.ir.diagnostics import UnsupportedError
from dnnc.ir.dnn.activation import ReluOp, SigmoidOp
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.contraction import ConvOp, MatmulOp
from dnnc.ir.dnn.elementwise import ClipOp
from dnnc.ir.dnn.function import AbsOp
from dnnc.ir.dnn.movement import ReshapeOp, TransposeOp
from dnnc.ir.dnn.quantize import RequantizeOp
from dnnc.ir.dnn.reduction import MaxPoolOp
from dnnc.ir.dnn.rescale import ThresholdOp
from dnnc.ir.dnn.structure import YieldOp
from dnnc.ir.types import F32, I8, I32, QuantType, element_type, tensor
from dnnc.passes.analysis.group import group_of

Q = QuantType.per_tensor(I8, 0.1, 3)
W = QuantType.per_channel(I8, [0.5, 0.25], 0)


class Body:
    """A group's body, operation by operation."""

    def __init__(self, *types):
        self.block = Block(arg_types=types)
        self.v = self.block.args[0]

    def add(self, op):
        self.block.add_op(op)
        self.v = op.results[0]
        return self

    def conv(self, **window):
        args = self.block.args
        bias = args[2] if len(args) > 2 else None
        return self.add(ConvOp(args[0], args[1], bias, window=Window.of((3, 3), **window)))

    def group(self):
        self.block.add_op(YieldOp.create(operands=[self.v]))
        return group_of(self.block, "layer", UNKNOWN_LOC)


def conv(x=(1, 4, 9, 9), w=(2, 4, 3, 3)):
    return Body(tensor(Q, x), tensor(W, w), tensor(I32, (w[0],)))


def requantize(body, zero=3):
    return body.add(RequantizeOp(body.v, to=QuantType.per_tensor(I8, 0.1, zero)))


def refusal(body):
    with pytest.raises(UnsupportedError) as caught:
        body.group()
    return str(caught.value)


def test_a_convolution_in_the_letters_of_the_field():
    group = requantize(conv().conv(stride=(2, 2), pad=(1, 0, 1, 1))).group()
    layer = group.layer
    assert (layer.kind, layer.N, layer.groups, layer.M, layer.C, layer.H, layer.W) == ("dense", 1, 1, 2, 4, 9, 9)
    assert layer.sums == layer.out == (5, 4)
    assert layer.macs == 2 * 5 * 4 * 4 * 9
    assert (group.x, group.weights, group.bias) == (0, 1, 2)


def test_relu_and_clip_become_bounds():
    body = requantize(conv().conv())
    body.add(ReluOp(body.v)).add(ClipOp(body.v, high=6.0))
    group = body.group()
    assert (group.scale.zero, group.scale.low, group.scale.high, group.steps) == (3, 3, 63, ())


def test_other_activations_become_a_table():
    body = requantize(conv().conv())
    op = SigmoidOp(body.v)
    group = body.add(op).group()
    assert (group.scale.low, group.scale.high, group.layer.table_bytes) == (-128, 127, 256)
    by_byte = group.table(lambda i: np.zeros(0))
    np.testing.assert_array_equal(by_byte.view(np.int8)[np.arange(-128, 128)], op.table())


def test_rows_of_a_tile_through_pool_and_window():
    body = requantize(conv((1, 4, 12, 12)).conv(pad=(1, 1, 1, 1)))
    layer = body.add(MaxPoolOp(body.v, window=Window.of((3, 3), (2, 2), (1, 1, 1, 1)))).group().layer
    assert layer.out == (6, 6)
    first, middle, last = layer.rows(0, 2), layer.rows(2, 2), layer.rows(4, 2)
    assert (first.sums, first.input, first.pad, first.pool_pad) == ((0, 4), (0, 5), (1, 0), (1, 0))
    assert (middle.sums, middle.input, middle.pad, middle.pool_pad) == ((3, 5), (2, 7), (0, 0), (0, 0))
    assert (last.sums, last.input, last.pad, last.pool_pad) == ((7, 5), (6, 6), (0, 1), (0, 0))


def test_views_in_front_are_looked_through():
    body = Body(tensor(Q, (1, 4, 2, 2)), tensor(QuantType.per_tensor(I8, 0.5), (5, 16)))
    body.add(ReshapeOp(body.v, shape=(1, 16)))
    group = requantize(body.add(MatmulOp(body.v, body.block.args[1], trans_b=True))).group()
    assert (group.x, group.layer.matrix, group.layer.M, group.layer.C) == (0, True, 5, 16)


def test_sums_stay_sums_without_a_bias():
    assert "not sums with a bias that are not requantized to 8 bits" in refusal(conv().conv())
    group = Body(tensor(Q, (1, 4, 9, 9)), tensor(W, (2, 4, 3, 3))).conv().group()
    assert (group.layer.wide, group.layer.records, group.layer.bytes_of("output")) == (True, 0, 4)


def test_thresholds_are_the_records_of_sums():
    body = Body(tensor(Q, (1, 4, 9, 9)), tensor(W, (2, 4, 3, 3)), tensor(I32, (2,)), tensor(I32, (2, 5)))
    body.conv()
    group = body.add(ThresholdOp(body.v, body.block.args[3], to=Q, axis=-3, first=-4, step=2)).group()
    assert (group.layer.levels, group.layer.record, group.layer.records) == (5, 20, 2)
    assert (group.levels.argument, group.levels.first, group.levels.step, group.scale) == (3, -4, 2, None)


@pytest.mark.parametrize(
    ("levels", "axis", "reason"),
    [
        (5, 2, "not the sums of its channels"),
        (256, 1, "of 256 levels in place of 1 to 255"),
        (0, 1, "values without elements"),
    ],
)
def test_thresholds_that_no_record_holds_are_refused(levels, axis, reason):
    body = Body(tensor(Q, (1, 4, 9, 9)), tensor(W, (2, 4, 3, 3)), tensor(I32, (2,)), tensor(I32, (1, levels)))
    wide = QuantType.per_tensor(element_type(np.uint16), 1.0)
    assert reason in refusal(body.conv().add(ThresholdOp(body.v, body.block.args[3], to=wide, axis=axis)))


def test_floats_are_refused():
    body = Body(tensor(F32, (1, 2, 8, 8)))
    assert "a value of type f32" in refusal(body.add(MaxPoolOp(body.v, window=Window.of((2, 2)))))


def test_what_follows_a_pool_must_be_monotonic():
    body = requantize(conv().conv())
    body.add(MaxPoolOp(body.v, window=Window.of((2, 2))))
    assert "'dnn.abs', which is not monotonic, after a pool" in refusal(body.add(AbsOp(body.v)))


def test_movement_is_refused_with_its_name():
    body = Body(tensor(Q, (1, 2, 8, 8)))
    message = refusal(body.add(TransposeOp(body.v, perm=(0, 2, 1, 3))))
    assert message == (
        "layer: expected operations that the accelerator runs, not 'dnn.transpose'. "
        "Compile to C with --emit c, or see `dnnc explain E0803`. [E0803]"
    )


def test_windows_that_see_padding_only_are_refused():
    message = refusal(requantize(conv().conv(pad=(3, 0, 0, 0))))
    assert "a window of extent [3, 3] padded by [3, 0, 0, 0], more than it reaches" in message


def test_three_dimensions_are_refused():
    body = Body(tensor(Q, (1, 2, 8, 8, 8)))
    assert "3 spatial dimensions" in refusal(body.add(MaxPoolOp(body.v, window=Window.of((2, 2, 2)))))

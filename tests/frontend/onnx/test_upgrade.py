"""Old operators mean what they meant: against onnxruntime at the old opset, or after ONNX's own version converter."""

import numpy as np
import onnx
import onnx.version_converter
import pytest
from onnx import TensorProto, helper, numpy_helper

ROWS = "float[3,4] x => float[a,b] y"
CUBE = "float[2,3,4] x => float[a,b,c] y"
IMAGE = "float[1,2,5,6] x => float[n,c,h,w] y"

# case: opset, signature, body. Those of opset 7 or later run in onnxruntime as they are.
CASES = {
    "add, aligned": (6, "float[2,3,4] x, float[3] z => float[a,b,c] y", "y = Add<broadcast=1, axis=1>(x, z)"),
    "add, suffix": (6, "float[2,3,4] x, float[3,4] z => float[a,b,c] y", "y = Add<broadcast=1>(x, z)"),
    "mul, middle": (6, "float[2,3,4,5] x, float[3,4] z => float[a,b,c,d] y", "y = Mul<broadcast=1, axis=1>(x, z)"),
    "clip": (6, ROWS, "y = Clip<min=-0.5, max=0.7>(x)"),
    "clip, consumed": (1, ROWS, "y = Clip<min=-0.5, max=0.7, consumed_inputs=[0]>(x)"),
    "cast": (1, "float[3,4] x => int32[a,b] y", 'y = Cast<to="INT32">(x)'),
    "concat": (1, "float[2,3] x, float[2,4] z => float[a,b] y", "y = Concat(x, z)"),
    "dropout": (6, ROWS, "y = Dropout<is_test=1, ratio=0.3>(x)"),
    "gemm": (6, "float[3,4] a, float[4,5] b, float[5] c => float[m,n] y", "y = Gemm<broadcast=1, alpha=2.0>(a, b, c)"),
    "reshape": (1, CUBE, "y = Reshape<shape=[4,0,2]>(x)"),
    "pad": (1, ROWS, "y = Pad<paddings=[0,1,2,0], value=2.5>(x)"),
    "pad, attributes": (2, ROWS, "y = Pad<pads=[0,1,-1,0], value=2.5>(x)"),
    "slice": (1, "float[5,6] x => float[a,b] y", "y = Slice<starts=[1,-3], ends=[100,-1], axes=[0,1]>(x)"),
    "slice, no axes": (1, "float[5,6] x => float[a,b] y", "y = Slice<starts=[1], ends=[3]>(x)"),
    "split": (2, "float[2,7] x => float[a,b] y, float[c,d] z", "y, z = Split<axis=1, split=[3,4]>(x)"),
    "squeeze": (11, "float[1,3,1] x => float[a,b] y", "y = Squeeze<axes=[0]>(x)"),
    "unsqueeze": (11, ROWS.replace("[a,b]", "[a,b,c]"), "y = Unsqueeze<axes=[1]>(x)"),
    "softmax, flattened": (11, CUBE, "y = Softmax(x)"),
    "softmax, first": (11, CUBE, "y = Softmax<axis=0>(x)"),
    "softmax, last": (11, CUBE, "y = Softmax<axis=-1>(x)"),
    "softmax, image": (11, "float[2,3,1,1] x => float[a,b,c,d] y", "y = Softmax(x)"),
    "log softmax": (11, CUBE, "y = LogSoftmax(x)"),
    "hardmax": (11, CUBE, "y = Hardmax(x)"),
    "prelu": (6, "float[2,3,4] x, float[3] s => float[a,b,c] y", "y = PRelu(x, s)"),
    "prelu, one slope": (6, "float[2,3,4] x, float[1] s => float[a,b,c] y", "y = PRelu(x, s)"),
    "reduce": (11, CUBE.replace("[a,b,c]", "[a,b]"), "y = ReduceMax<axes=[-1], keepdims=0>(x)"),
    "reduce sum": (11, CUBE, "y = ReduceSum<axes=[0,2]>(x)"),
    "selu": (1, ROWS, "y = Selu(x)"),
    "top k": (1, "float[3,5] x => float[a,b] y, int64[c,d] i", "y, i = TopK<k=2>(x)"),
    "top k, input": (10, "float[3,5] x => float[a,b] y, int64[c,d] i", "k = Constant<value=int64[1]{2}>() y, i = TopK(x, k)"),
    "upsample": (7, IMAGE, 'y = Upsample<scales=[1.0,1.0,2.0,3.0], mode="nearest">(x)'),
    "upsample, linear": (7, IMAGE, 'y = Upsample<scales=[1.0,1.0,2.0,2.0], mode="linear">(x)'),
    "upsample, input": (9, IMAGE, 's = Constant<value=float[4]{1.0,1.0,2.0,1.0}>() y = Upsample(x, s)'),
    "resize": (10, IMAGE, "s = Constant<value=float[4]{1.0,1.0,0.5,1.5}>() y = Resize(x, s)"),
    "scatter": (9, "float[3,4] x, float[1,4] u => float[a,b] y",
                "i = Constant<value=int64[1,4]{0,2,0,1}>() y = Scatter(x, i, u)"),
    "lp pool": (1, IMAGE, "y = LpPool<kernel_shape=[2,2], p=2.0>(x)"),
    "group norm": (18, "float[2,6,4,5] x, float[3] s, float[3] b => float[n,c,h,w] y",
                   "y = GroupNormalization<num_groups=3>(x, s, b)"),
}  # fmt: skip


def formula(case, x, rest):
    """What the operators mean that onnxruntime no longer runs."""
    c = np.float32
    selu = c(1.0507) * np.where(x > 0, x, c(1.6732) * np.expm1(x))
    bounded = np.clip(x, c(-0.5), c(0.7))
    known = {
        "add, aligned": lambda: x + rest[0][:, None],
        "add, suffix": lambda: x + rest[0],
        "mul, middle": lambda: x * rest[0][:, :, None],
        "clip": lambda: bounded,
        "clip, consumed": lambda: bounded,
        "cast": lambda: x.astype(np.int32),
        "concat": lambda: np.concatenate([x, rest[0]], 1),
        "dropout": lambda: x,
        "gemm": lambda: 2 * (x @ rest[0]) + rest[1],
        "reshape": lambda: x.reshape(4, 3, 2),
        "pad": lambda: np.pad(x, ((0, 2), (1, 0)), constant_values=2.5),
        "pad, attributes": lambda: np.pad(x[:-1], ((0, 0), (1, 0)), constant_values=2.5),
        "slice": lambda: x[1:, -3:-1],
        "slice, no axes": lambda: x[1:3],
        "prelu": lambda: np.where(x < 0, x * rest[0][:, None], x),
        "prelu, one slope": lambda: np.where(x < 0, x * rest[0], x),
        "selu": lambda: selu,
        "lp pool": lambda: np.sqrt(
            (np.lib.stride_tricks.sliding_window_view(x, (2, 2), (2, 3)) ** 2).sum((4, 5), dtype=c)
        ),
    }
    return [known[case]()] if case in known else None


@pytest.mark.parametrize("case", CASES)
def test_old_operators(models, case):
    opset, signature, body = CASES[case]
    proto = models.of(opset, signature, body)
    arrays = models.inputs(proto)
    expected = formula(case, arrays[0], arrays[1:])
    if expected is None:
        expected = models.reference(proto if opset >= 7 else at_21(proto), arrays)
    models.agree(models.run(proto, arrays), expected)


def at_21(proto):
    """The model by ONNX's version converter."""
    return onnx.version_converter.convert_version(onnx.shape_inference.infer_shapes(proto), 21)


def test_batch_norm_of_each_element(models):
    node = helper.make_node("BatchNormalization", list("xsbmv"), ["y"], spatial=0, epsilon=0.1)
    values = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3, 4])]
    values += [helper.make_tensor_value_info(n, TensorProto.FLOAT, [3, 4]) for n in "sbmv"]
    graph = helper.make_graph([node], "g", values, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3, 4])])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 7)])
    x, s, b, m, v = arrays = [np.abs(a) for a in models.inputs(proto)]
    models.agree(models.run(proto, arrays), [s * (x - m) / np.sqrt(v + np.float32(0.1)) + b])


def test_tile_along_one_axis(models):
    constants = [numpy_helper.from_array(np.array(v, np.float32), n) for n, v in (("t", 3), ("a", 1))]
    node = helper.make_node("Tile", ["x", "t", "a"], ["y"])
    info = helper.make_tensor_value_info
    graph = helper.make_graph([node], "g", [info("x", 1, [2, 2])], [info("y", 1, [2, 6])], constants)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 1)])
    (x,) = models.inputs(proto)
    models.agree(models.run(proto, [x]), [np.tile(x, (1, 3))])


@pytest.mark.parametrize("opset", range(1, 29))
def test_every_stamp_is_read(models, opset):
    proto = models.of(opset, "float[2,3] x => float[2,3] y", "a = Relu(x) b = Exp(a) y = Sigmoid(b)", ir=3)
    (x,) = arrays = models.inputs(proto)
    models.agree(models.run(proto, arrays), [1 / (1 + np.exp(-np.exp(np.maximum(x, 0))))])


def test_attributes_newer_than_the_stamp_are_read(models):
    proto = models.of(9, "float[1,1,5,5] x => float[n,c,h,w] y", "y = MaxPool<kernel_shape=[2,2], ceil_mode=1>(x)")
    proto.graph.node[0].attribute.append(helper.make_attribute("dilations", [2, 2]))
    (x,) = arrays = models.inputs(proto)
    expected = np.maximum(np.maximum(x[..., :3, :3], x[..., 2:, :3]), np.maximum(x[..., :3, 2:], x[..., 2:, 2:]))
    models.agree(models.run(proto, arrays), [expected])


def test_newest_operators_are_read(models):
    proto = models.of(
        24, "float[2,3] x, float[3] s => float[2,3] y", "a = Swish<alpha=2.0>(x) y = RMSNormalization(a, s)"
    )
    x, s = arrays = models.inputs(proto)
    a = x / (1 + np.exp(-2 * x))
    models.agree(models.run(proto, arrays), [a / np.sqrt((a * a).mean(-1, keepdims=True) + 1e-5) * s])

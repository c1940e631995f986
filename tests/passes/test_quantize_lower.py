"""Integer programs against the float program with dequantize and quantize that they were made of: at most one step apart."""

import numpy as np
import pytest

from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.quantize import DequantizeOp, QuantizeOp
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.stages import ISLAND
from dnnc.ir.types import QuantType, shape_of
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes import pipeline
from dnnc.passes.analysis.integer_forms import in_float
from dnnc.passes.calibrate import calibrate

X = "tensor<1x4x6x5xf32>"
MATRIX = "tensor<2x6x8xf32>"

# Programs of one operation, or of a few that become one integer operation: input types, lines, the type of the result %y.
ONE = {
    "add": ([X, X], "%y = dnn.add %0, %1", X),
    "add of a row": ([X, "tensor<5xf32>"], "%y = dnn.add %0, %1", X),
    "add of a constant": ([X], "%c = dnn.const key = \"c\" : () -> tensor<4x1x1xf32>\n  %y = dnn.add %0, %c", X),
    "sub": ([X, X], "%y = dnn.sub %0, %1", X),
    "mul": ([X, X], "%y = dnn.mul %0, %1", X),
    "max": ([X, X], "%y = dnn.max %0, %1", X),
    "average pool": ([X], "%y = dnn.avg_pool %0 window = <[3, 3], pad [1, 1, 1, 1]>", X),
    "average pool of pads": ([X], "%y = dnn.avg_pool %0 window = <[3, 3], pad [1, 1, 1, 1]> count_pad", X),
    "global average pool": ([X], "%y = dnn.reduce_mean %0 axes = [2, 3]", "tensor<1x4xf32>"),
    "mean of rows": ([X], "%y = dnn.reduce_mean %0 axes = [3] keepdims", "tensor<1x4x6x1xf32>"),
    "sum of rows": ([X], "%y = dnn.reduce_sum %0 axes = [3]", "tensor<1x4x6xf32>"),
    "largest": ([X], "%y = dnn.reduce_max %0 axes = [1]", "tensor<1x6x5xf32>"),
    "max pool": ([X], "%y = dnn.max_pool %0 window = <[2, 2]>", "tensor<1x4x5x4xf32>"),
    "concat": ([X, X], "%y = dnn.concat [%0, %1] axis = 1", "tensor<1x8x6x5xf32>"),
    "pad": ([X], "%y = dnn.pad %0 before = [0, 0, 1, 0] after = [0, 0, 0, 2]", "tensor<1x4x7x7xf32>"),
    "transpose": ([X], "%y = dnn.transpose %0 perm = [0, 2, 3, 1]", "tensor<1x6x5x4xf32>"),
    "resize": ([X], "%y = dnn.resize %0 size = [1, 4, 12, 10] mode = nearest", "tensor<1x4x12x10xf32>"),
    "relu": ([X], "%y = dnn.relu %0", X),
    "relu6": ([X], "%y = dnn.clip %0 low = 0.0 high = 0.5", X),
    "sigmoid": ([X], "%y = dnn.sigmoid %0", X),
    "gelu": ([X], "%y = dnn.gelu %0", X),
    "swish": ([X], f"%s = dnn.sigmoid %0 : ({X}) -> {X}\n  %y = dnn.mul %0, %s", X),
    "reciprocal of a scaled value": (
        [X],
        "%two = dnn.const value = dense<2.0> : tensor<f32> : () -> tensor<f32>\n"
        f"  %s = dnn.exp %0 : ({X}) -> {X}\n  %t = dnn.add %s, %two : ({X}, tensor<f32>) -> {X}\n  %y = dnn.div %two, %t",
        X,
    ),
    "softmax": ([MATRIX], "%y = dnn.softmax %0 axis = 2", MATRIX),
    "product of two values": (
        [MATRIX, "tensor<2x8x3xf32>"], "%y = dnn.matmul %0, %1", "tensor<2x6x3xf32>",
    ),
    "layer norm": (
        [MATRIX],
        '%g = dnn.const key = "g" : () -> tensor<8xf32>\n  %b = dnn.const key = "b" : () -> tensor<8xf32>\n'
        "  %y = dnn.layer_norm %0, %g, shift(%b)",
        MATRIX,
    ),
    "RMS norm": ([MATRIX], '%g = dnn.const key = "g" : () -> tensor<8xf32>\n  %y = dnn.rms_norm %0, %g', MATRIX),
    "L2 norm": ([MATRIX], "%y = dnn.lp_norm %0 axis = 2", MATRIX),
    "instance norm": (
        [X],
        '%g = dnn.const key = "g" : () -> tensor<4xf32>\n  %b = dnn.const key = "b" : () -> tensor<4xf32>\n'
        "  %y = dnn.instance_norm %0, %g, %b",
        X,
    ),
    "convolution": (
        [X],
        '%w = dnn.const key = "w" : () -> tensor<6x2x3x3xf32>\n  %b = dnn.const key = "b" : () -> tensor<6xf32>\n'
        "  %y = dnn.conv %0, %w, bias(%b) window = <[3, 3], pad [1, 1, 1, 1]> groups = 2",
        "tensor<1x6x6x5xf32>",
    ),
    "transposed convolution": (
        [X],
        '%w = dnn.const key = "w" : () -> tensor<4x3x2x2xf32>\n  %b = dnn.const key = "b" : () -> tensor<3xf32>\n'
        "  %y = dnn.conv_transpose %0, %w, bias(%b) window = <[2, 2], stride [2, 2]>",
        "tensor<1x3x12x10xf32>",
    ),
    "dense layer": (
        [MATRIX],
        '%w = dnn.const key = "w" : () -> tensor<8x5xf32>\n  %b = dnn.const key = "b" : () -> tensor<5xf32>\n'
        "  %y = dnn.matmul %0, %w, bias(%b)",
        "tensor<2x6x5xf32>",
    ),
    "dense layer of relu6": (
        [MATRIX],
        '%w = dnn.const key = "w" : () -> tensor<8x5xf32>\n'
        "  %s = dnn.matmul %0, %w : (tensor<2x6x8xf32>, tensor<8x5xf32>) -> tensor<2x6x5xf32>\n"
        "  %y = dnn.clip %s low = 0.0 high = 1.0",
        "tensor<2x6x5xf32>",
    ),
}  # fmt: skip


def typed_text(inputs: list[str], lines: str, result: str) -> str:
    """The program; the type of the last line follows from its operands."""
    types = {f"%{i}": t for i, t in enumerate(inputs)}
    for line in lines.split("\n"):
        if "->" in line:
            types[line.split()[0]] = line.rpartition("-> ")[2]
    words = lines.split("\n")[-1].partition(" = ")[2].replace(",", " ").replace("[", " ").replace("]", " ")
    used = [w for w in words.replace("(", " ").replace(")", " ").split() if w in types]
    operands = ", ".join(types[w] for w in used)
    args = ", ".join(f"%{i}: {t}" for i, t in enumerate(inputs))
    args = args.replace("%", "%x")
    body = lines
    for i in range(len(inputs)):
        body = body.replace(f"%{i}", f"%x{i}")
    return f"func.func @main({args}) -> {result} {{\n  {body} : ({operands}) -> {result}\n  func.return %y : {result}\n}}\n"


def prepared(program, text: str, seed: int = 1):
    """A module with random weights, calibrated on random samples."""
    rng = np.random.default_rng(seed)
    store = WeightStore()
    shapes = {k: s for k, s in _shapes(text)}
    for key, shape in shapes.items():
        scale = 1 if len(shape) < 2 else np.sqrt(np.prod(shape[1:]))
        store.add(key, (rng.normal(size=shape) / scale).astype(np.float32))
    module, ctx = program(text, store)
    args = main_function(module).body.block.args
    samples = [[rng.normal(size=shape_of(a.type)).astype(np.float32) * 2 for a in args] for _ in range(12)]
    calibrate(module, store_of(ctx), samples)
    return module, ctx, samples


def _shapes(text: str):
    for line in text.split("\n"):
        if "key = " in line:
            yield line.split('"')[1], tuple(int(d) for d in line.rpartition("tensor<")[2].split("x")[:-1])


def results(module, ctx, samples) -> np.ndarray:
    return np.stack([evaluate(module, x, store_of(ctx))[0] for x in samples])


def step(module) -> float:
    """The scale of the value the program returns."""
    last = main_function(module).body.block.last_op
    assert last is not None and isinstance(last.operands[0].owner, DequantizeOp)
    element = last.operands[0].owner.element()
    assert isinstance(element, QuantType)
    return float(element.scale)


@pytest.mark.parametrize("name", ONE)
def test_an_integer_form_is_within_one_step_of_its_float_form(program, name):
    module, ctx, samples = prepared(program, typed_text(*ONE[name]))
    exact = results(module, ctx, samples)
    pipeline.run(pipeline.parse("quantize{float-softmax=false}"), module, ctx)
    form = results(module, ctx, samples)
    unit = step(module)
    pipeline.run(pipeline.parse("quantize-lower,canonicalize,cse,dce"), module, ctx)
    ops = [op for op in main_function(module).body.block.ops if isinstance(op, DnnOp)]
    assert not [op.name for op in ops if in_float(op) and not isinstance(op, (QuantizeOp, DequantizeOp))]
    assert not any(ISLAND in op.attributes for op in ops)
    steps = np.abs(results(module, ctx, samples) - form) / unit
    assert steps.max() < 1.01
    assert (steps > 0.5).mean() < 0.01
    noise = np.mean((form - exact) ** 2)
    assert 10 * np.log10(np.mean(exact**2) / noise) > 25


ATTENTION = """
func.func @main(%x: tensor<2x16x32xf32>) -> tensor<2x16x32xf32> {
  %g = dnn.const key = "g" : () -> tensor<32xf32>
  %b = dnn.const key = "b" : () -> tensor<32xf32>
  %wq = dnn.const key = "wq" : () -> tensor<32x32xf32>
  %wk = dnn.const key = "wk" : () -> tensor<32x32xf32>
  %wv = dnn.const key = "wv" : () -> tensor<32x32xf32>
  %c = dnn.const value = dense<0.1767767> : tensor<f32> : () -> tensor<f32>
  %n = dnn.layer_norm %x, %g, shift(%b) : (tensor<2x16x32xf32>, tensor<32xf32>, tensor<32xf32>) -> tensor<2x16x32xf32>
  %q = dnn.matmul %n, %wq : (tensor<2x16x32xf32>, tensor<32x32xf32>) -> tensor<2x16x32xf32>
  %k = dnn.matmul %n, %wk : (tensor<2x16x32xf32>, tensor<32x32xf32>) -> tensor<2x16x32xf32>
  %v = dnn.matmul %n, %wv : (tensor<2x16x32xf32>, tensor<32x32xf32>) -> tensor<2x16x32xf32>
  %t = dnn.transpose %k perm = [0, 2, 1] : (tensor<2x16x32xf32>) -> tensor<2x32x16xf32>
  %s = dnn.matmul %q, %t : (tensor<2x16x32xf32>, tensor<2x32x16xf32>) -> tensor<2x16x16xf32>
  %d = dnn.mul %s, %c : (tensor<2x16x16xf32>, tensor<f32>) -> tensor<2x16x16xf32>
  %p = dnn.softmax %d axis = 2 : (tensor<2x16x16xf32>) -> tensor<2x16x16xf32>
  %o = dnn.matmul %p, %v : (tensor<2x16x16xf32>, tensor<2x16x32xf32>) -> tensor<2x16x32xf32>
  %r = dnn.add %o, %x : (tensor<2x16x32xf32>, tensor<2x16x32xf32>) -> tensor<2x16x32xf32>
  func.return %r : tensor<2x16x32xf32>
}
"""


def test_attention_has_no_float_left(program):
    module, ctx, samples = prepared(program, ATTENTION)
    exact = results(module, ctx, samples)
    pipeline.run(pipeline.parse("int8"), module, ctx)
    assert not [op.name for op in module.walk() if ISLAND in op.attributes]
    error = results(module, ctx, samples) - exact
    assert 10 * np.log10(np.mean(exact**2) / np.mean(error**2)) > 30

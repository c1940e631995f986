"""Networks that come quantized, against onnxruntime: QuantizeLinear and DequantizeLinear, integer operators, its own domain."""

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dnnc.frontend.onnx import import_onnx
from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import DnncError
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.text import text_of
from dnnc.ir.weights import store_of
from dnnc.passes.pipeline import parse, run

RNG = np.random.default_rng(7)
f32, u8, i8, i32 = np.float32, np.uint8, np.int8, np.int32

INITIALIZERS = {
    "s": f32(0.03), "s2": f32(0.05), "s3": f32(0.11), "sw": f32([0.02, 0.01, 0.03]), "one": f32([0.04]), "half": np.float16(0.02),
    "z": u8(120), "z2": u8(3), "z3": u8(130), "zi": i8(-4), "zw": i8([0, 0, 0]), "zu": u8([128, 127, 120]), "zz": i8(0),
    "w": RNG.integers(-128, 128, (3, 2, 3, 3)).astype(i8), "b": RNG.integers(-2000, 2000, 3).astype(i32),
    "wp": RNG.integers(0, 256, (3, 2, 3, 3)).astype(u8), "wu": RNG.integers(0, 256, (4, 3)).astype(u8),
    "wi": RNG.integers(-127, 128, (4, 3)).astype(i8),
    "row": RNG.integers(-100, 100, 3).astype(i32), "s4": f32([0.02, 0.01, 0.03, 0.005]), "cube": np.array([2, 2, 2]),
}  # fmt: skip

IMAGE = "uint8[1,2,6,5] x => uint8[n,c,h,w] y"
ROWS = "uint8[2,4] x => uint8[m,n] y"
PAIR = "uint8[2,4] x, uint8[2,4] v => uint8[m,n] y"
MS = ', "com.microsoft" : 1'

INTEGERS = {
    "qlinear conv": (IMAGE, "y = QLinearConv<pads=[1,0,1,0], strides=[2,1]>(x, s, z, w, sw, zw, s3, z3, b)"),
    "qlinear conv, no bias": (IMAGE, "y = QLinearConv(x, s, z, w, s2, zz, s3, z3)"),
    "qlinear matmul": (ROWS, "y = QLinearMatMul(x, s, z, wu, s2, z2, s3, z3)"),
    "qlinear matmul, columns": (ROWS, "y = QLinearMatMul(x, s, z, wi, sw, zw, s3, z3)"),
    "qgemm": (ROWS, "y = com.microsoft.QGemm<alpha=0.5>(x, s, z, wi, sw, zw, row, s3, z3)"),
    "qgemm, transposed": ("uint8[2,3] x => uint8[m,n] y", "y = com.microsoft.QGemm<transB=1>(x, s, z, wu, s2, z2, , s3, z3)"),
    "qlinear add": (PAIR, "y = com.microsoft.QLinearAdd(x, s, z, v, s2, z2, s3, z3)"),
    "qlinear mul": (PAIR, "y = com.microsoft.QLinearMul(x, s, z, v, s2, z2, s3, z3)"),
    "qlinear sigmoid": (ROWS, "y = com.microsoft.QLinearSigmoid(x, s, z, s3, z2)"),
    "qlinear leaky relu": (ROWS, "y = com.microsoft.QLinearLeakyRelu<alpha=0.2>(x, s, z, s2, z3)"),
    "qlinear softmax": (ROWS, "y = com.microsoft.QLinearSoftmax<axis=-1, opset=13>(x, s, z, s3, z2)"),
    "qlinear average pool": (IMAGE, "y = com.microsoft.QLinearAveragePool<kernel_shape=[3,2], pads=[1,0,0,0]>(x, s, z, s2, z3)"),
    "qlinear global average pool": (IMAGE, "y = com.microsoft.QLinearGlobalAveragePool(x, s, z, s2, z3)"),
    "qlinear average, channels last": ("uint8[1,6,5,3] x => uint8[n,h,w,c] y",
                                       "y = com.microsoft.QLinearGlobalAveragePool<channels_last=1>(x, s, z, s2, z3)"),
    "qlinear concat": (PAIR, "y = com.microsoft.QLinearConcat<axis=1>(s3, z3, x, s, z, v, s2, z2)"),
    "qlinear where": ("bool[2,4] c, uint8[2,4] x, uint8[2,4] v => uint8[m,n] y",
                      "y = com.microsoft.QLinearWhere(c, x, s, z, v, s2, z2, s3, z3)"),
    "qdq conv": (IMAGE, """
        xd = DequantizeLinear(x, s, z) wd = DequantizeLinear<axis=0>(w, sw, zw) bs = Mul(s, sw) bd = DequantizeLinear<axis=0>(b, bs)
        c = Conv(xd, wd, bd) r = Relu(c) y = QuantizeLinear(r, s3, z3)"""),
    "qdq matmul, bias added": (ROWS, """
        xd = DequantizeLinear(x, s, z) wd = DequantizeLinear<axis=1>(wi, sw, zw) bd = DequantizeLinear<axis=0>(row, sw)
        c = MatMul(xd, wd) a = Add(c, bd) y = QuantizeLinear(a, s3, z3)"""),
    "qdq transposed weights": ("uint8[2,3] x => uint8[m,n] y", """
        xd = DequantizeLinear(x, s, z) wd = DequantizeLinear<axis=0>(wi, s4) t = Transpose<perm=[1,0]>(wd)
        c = MatMul(xd, t) y = QuantizeLinear(c, s3, z3)"""),
    "moved between": ("uint8[2,4] x => uint8[m,n,o] y", """
        f = DequantizeLinear(x, s, z) e = Exp(f) q = QuantizeLinear(e, s2, z2) t = Transpose<perm=[1,0]>(q)
        r = Reshape(t, cube) d = DequantizeLinear(r, s2, z2) g = Neg(d) y = QuantizeLinear(g, s3, z3)"""),
    "shared": (ROWS, """
        d = DequantizeLinear(x, s, z) a = DequantizeLinear(x, s, z) c = Add(d, a) q = QuantizeLinear(c, s3, z3)
        l = DequantizeLinear(q, s3, z3) r = DequantizeLinear(q, s3, z3) m = Mul(l, r) y = QuantizeLinear(m, s2, z2)"""),
}  # fmt: skip

REALS = {
    "saturation is a choice of float8 alone": ("float[2,3] x => uint8[m,n] y", "y = QuantizeLinear<saturate=0>(x, s, z)"),
    "quantize": ("float[2,3] x => uint8[m,n] y", "y = QuantizeLinear(x, s, z)"),
    "quantize, no zero point": ("float[2,3] x => uint8[m,n] y", "y = QuantizeLinear(x, s)"),
    "quantize to int16": ("float[2,3] x => int16[m,n] y", "y = QuantizeLinear<output_dtype=5>(x, s)"),
    "quantize, channels": ("float[2,3] x => int8[m,n] y", "y = QuantizeLinear<axis=-1>(x, sw, zw)"),
    "quantize, one of one": ("float[2,3] x => uint8[m,n] y", "y = QuantizeLinear(x, one)"),
    "quantize, scale at run time": ("float[2,3] x, float t => uint8[m,n] y", "y = QuantizeLinear(x, t, z)"),
    "dequantize, channels": ("uint8[2,3] x => float[m,n] y", "y = DequantizeLinear(x, sw, zu)"),
    "dequantize int32": ("int32[2,3] x => float[m,n] y", "y = DequantizeLinear(x, s)"),
    "dequantize, scale at run time": ("uint8[2,3] x, float[3] t => float[m,n] y", "y = DequantizeLinear(x, t, zu)"),
    "dequantize to half": ("uint8[2,3] x => float16[m,n] y", "y = DequantizeLinear(x, half, z)"),
    "dynamic": ("float[2,3] x => uint8[m,n] y, float s0, uint8 z0", "y, s0, z0 = DynamicQuantizeLinear(x)"),
    "matmul integer": ("uint8[2,4] x => int32[m,n] y", "y = MatMulInteger(x, wi, z)"),
    "matmul integer, columns": ("uint8[2,4] x => int32[m,n] y", "y = MatMulInteger(x, wu, z, zu)"),
    "matmul integer, at run time": ("uint8[2,4] x, uint8 t => int32[m,n] y", "y = MatMulInteger(x, wi, t)"),
    "conv integer": ("uint8[1,2,6,5] x => int32[n,c,h,w] y", "y = ConvInteger<pads=[1,1,1,1]>(x, wp, z, z2)"),
    "matmul integer to float": ("uint8[2,4] x => float[m,n] y",
                                "y = com.microsoft.MatMulIntegerToFloat(x, wi, s, sw, z, zw, sw)"),
    "dynamic quantize matmul": ("float[2,4] x => float[m,n] y", "y = com.microsoft.DynamicQuantizeMatMul(x, wi, s, zz)"),
}  # fmt: skip


def quantized(models, signature, body, opset=21):
    """A model of a body, with the constants it names."""
    proto = models.of(opset, signature, body, imports=MS)
    read = {i for n in proto.graph.node for i in n.input}
    for name in sorted(read & INITIALIZERS.keys()):
        proto.graph.initializer.append(numpy_helper.from_array(np.asarray(INITIALIZERS[name]), name))
    return proto


def samples(proto):
    """Every kind of value for the inputs: all codes, reals with ties."""
    arrays = []
    for i in proto.graph.input:
        shape = [d.dim_value for d in i.type.tensor_type.shape.dim]
        kind = onnx.helper.tensor_dtype_to_np_dtype(i.type.tensor_type.elem_type)
        if kind == np.float32:
            arrays.append(np.asarray(np.abs(RNG.standard_normal(shape)) + 0.01, f32))
        elif kind == np.bool_:
            arrays.append(RNG.integers(0, 2, shape).astype(bool))
        else:
            arrays.append(np.asarray(RNG.integers(0, 256, shape), kind))
    return arrays


def lowered(proto):
    """The integer program of a model."""
    ctx = make_context()
    module = import_onnx(proto, ctx)
    run(parse("simplify,quantize-lower,canonicalize,cse,dce"), module, ctx)
    module.verify()
    return module, store_of(ctx)


@pytest.mark.parametrize("case", INTEGERS)
def test_integer_operators(models, case):
    proto = quantized(models, *INTEGERS[case])
    arrays = samples(proto)
    (theirs,) = models.reference(proto, arrays)
    (ours,) = models.run(proto, arrays)
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    module, store = lowered(proto)
    assert not any("f32" in str(v.type) for op in main_function(module).body.block.ops for v in op.results)
    (integers,) = evaluate(module, arrays, store)
    assert np.abs(integers.astype(int) - theirs).max() <= 1


@pytest.mark.parametrize("case", REALS)
def test_between_integers_and_reals(models, case):
    proto = quantized(models, *REALS[case])
    models.check(proto, arrays=samples(proto))


WRONG = {
    "zero point of another type": ("y = QuantizeLinear<output_dtype=3>(x, s, z) d = DequantizeLinear(y, s, zi)", "E0427",
                                   "expected ui8 as input 'x_zero_point', not i8."),
    "scales for another axis": ("y = QuantizeLinear<axis=0>(x, sw, zw)", "E0442",
                                "expected input 'y_scale' of shape [2], not [3]."),
    "no such axis": ("y = QuantizeLinear<axis=2>(x, sw, zw)", "E0413", "expected an axis in [-2, 1], not 2."),
    "scales of the wrong type": ("y = QLinearMatMul(x, s, z, wi, sw, zw, s3, z3)", "E0427", "expected f32 as input 'a_zero_point'"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_errors(models, case):
    body, code, text = WRONG[case]
    with pytest.raises(DnncError) as e:
        models.run(quantized(models, "float[2,3] x => uint8[m,n] y", body), [])
    assert text in str(e.value) and f"[{code}]" in str(e.value)


def test_weights_are_stored_once(models):
    """Two readers of one initializer, in two types: one entry of the store."""
    body = """k = DequantizeLinear<axis=1>(wi, sw, zw) l = DequantizeLinear(wi, s, zz) c = MatMul(x, k) d = MatMul(x, l)
        y = Add(c, d)"""
    ctx = make_context()
    module = import_onnx(quantized(models, "float[2,4] x => float[m,n] y", body), ctx)
    keys = [op.key.data for op in module.walk() if getattr(op, "key", None)]
    assert keys == ["wi", "wi"] and store_of(ctx)["wi"].dtype == np.int8


def test_simplify_keeps_integers(models):
    """After simplify the only large constants are the integers of the model."""
    proto = quantized(models, *INTEGERS["qdq conv"])
    ctx = make_context()
    module = import_onnx(proto, ctx)
    run(parse("simplify"), module, ctx)
    kinds = {str(op.results[0].type.element_type) for op in module.walk() if op.name == "dnn.const"}
    assert all(k.startswith("!dnn.q") for k in kinds), kinds


def test_rounding_of_the_runtime_is_kept(models):
    module, _ = lowered(quantized(models, *INTEGERS["qlinear conv"]))
    roundings = [op.rounding.data for op in module.walk() if op.name == "dnn.requantize"]
    assert roundings == ["f32_half_even"]


def test_constants_in_blocks_and_float8_keep_their_codes():
    rng = np.random.default_rng(0)
    w = rng.integers(-8, 8, (64, 10)).astype(ml_dtypes.int4)
    scale, zero = (
        rng.uniform(0.01, 0.1, (2, 10)).astype(np.float32),
        rng.integers(-2, 2, (2, 10)).astype(ml_dtypes.int4),
    )
    small, of_small = (
        rng.normal(size=(10, 6)).astype(ml_dtypes.float8_e4m3fn),
        rng.uniform(0.5, 1, 6).astype(np.float32),
    )
    constants = {"w": w, "s": scale, "z": zero, "f": small, "t": of_small}
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["a"], axis=0, block_size=32),
        helper.make_node("MatMul", ["x", "a"], ["b"]),
        helper.make_node("DequantizeLinear", ["f", "t"], ["c"], axis=1),
        helper.make_node("MatMul", ["b", "c"], ["y"]),
    ]
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", [3, 64]), ("y", [3, 6])))
    graph = helper.make_graph(nodes, "g", [x], [y], [numpy_helper.from_array(v, k) for k, v in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)])
    ctx = make_context()
    module = import_onnx(model, ctx)
    assert "!dnn.block<i4, [32, 1], [" in text_of(module) and "!dnn.scaled<f8E4M3FN, axis 1, [" in text_of(module)
    value = rng.normal(size=(3, 64)).astype(np.float32)
    spread = np.repeat(scale, 32, 0) * (w.astype(np.float32) - np.repeat(zero.astype(np.float32), 32, 0))
    exact = value @ spread @ (small.astype(np.float32) * of_small)
    np.testing.assert_allclose(evaluate(module, [value], store_of(ctx))[0], exact, rtol=1e-5, atol=1e-5)

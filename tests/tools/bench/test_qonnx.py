"""QONNX and FINN in standard operators, as the importer reads them; their integers differ only where a bias had to round."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from dnnc import api, pipelines
from dnnc.ir.dnn.contraction import ConvOp
from tools.bench import qonnx, ties

RNG = np.random.default_rng(3)
X = RNG.normal(0, 2, (1, 3, 16, 16)).astype(np.float32)
f = np.float32


def model(nodes, shape, constants):
    info = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    out = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)
    weights = [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()]
    domains = [helper.make_opsetid(d, 1) for d in {n.domain for n in nodes} - {""}]
    graph = helper.make_graph(nodes, "g", [info], [out], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11), *domains], ir_version=8)


def node(op, inputs, output, domain="qonnx.custom_op.general", **attributes):
    return helper.make_node(op, inputs.split(), [output], name=output, domain=domain, **attributes)


def narrow_network():
    """4-bit weights a channel, then 8 bits: one product is a good part of a step of the result."""
    w = RNG.normal(0, 1, (8, 3, 3, 3)).astype(f)
    scales = (np.abs(w).max((1, 2, 3), keepdims=True) / 7).astype(f)
    c = {"w": w, "ws": scales, "wb": f(4), "z": f(0), "xs": f(0.3), "xb": f(4), "b": RNG.normal(0, 1, 8).astype(f),
         "ys": f(0.05), "yb": f(8)}  # fmt: skip
    nodes = [
        node("Quant", "x xs z xb", "xq", signed=1, narrow=0),
        node("Quant", "w ws z wb", "wq", signed=1, narrow=1),
        node("Conv", "xq wq b", "c", domain="", pads=[1, 1, 1, 1]),
        node("Relu", "c", "r", domain=""),
        node("Quant", "r ys z yb", "y", signed=0, narrow=0),
    ]
    return model(nodes, X.shape, c)


def reference(proto, x):
    return ties.session(qonnx.standard(proto), False).run(None, {"x": x})[0]


def test_the_importer_reads_the_same_network():
    proto = narrow_network()
    ours = api.load(proto).run(X)[0]
    assert (np.abs(ours - reference(proto, X)) > 1e-6).mean() < 1e-3  # a step where float32 sums meet a tie


def test_thresholds_are_counted():
    t = np.array([[-0.5, 0.25, 1.0]], f)
    proto = model([node("MultiThreshold", "x t", "y", out_scale=2.0, out_bias=-3.0)], (1, 5), {"t": t})
    x = np.array([[-1, -0.5, 0, 0.25, 7]], f)
    np.testing.assert_array_equal(reference(proto, x), [[-3, -1, -1, 1, 3]])
    np.testing.assert_array_equal(api.load(proto).run(x)[0], reference(proto, x))


def test_a_bias_between_products_is_rounded_finely():
    """Weights of 4 bits are shifted up in their bytes by 4, so that the bias is off by 1/32 of a product of the model."""
    proto = qonnx.standard(narrow_network())
    walk = ties.Walk(proto, fused=False, real_bias=True)
    walk.add({"x": X})
    last = list(walk.layers.values())[-1]
    assert last.operator == "dnn.requantize" and last.unexplained == 0
    network = api.load(proto)
    pipelines.run_passes(network, "simplify,quantize-lower")
    (conv,) = (op for op in network.module.walk() if isinstance(op, ConvOp))
    product = 0.3 * numpy_helper.to_array(next(i for i in proto.graph.initializer if i.name == "wq_s"))
    np.testing.assert_allclose(conv.result.type.element_type.scale, product.reshape(-1) / 16, rtol=1e-6)


def test_a_wrong_bias_is_not_explained():
    """The bound is tight enough to see a bias that is off by 0.02, less than a product."""
    proto = qonnx.standard(narrow_network())
    (bias,) = (i for i in proto.graph.initializer if i.name == "b")
    moved = numpy_helper.to_array(bias) + f(0.02)
    shifted = type(proto)()
    shifted.CopyFrom(proto)
    next(i for i in shifted.graph.initializer if i.name == "b").CopyFrom(numpy_helper.from_array(moved, "b"))
    walk = ties.Walk(proto, fused=False, real_bias=True)
    walk.session = ties.session(ties.showing(shifted, walk.names), False)
    walk.add({"x": X})
    assert list(walk.layers.values())[-1].unexplained > 0

"""Small models written in ONNX's text form, run by dnnc and by onnxruntime."""

import numpy as np
import onnx
import onnx.parser
import onnxruntime as ort
import pytest
from onnx import helper

from dnnc.frontend.onnx import import_onnx
from dnnc.ir.context import make_context
from dnnc.ir.interpret import evaluate
from dnnc.ir.weights import store_of


def model(opset, signature, body, functions="", ir=8, imports=""):
    """`model(13, "float[2,3] x => float[2,3] y", "y = Relu(x)")`."""
    inputs, _, outputs = signature.partition("=>")
    head = f'<ir_version: {ir}, opset_import: ["" : {opset}{imports}]>'
    return onnx.parser.parse_model(f"{head}\ng ({inputs}) => ({outputs}) {{ {body} }}\n{functions}")


def random_inputs(proto, seed=0):
    """Arrays for a model's inputs: normal floats, integers of -5 to 5 (0 to 5 unsigned), booleans."""
    rng = np.random.default_rng(seed)
    constants = {t.name for t in proto.graph.initializer}
    arrays = []
    for i in proto.graph.input:
        if i.name in constants:
            continue
        t = i.type.tensor_type
        shape = [d.dim_value for d in t.shape.dim]
        kind = helper.tensor_dtype_to_np_dtype(t.elem_type)
        if np.issubdtype(kind, np.floating):
            arrays.append(rng.standard_normal(shape).astype(kind))
        elif kind == np.bool_:
            arrays.append(rng.integers(0, 2, shape).astype(bool))
        else:
            arrays.append(rng.integers(0 if kind.kind == "u" else -5, 6, shape).astype(kind))
    return arrays


def reference(proto, arrays):
    """Outputs by onnxruntime, without its optimizations."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip([i.name for i in session.get_inputs()], arrays)))


def run(proto, arrays, dims=None):
    """Outputs by dnnc."""
    ctx = make_context()
    module = import_onnx(proto, ctx, dims)
    module.verify()
    return evaluate(module, arrays, store_of(ctx))


def agree(ours, theirs, rtol=1e-5):
    """The same types, shapes and values."""
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-6)


class Models:
    """What the tests of this folder share."""

    of = staticmethod(model)
    inputs = staticmethod(random_inputs)
    reference = staticmethod(reference)
    run = staticmethod(run)
    agree = staticmethod(agree)

    def check(self, proto, rtol=1e-5, arrays=None):
        """Dnnc and onnxruntime agree on random inputs."""
        arrays = random_inputs(proto) if arrays is None else arrays
        agree(run(proto, arrays), reference(proto, arrays), rtol)


@pytest.fixture(scope="session")
def models():
    """Builders and runners of small models."""
    return Models()

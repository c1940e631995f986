"""Networks of one recurrent layer with weights that make its gates move, in float and in integers."""

import numpy as np
import onnx.parser

from dnnc.frontend.onnx import import_onnx
from dnnc.ir.context import make_context
from dnnc.ir.weights import store_of
from dnnc.passes import pipeline
from dnnc.passes.calibrate import calibrate

IN, UNITS = 6, 8
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def model(operator, steps, attributes="", seed=0):
    """A network of one recurrent layer whose weights make its gates move, its states as outputs."""
    rng, g, d = np.random.default_rng(seed), GATES[operator] * UNITS, 2 if "bidirectional" in attributes else 1
    constants = {"w": (d, g, IN), "r": (d, g, UNITS), "b": (d, 2 * g)}
    outputs = ["y", "h", "c"][: 3 if operator == "LSTM" else 2]
    body = f"{', '.join(outputs)} = {operator}<hidden_size={UNITS}{attributes}>(x, w, r, b)"
    given = ", ".join(f"float[{','.join('abcd'[: 4 if o == 'y' else 3])}] {o}" for o in outputs)
    text = f'<ir_version: 9, opset_import: ["" : 14]> g (float[{steps},2,{IN}] x) => ({given}) {{ {body} }}'
    network = onnx.parser.parse_model(text)
    for name, shape in constants.items():
        array = (rng.normal(size=shape) * (0.3 if name == "r" else 0.8)).astype(
            np.float32
        )  # no chaos between the units
        network.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return network


def samples(steps, count, seed=1):
    rng = np.random.default_rng(seed)
    return [[rng.normal(size=(steps, 2, IN)).astype(np.float32)] for _ in range(count)]


def programs(operator, steps, attributes=""):
    """The network in float, with quantized types between float operations, and in integers."""
    ctx = make_context()
    module = import_onnx(model(operator, steps, attributes), ctx)
    pipeline.run(pipeline.parse("simplify"), module, ctx)
    calibrate(module, store_of(ctx), samples(steps, 16))
    typed = module.clone()
    pipeline.run(pipeline.parse("quantize"), typed, ctx)
    integers = module.clone()
    pipeline.run(pipeline.parse("int8"), integers, ctx)
    return module, typed, integers, ctx


CASES = [("LSTM", ""), ("LSTM", ", input_forget=1"), ("GRU", ""), ("GRU", ", linear_before_reset=1"), ("RNN", "")]

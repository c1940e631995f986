"""Networks of one recurrent layer and a head, in both directions and one: the weights make the gates move, and no more."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from onnx import ModelProto, numpy_helper
from onnx.parser import parse_model

STEPS, BATCH, IN, UNITS, CLASSES = 12, 2, 10, 16, 5
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}


def networks() -> Iterator[tuple[str, ModelProto]]:
    """Every kind of layer in every direction, by name: states and classes of every step are outputs."""
    for operator in GATES:
        for direction in DIRECTIONS:
            yield f"{operator.lower()}-{direction}", network(operator, direction)


def network(operator: str, direction: str, seed: int = 0) -> ModelProto:
    """A layer that reads [steps, batch, inputs], and a product with what it gives at each step."""
    rng, d, gates = np.random.default_rng(seed), DIRECTIONS[direction], GATES[operator] * UNITS
    attributes = f'hidden_size={UNITS}, direction="{direction}"'
    shapes = {"w": (d, gates, IN), "r": (d, gates, UNITS), "b": (d, 2 * gates), "v": (d * UNITS, CLASSES)}
    states = ["h", "c"] if operator == "LSTM" else ["h"]
    given = ", ".join(f"float[{d},{BATCH},{UNITS}] {s}" for s in states)
    model = parse_model(f"""<ir_version: 9, opset_import: ["" : 17]>
    {operator.lower()} (float[{STEPS},{BATCH},{IN}] x) => (float[{STEPS},{BATCH},{CLASSES}] scores, {given})
      <int64[3] shape = {{{STEPS}, {BATCH}, {d * UNITS}}}> {{
      y, {", ".join(states)} = {operator}<{attributes}>(x, w, r, b)
      t = Transpose<perm=[0, 2, 1, 3]>(y)
      features = Reshape(t, shape)
      scores = MatMul(features, v)
    }}""")
    for name, shape in shapes.items():
        array = rng.normal(0, 1 / np.sqrt(shape[-1]), shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    return model

"""Loops of .dnn: functions as steps, the recurrent layers that come with the language, and mistakes."""

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from dnnc.frontend.dsl import dnn_text, parse_dnn
from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import DnncError, UnsupportedError
from dnnc.ir.interpret import evaluate
from dnnc.ir.weights import store_of

RUNNING_SUM = """
def add_up(total, x, factor) {
  sum = total * factor + x
  return sum, sum
}
input x: f32[4, 3]
last, all = scan(add_up, states=[zeros(f32[3])], sequences=[x], fixed=[const(0.5, f32[])]REVERSE)
output last, all
"""


def outputs(text, *arrays):
    ctx = make_context()
    return evaluate(parse_dnn(text, ctx), list(arrays), store_of(ctx))


@pytest.mark.parametrize("reverse", [False, True])
def test_a_function_is_called_once_a_step(reverse):
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    last, all_ = outputs(RUNNING_SUM.replace("REVERSE", ", reverse=true" if reverse else ""), x)
    total, want = np.zeros(3, np.float32), np.zeros_like(x)
    for t in reversed(range(4)) if reverse else range(4):
        total = want[t] = total * np.float32(0.5) + x[t]
    np.testing.assert_array_equal(last, total)
    np.testing.assert_array_equal(all_, want)


def test_a_loop_without_sequences_says_how_often():
    text = "def twice(x) { return x + x }\ninput x: f32[3]\ny = scan(twice, states=[x], steps=5)\noutput y"
    np.testing.assert_array_equal(outputs(text, np.ones(3, np.float32))[0], [32, 32, 32])


GATES = {"lstm": 4, "gru": 3, "rnn": 1}


def layer(name, reverse="false"):
    """Inputs of a recurrent layer, and its outputs on given x."""
    g, extra = GATES[name] * 5, ", c" if name == "lstm" else ""
    shapes = {"x": (4, 2, 3), "w": (g, 3), "r": (g, 5), "b": (g,)}
    arrays = {k: np.random.default_rng(i).normal(size=s).astype(np.float32) for i, (k, s) in enumerate(shapes.items())}
    inputs = "".join(f"input {k}: f32{list(s)}\n" for k, s in shapes.items())
    text = f"{inputs}y, h{extra} = {name}(x, w, r, bias=b, reverse={reverse})\noutput y, h{extra}"
    return arrays, lambda x: outputs(text, x, *list(arrays.values())[1:])


@pytest.mark.parametrize("name", GATES)
def test_layers_of_the_language_are_those_of_onnx(name):
    arrays, run = layer(name)
    got = run(arrays["x"])
    node = onnx.helper.make_node(name.upper(), list("xwrb"), ["y", "h", "c"][: len(got)], hidden_size=5)
    value = lambda n: onnx.helper.make_tensor_value_info(n, 1, None)  # noqa: E731
    graph = onnx.helper.make_graph([node], "g", list(map(value, "xwrb")), [value(n) for n in node.output])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 14)])
    b = np.concatenate([arrays["b"], np.zeros_like(arrays["b"])])
    fed = {"x": arrays["x"], "w": arrays["w"][None], "r": arrays["r"][None], "b": b[None]}
    y, *states = ReferenceEvaluator(model).run(None, fed)
    for a, want in zip(got, [y[:, 0], *(s[0] for s in states)]):
        np.testing.assert_allclose(a, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", GATES)
def test_a_reversed_layer_starts_at_the_end(name):
    arrays, forward = layer(name)
    _, backward = layer(name, "true")
    y, *states = forward(arrays["x"][::-1].copy())
    for a, want in zip(backward(arrays["x"]), [y[::-1], *states]):
        np.testing.assert_array_equal(a, want)


MISTAKES = {
    "a = scan(g, states=[x], sequences=[x])": "5:10: expected the name of a function of this file as step of scan.",
    "a = scan(f, states=[x], sequence=[x])":
        "5:25: expected an argument of scan (step, states, sequences, fixed, steps or reverse), not 'sequence'. "
        "Did you mean 'sequences'? [E0307]",
    "a = scan(states=[x])": "5:5: expected 'step' for scan, not given.",
    "a = scan(f, f, states=[x])": "5:13: expected 'step' of scan once, not twice.",
    "a = scan(f, states=[x])": "5:5: expected sequences of rank 1 or more, or steps.",
    "a = scan(f, states=[x], steps=1.5)": "5:31: expected a whole number of steps, not 1.5.",
    "a = scan(f, states=[x], steps=2)":
        "5:5: expected a function of 1 parameters (states, slices, fixed), not f of 2. [E0310]",
    "a = scan(f, states=[x, x, x], sequences=[], steps=2)":
        "5:5: expected a function of 3 parameters (states, slices, fixed), not f of 2. [E0310]",
    "a = scan(f, states=[x, x], steps=2)":
        "5:5: expected f to return the next states first, 2 of them, not 1. [E0312]",
}  # fmt: skip


@pytest.mark.parametrize("line", MISTAKES)
def test_mistakes(line):
    text = f"def f(h, z) {{\n  return h + z\n}}\ninput x: f32[3, 4]\n{line}\noutput a"
    with pytest.raises(DnncError) as error:
        parse_dnn(text, make_context())
    assert MISTAKES[line] in str(error.value)


def test_a_loop_is_not_written_back():
    module = parse_dnn(RUNNING_SUM.replace("REVERSE", ""), make_context())
    with pytest.raises(UnsupportedError, match=r"expected an operation .dnn has a form for, not 'dnn.scan' as it is."):
        dnn_text(module)

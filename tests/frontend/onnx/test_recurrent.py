"""LSTM, GRU and RNN in every form against onnxruntime, Loop and Scan settled or imported as scans, and what is refused."""

import numpy as np
import pytest

from dnnc.frontend.onnx import import_onnx
from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import DnncError
from dnnc.ir.dnn.recurrent import ScanOp

STEPS, BATCH, IN, UNITS = 4, 2, 3, 5
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
LENGTHS = "l = Constant<value_ints=[3,4]>() n = Cast<to=6>(l) "


def signature(operator, directions=1, states=0, peephole=False, initial="", outputs="y, u"):
    g = GATES[operator] * UNITS
    given = f"float[{STEPS},{BATCH},{IN}] x, float[{directions},{g},{IN}] w, float[{directions},{g},{UNITS}] r"
    given += f", float[{directions},{2 * g}] b"
    given += "".join(f", float[{directions},{BATCH},{UNITS}] {name}" for name in "hc"[:states])
    given += f", float[{directions},{3 * UNITS}] p" if peephole else ""
    return f"{given}{initial} => float[a,b,c,d] y, float[e,f,g] u" + (", float[i,j,k] v" if "v" in outputs else "")


CASES = {
    "lstm": (signature("LSTM", outputs="y, u, v"), "y, u, v = LSTM<hidden_size=5>(x, w, r, b)"),
    "lstm, all": (signature("LSTM", 2, 2, True, outputs="y, u, v"), LENGTHS +
                  'y, u, v = LSTM<hidden_size=5, direction="bidirectional", clip=0.4>(x, w, r, b, n, h, c, p)'),
    "lstm, coupled": (signature("LSTM", states=2, outputs="y, u, v"),
                      'y, u, v = LSTM<hidden_size=5, direction="reverse", input_forget=1>(x, w, r, b, , h, c)'),
    "lstm, functions": (signature("LSTM", 2),
                        'y, u = LSTM<hidden_size=5, direction="bidirectional", activations=["HardSigmoid", "Softsign", "LeakyRelu",'
                        '"ScaledTanh", "Relu", "Affine"], activation_alpha=[0.3, 0.02, 0.9, 0.8], '
                        "activation_beta=[0.4, 1.1, 0.1]>(x, w, r, b)"),
    "gru": (signature("GRU"), "y, u = GRU<hidden_size=5>(x, w, r, b)"),
    "gru, all": (signature("GRU", 2, 1), LENGTHS +
                 'y, u = GRU<hidden_size=5, direction="bidirectional", clip=0.5>(x, w, r, b, n, h)'),
    "gru, linear": (signature("GRU", 2, 1),
                    'y, u = GRU<hidden_size=5, direction="bidirectional", linear_before_reset=1>(x, w, r, b, , h)'),
    "rnn": (signature("RNN", 2, 1), LENGTHS +
            'y, u = RNN<hidden_size=5, direction="bidirectional", activations=["Relu", "Tanh"]>(x, w, r, b, n, h)'),
    "rnn, elu": (signature("RNN"), 'y, u = RNN<hidden_size=5, activations=["Elu"], activation_alpha=[0.5]>(x, w, r, b)'),
    "without bias": (f"float[{STEPS},{BATCH},{IN}] x, float[1,20,{IN}] w, float[1,20,5] r => float[a,b,c,d] y",
                     "y = LSTM<hidden_size=5>(x, w, r)"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_against_onnxruntime(models, name):
    models.check(models.of(14, *CASES[name]))


def test_lengths_may_be_known_at_run_time_only(models):
    known = models.of(14, signature("LSTM"), LENGTHS + "y, u = LSTM<hidden_size=5>(x, w, r, b, n)")
    given = models.of(14, signature("LSTM", initial=f", int32[{BATCH}] n"), "y, u = LSTM<hidden_size=5>(x, w, r, b, n)")
    arrays = models.inputs(known)
    for a, b in zip(models.run(known, arrays), models.run(given, [*arrays, np.array([3, 4], np.int32)])):
        np.testing.assert_array_equal(a, b)


def test_the_batch_may_come_first(models):
    """No engine at hand runs layout 1: it is the other layout between transposes."""
    shapes = [(STEPS, BATCH, IN), (2, 15, IN), (2, 15, UNITS), (2, 30), (2, BATCH, UNITS)]
    x, w, r, b, h = (np.random.default_rng(i).normal(size=s).astype(np.float32) for i, s in enumerate(shapes))
    attributes = 'hidden_size=5, direction="bidirectional"'
    plain = models.of(14, signature("GRU", 2, 1), f"y, u = GRU<{attributes}>(x, w, r, b, , h)")
    swapped = signature("GRU", 2, 1).replace(f"[{STEPS},{BATCH},", f"[{BATCH},{STEPS},").replace(
        f"float[2,{BATCH},{UNITS}] h", f"float[{BATCH},2,{UNITS}] h"
    )  # fmt: skip
    other = models.of(14, swapped, f"y, u = GRU<{attributes}, layout=1>(x, w, r, b, , h)")
    y, u = models.run(plain, [x, w, r, b, h])
    y1, u1 = models.run(other, [x.swapaxes(0, 1), w, r, b, h.swapaxes(0, 1)])
    np.testing.assert_array_equal(y1, y.transpose(2, 0, 1, 3))
    np.testing.assert_array_equal(u1, u.transpose(1, 0, 2))


def test_a_direction_is_one_scan(models):
    body = 'y, u, v = LSTM<hidden_size=5, direction="bidirectional">(x, w, r, b)'
    module = import_onnx(models.of(14, signature("LSTM", 2, outputs="y, u, v"), body), make_context())
    scans = [op for op in module.walk() if isinstance(op, ScanOp)]
    assert [(op.steps.data, op.reverse is not None) for op in scans] == [(STEPS, False), (STEPS, True)]


WRONG = {
    "node 'y': LSTM: expected recurrent weights of shape [1, 16, 4], not [1, 20, 5]. [E0442]":
        "y, u, v = LSTM<hidden_size=4>(x, w, r, b)",
    "node 'y': LSTM: expected recurrent weights of shape [2, 20, 5], not [1, 20, 5]. [E0442]":
        'y, u, v = LSTM<hidden_size=5, direction="bidirectional">(x, w, r, b)',
    "node 'y': LSTM: expected weights of shape [1, 20, 3], not [1, 20, 5]. [E0442]":
        "y, u, v = LSTM<hidden_size=5>(x, r, r, b)",
    "node 'y': LSTM: expected input 'X' of rank 3, not 2. [E0418]": "y, u, v = LSTM<hidden_size=5>(b, w, r, b)",
    "node 'y': LSTM: expected 3 activations, not 1. [E0434]":
        'y, u, v = LSTM<hidden_size=5, activations=["Tanh"]>(x, w, r, b)',
    "node 'y': LSTM (opset 14): expected activations among affine, elu, hardsigmoid, leakyrelu, relu, scaledtanh, sigmoid, "
    "softplus, softsign, tanh, thresholdedrelu, not 'step'. [E0207]":
        'y, u, v = LSTM<hidden_size=5, activations=["Step", "Tanh", "Tanh"]>(x, w, r, b)',
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_or_refused(models, text):
    with pytest.raises(DnncError) as error:
        import_onnx(models.of(14, signature("LSTM", outputs="y, u, v"), WRONG[text]), make_context())
    assert text in str(error.value)


def scanned(axes="", body="n = Mul(h, f) s = Add(n, t) o = Neg(s)"):
    """A Scan over x [4, 3] with a state h [3] and a value f from outside."""
    inner = f"step (float[3] h, float[3] t) => (float[3] s, float[3] o) {{ {body} }}"
    signature = "float[3] h0, float[4,3] x, float[3] f => float[3] last, float[a,b] y"
    return 16, signature, f"last, y = Scan<body = {inner}, num_scan_inputs = 1{axes}>(h0, x)"


@pytest.mark.parametrize(
    "axes", ["", ", scan_input_directions=[1]", ", scan_output_axes=[1], scan_output_directions=[1]"]
)
def test_scan_against_onnxruntime(models, axes):
    models.check(models.of(*scanned(axes)))


def test_a_scan_whose_state_changes_its_shape(models):
    body = "n = Mul(h, f) s = Concat<axis=0>(n, t) o = Neg(t)"
    with pytest.raises(DnncError) as error:
        import_onnx(models.of(*scanned(body=body)), make_context())
    assert "'dnn.scan' expected next states of the types (tensor<3xf32>), not (tensor<6xf32>). [E0412]" in str(
        error.value
    )

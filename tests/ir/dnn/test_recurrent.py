"""A scan against its loop written out, and its text and rules."""

import numpy as np
import pytest

from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.weights import store_of

# h' = h * a + x, y = h' - x: two results of which the second is stacked.
BODY = """ {
  ^bb0(%h: tensor<3xf32>, %x: tensor<3xf32>, %f: tensor<3xf32>):
    %p = dnn.mul %h, %f : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
    %n = dnn.add %p, %x : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
    %y = dnn.sub %n, %x : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
    dnn.yield %n, %y : tensor<3xf32>, tensor<3xf32>
  } : (tensor<3xf32>, tensor<4x3xf32>, tensor<3xf32>) -> (tensor<3xf32>, tensor<4x3xf32>)"""
MAIN = """func.func @main(%a: tensor<3xf32>, %b: tensor<4x3xf32>, %c: tensor<3xf32>) -> (tensor<3xf32>, tensor<4x3xf32>) {
  %r:2 = dnn.scan [%a], [%b], [%c] steps = 4"""
END = "\n  func.return %r#0, %r#1 : tensor<3xf32>, tensor<4x3xf32>\n}"


@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_is_its_loop(program, reverse):
    module, ctx = program(MAIN + (" reverse" if reverse else "") + BODY + END)
    h, x, f = (np.random.default_rng(i).normal(size=s).astype(np.float32) for i, s in enumerate([3, (4, 3), 3]))
    last, stacked = evaluate(module, [h, x, f], store_of(ctx))
    y = np.zeros_like(x)
    for t in reversed(range(4)) if reverse else range(4):
        h = h * f + x[t]
        y[t] = h - x[t]
    np.testing.assert_array_equal(last, h)
    np.testing.assert_array_equal(stacked, y)


def test_work_is_that_of_all_steps(program):
    module, _ = program(MAIN + BODY + END)
    work = main_function(module).body.block.first_op.work()  # pyright: ignore
    assert (work.macs, work.ops, work.elements) == (0, 4 * 9, 4 * 9)

"""The test a program carries along finds nothing wrong with it, and does find what is wrong."""

import subprocess

import numpy as np
import pytest

from dnnc.backends.c.self_test import Case, write_self_test
from dnnc.backends.c.target import Options, emit, write
from dnnc.ir.dnn.contraction import MatmulOp
from dnnc.ir.dnn.quantize import RequantizeOp
from dnnc.ir.interpret import evaluate
from dnnc.ir.types import I8, QuantType

STRICT = ("-std=c99", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Werror")


def built(net, rng, real):
    """A matrix product of floats or of integers: (program, a case)."""
    if real:
        x = net.input(rng.standard_normal((3, 20), np.float32))
        net.output("y", net.add(MatmulOp(x, net.const(rng.standard_normal((20, 7), np.float32)))))
    else:
        q = QuantType.per_tensor(I8, 0.1, 3), QuantType.per_tensor(I8, 0.02)
        x = net.input(rng.integers(-128, 128, (3, 20)).astype(np.int8), q[0])
        w = net.const(rng.integers(-127, 128, (20, 7)).astype(np.int8), q[1])
        product = MatmulOp(x, w)
        net.output("y", net.group(product, RequantizeOp(product.result, to=QuantType.per_tensor(I8, 0.5))))
    return Case(net.inputs, evaluate(net.module(), net.inputs, net.store))


def found(program, case, directory, *flags):
    """Exit status and text of the test of a program, compiled without a warning."""
    write(program, directory)
    write_self_test(program, [case, case], directory)
    command = ["cc", *STRICT, *flags, "net.c", "net_test.c", "-o", "net", "-lm"]
    subprocess.run(command, cwd=directory, check=True)
    done = subprocess.run(["./net"], cwd=directory, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("weights", ["inline", "file"])
def test_right_and_wrong_outputs(net, rng, tmp_path, real, weights):
    case = built(net, rng, real)
    program = emit(net.module(), net.ctx, "net", Options(weights=weights))
    assert program.interface.exact is not real
    assert found(program, case, tmp_path) == (0, "net: 0 values differ, as it should be\n")
    wrong = case.outputs[0].copy()
    wrong.flat[5] += wrong.dtype.type(1)
    wrong.flat[9] -= wrong.dtype.type(1)
    assert found(program, Case(case.inputs, [wrong]), tmp_path) == (1, "net: 4 values differ\n")


def test_floats_may_differ_a_little_and_integers_not(net, rng, tmp_path):
    case = built(net, rng, True)
    near = Case(case.inputs, [case.outputs[0] * np.float32(1 + 1e-6)])
    assert found(net.emit(), near, tmp_path)[0] == 0


def test_without_a_main(net, rng, tmp_path):
    case = built(net, rng, False)
    program = net.emit()
    (tmp_path / "device.c").write_text("long net_self_test(void);\nint main(void) { return (int)net_self_test(); }\n")
    assert found(program, case, tmp_path, "-DNET_TEST_NO_MAIN", "device.c") == (0, "")

"""A program as a caller sees it: files, header, status, memory, errors."""

import ctypes
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from dnnc.backends.c.data import literal_rows
from dnnc.backends.c.load import compile_and_load
from dnnc.backends.c.target import Options, emit, write
from dnnc.frontend.onnx import import_onnx
from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import DnncError, InternalError
from dnnc.ir.dnn.activation import ReluOp
from dnnc.ir.dnn.attributes import Window
from dnnc.ir.dnn.composite import SoftmaxOp
from dnnc.ir.dnn.contraction import ConvOp, MatmulOp
from dnnc.ir.dnn.movement import ConcatOp, ReshapeOp
from dnnc.ir.dnn.reduction import MaxPoolOp
from dnnc.ir.interpret import evaluate
from dnnc.ir.types import F32, tensor
from dnnc.ir.weights import store_of
from dnnc.passes import pipeline

MODELS = Path(__file__).parents[2] / "models"
FAST = ("-O1",)


def small(net, rng):
    """A network with branches, a concat and a head."""
    x = net.input(rng.standard_normal((1, 3, 12, 12), np.float32))
    branches = []
    for kernel in (1, 3):
        w = net.const(rng.standard_normal((4, 3, kernel, kernel), np.float32))
        conv = ConvOp(x, w, window=Window.of((kernel, kernel), pad=(kernel // 2,) * 4))
        branches.append(net.group(conv, ReluOp(conv.result)))
    both = net.add(ConcatOp(branches, axis=1))
    pooled = net.add(MaxPoolOp(both, window=Window.of((2, 2), (2, 2))))
    flat = net.add(ReshapeOp(pooled, shape=(1, 288)))
    logits = net.add(MatmulOp(flat, net.const(rng.standard_normal((10, 288), np.float32)), trans_b=True))
    net.output("y", net.add(SoftmaxOp(logits, axis=1)))
    return net


def test_same_module_same_bytes(net, rng):
    small(net, rng)
    a, b = net.emit(), net.emit()
    assert (a.source, a.header, bytes(a.weights)) == (b.source, b.header, bytes(b.weights))


def test_only_the_four_headers_and_no_allocation(net, rng):
    program = small(net, rng).emit()
    included = set(re.findall(r"#include (\S+)", program.source + program.header))
    assert included == {"<stddef.h>", "<stdint.h>", "<string.h>", "<math.h>", '"net.h"'}
    assert not re.search(r"\b(malloc|calloc|realloc|alloca|free)\b", program.source)


def test_header_states_what_a_caller_needs(net, rng):
    program = small(net, rng).emit("3 my-net")
    assert program.name == "n_3_my_net"
    assert program.arena_bytes == program.plan.peak
    for line in (
        f"#define N_3_MY_NET_ARENA_BYTES {program.plan.peak}u",
        "#define N_3_MY_NET_ARENA_ALIGN 64u",
        f"#define N_3_MY_NET_WEIGHTS_BYTES {program.weight_bytes}u",
        f"#define N_3_MY_NET_MACS {3 * 4 * 144 * (1 + 9) + 2880}ull",
        '#define N_3_MY_NET_INPUT0_NAME "input0"',
        "#define N_3_MY_NET_INPUT0_SHAPE {1, 3, 12, 12}",
        "#define N_3_MY_NET_OUTPUT0_BYTES 40u",
        "n_3_my_net_status n_3_my_net_run(void *arena, size_t arena_bytes, const float *in0, float *out0);",
    ):
        assert line in program.header.splitlines()


def test_every_layer_has_its_comment(net, rng):
    source = small(net, rng).emit().source
    assert "/* dnn.conv (1x3x12x12 f32, 4x3x3x3 f32) -> 1x4x12x12 f32 */\n/* dnn.relu (1x4x12x12 f32)" in source


def test_arena_reaches_the_liveness_bound(net, rng):
    program = small(net, rng).emit()
    assert program.arena_bytes - program.plan.lower_bound < 64  # one gap for alignment
    # the concat of both branches, the padded input of one of them and its scratch tile, all at once
    assert program.arena_bytes < 2 * 8 * 12 * 12 * 4 + 3 * 14 * 14 * 4


def test_status_of_a_wrong_arena(net, rng):
    program = small(net, rng).emit()
    run = compile_and_load(program, flags=FAST)
    memory = np.empty(program.arena_bytes + 128, np.uint8)
    base = -memory.ctypes.data % 64 + memory.ctypes.data
    x, y = net.inputs[0], np.empty((1, 10), np.float32)

    def status(arena, size, data=x.ctypes.data):
        return run._run(*map(ctypes.c_void_p, (arena, size, data, y.ctypes.data)))

    assert status(base, program.arena_bytes) == 0
    assert status(None, program.arena_bytes) == status(base, program.arena_bytes, None) == 1
    assert status(base, program.arena_bytes - 1) == 2
    assert status(base + 4, program.arena_bytes) == 3


def test_result_depends_on_inputs_only_and_the_arena_is_not_left(net, rng):
    """What the arena holds before does not matter, and bytes around it stay as they are."""
    program = small(net, rng).emit()
    run = compile_and_load(program, flags=FAST)
    memory = np.full(program.arena_bytes + 256, 0xFF, np.uint8)  # NaNs
    start = -memory.ctypes.data % 64 + 64
    run._arena = memory[start : start + program.arena_bytes]
    (first,) = run(*net.inputs)
    assert np.allclose(first, evaluate(net.module(), net.inputs, net.store)[0], atol=1e-6)
    assert (memory[:start] == 0xFF).all() and (memory[start + program.arena_bytes :] == 0xFF).all()
    assert np.array_equal(run(*net.inputs)[0], first)


def test_weights_in_a_file_give_the_same_bits(net, rng, tmp_path):
    inline, apart = small(net, rng).emit(), net.emit(options=Options(weights="file"))
    paths = write(apart, tmp_path)
    assert [p.name for p in paths] == ["net.h", "net.c", "net.bin"]
    assert paths[2].stat().st_size == apart.weight_bytes == inline.weight_bytes
    assert "const void *weights, const float *in0" in apart.header
    results = [compile_and_load(p, flags=FAST)(*net.inputs)[0] for p in (inline, apart)]
    assert np.array_equal(*results)


def test_weights_above_the_limit_go_to_a_file(net):
    w = net.const(np.broadcast_to(np.float32(0.5), (2100, 2100)))
    net.output("y", net.add(MatmulOp(net.input(np.ones((5, 2100), np.float32)), w)))
    program = net.emit()
    assert program.interface.weights_in_file and len(program.source) < 50_000
    assert np.allclose(compile_and_load(program, flags=FAST)(*net.inputs)[0], 1050)


def test_weights_keep_their_bits():
    data = bytes(range(256)) * 40 + b"??/0??=12"
    rows = list(literal_rows(data))
    assert all(row.isascii() and "??" not in row for row in rows)
    text = "".join(row[1:-1] for row in rows)
    assert re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), text).encode("latin-1") == data


def test_static_arena_and_plain_iso_c(net, rng, tmp_path):
    """The convenience function works, and so does the form without vector extensions."""
    program = small(net, rng).emit()
    write(program, tmp_path)
    main = '#define NET_STATIC_ARENA\n#include "net.c"\nint main(void) { static float x[432], y[10];\n'
    main += "return net_run_static(x, y) == NET_OK && y[0] > 0.09f && y[0] < 0.11f ? 0 : 1; }\n"
    (tmp_path / "main.c").write_text(main)
    for flags in ((), ("-DDNNC_VEC_BYTES=0",), ("-DDNNC_VEC_BYTES=16",)):
        command = ["cc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", *flags, "main.c", "-o", "main", "-lm"]
        subprocess.run(command, cwd=tmp_path, check=True)
        subprocess.run([tmp_path / "main"], check=True)


def test_missing_compiler_and_broken_text(net, rng):
    program = small(net, rng).emit()
    with pytest.raises(DnncError) as e:
        compile_and_load(program, cc="no-such-cc")
    assert str(e.value) == (
        "C compiler 'no-such-cc': expected a program of that name on the PATH, found none. "
        "Install gcc or clang, or name a compiler with cc=. [E0904]"
    )
    with pytest.raises(
        InternalError, match=r"net.c: expected the generated C to compile\. cc says: \[E0999\]\n.*nothing"
    ):
        compile_and_load(program, flags=("-Dfloat=nothing", "-O0"))


def test_wrong_inputs(net, rng):
    run = compile_and_load(small(net, rng).emit(), flags=FAST)
    with pytest.raises(DnncError) as e:
        run()
    assert str(e.value) == "inputs: expected 1 arrays, not 0. [E0121]"
    with pytest.raises(DnncError) as e:
        run(np.zeros((1, 3, 12), np.float64))
    assert str(e.value) == "input 0 'input0': expected 1x3x12x12 float32, not 1x3x12 float64. [E0121]"


def test_what_has_no_kernel_is_refused(net):
    from xdsl.dialects.builtin import TensorType
    from xdsl.irdl import irdl_op_definition, operand_def, result_def

    from dnnc.ir.dnn.base import DnnOp

    @irdl_op_definition
    class NewOp(DnnOp):
        """y = something new."""

        name = "dnn.new"
        x = operand_def(TensorType)
        result = result_def(TensorType)

        def infer(self):
            return tensor(F32, self.shape())

    net.output("y", net.add(NewOp(net.input(np.zeros(3, np.float32)))))
    with pytest.raises(NotImplementedError) as e:
        net.emit()
    assert str(e.value) == (
        "dnn.new: expected an operation the C backend writes, not 'dnn.new' on (f32). "
        "Decompose it before the C backend, or run it on the interpreter. [E0901]"
    )


def lenet(passes):
    ctx = make_context()
    module = import_onnx(str(MODELS / "lenet5.onnx"), ctx)
    pipeline.run(pipeline.parse(passes), module, ctx)
    return module, ctx


@pytest.mark.parametrize("passes", ["dce", "fuse"])
def test_lenet_agrees_with_the_interpreter(passes):
    module, ctx = lenet(passes)
    program = emit(module, ctx, "lenet")
    run = compile_and_load(program, flags=("-O2", "-std=c99", "-Wall", "-Wextra", "-Werror"))
    digits = np.load(MODELS / "digits_test.npz")
    images, labels = digits["x"][:, None], digits["labels"]
    for x in images[:5]:
        assert np.allclose(run(x)[0], evaluate(module, [x], store_of(ctx))[0], 1e-4, 1e-4)
    right = sum(int(run(x)[0].argmax()) == y for x, y in zip(images, labels))
    assert right == 399
    assert [p.name for p in program.inputs + program.outputs] == ["data", "ip2"]
    assert program.interface.macs == 2_293_000

"""The numpy meaning of operations against their formulas written out as loops, one element at a time."""

from itertools import product
from math import prod

import ml_dtypes
import numpy as np
import pytest

from dnnc.ir.dnn.base import Work
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.weights import store_of

RNG = np.random.default_rng(1)
KINDS = {
    "f32": np.float32,
    "f64": np.float64,
    "f16": np.float16,
    "i8": np.int8,
    "i32": np.int32,
    "i64": np.int64,
    "i1": np.bool_,
}


@pytest.fixture
def run(main_program):
    """`run("dnn.relu %a", x, result="2xf32")`: the result on arrays whose types are theirs, or given by `types`."""

    def run(line: str, *arrays: np.ndarray, result: str, types: list[str] | None = None) -> np.ndarray:
        names = {np.dtype(v): k for k, v in KINDS.items()} | {np.dtype(ml_dtypes.bfloat16): "bf16"}
        own = ["x".join([*map(str, a.shape), names.get(a.dtype, "")]) for a in arrays]
        module, ctx = main_program(line, *(f"tensor<{t}>" for t in types or own), result=f"tensor<{result}>")
        return evaluate(module, list(arrays), store_of(ctx))[0]

    return run


def work_of(main_program, line: str, *operands: str, result: str) -> Work:
    module, _ = main_program(line, *(f"tensor<{t}>" for t in operands), result=f"tensor<{result}>")
    return main_function(module).body.block.first_op.work()


def real(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def conv_by_loops(x, w, b, stride, pad, dilation, groups):
    """O[n][m][e][f] = B[m] + sum over k, i, j of I[n][k][U*e + i][U*f + j] * W[m][k][i][j]; also the number of products."""
    (n_, c, h, w_), (m_, ck, r, s) = x.shape, w.shape
    e_ = (h + pad[0] + pad[2] - (r - 1) * dilation[0] - 1) // stride[0] + 1
    f_ = (w_ + pad[1] + pad[3] - (s - 1) * dilation[1] - 1) // stride[1] + 1
    y, macs = np.zeros((n_, m_, e_, f_), np.float64), 0
    for n, m, e, f in product(range(n_), range(m_), range(e_), range(f_)):
        first = m // (m_ // groups) * (c // groups)
        y[n, m, e, f] = b[m]
        for k, i, j in product(range(ck), range(r), range(s)):
            macs += 1
            p, q = e * stride[0] + i * dilation[0] - pad[0], f * stride[1] + j * dilation[1] - pad[1]
            if 0 <= p < h and 0 <= q < w_:
                y[n, m, e, f] += float(x[n, first + k, p, q]) * float(w[m, k, i, j])
    return y, macs


CONVS = [((1, 1), (0, 0, 0, 0), (1, 1), 1), ((2, 1), (1, 0, 2, 1), (1, 2), 2), ((1, 3), (2, 2, 2, 2), (2, 1), 4)]


@pytest.mark.parametrize(("stride", "pad", "dilation", "groups"), CONVS)
def test_conv(run, main_program, stride, pad, dilation, groups):
    x, w, b = real(2, 4, 6, 7), real(4, 4 // groups, 3, 2), real(4)
    want, macs = conv_by_loops(x, w, b, stride, pad, dilation, groups)
    window = f"<[3, 2], stride {list(stride)}, pad {list(pad)}, dilation {list(dilation)}>"
    line = f"dnn.conv %a, %b, bias(%c) window = {window} groups = {groups}"
    result = "x".join(map(str, want.shape)) + "xf32"
    np.testing.assert_allclose(run(line, x, w, b, result=result), want, rtol=1e-5, atol=1e-5)
    shapes = ["2x4x6x7xf32", f"4x{4 // groups}x3x2xf32", "4xf32"]
    assert work_of(main_program, line, *shapes, result=result) == Work(macs, want.size, want.size)


def test_quantized_conv_is_exact(run):
    """Sums of (q - z) * w in int32, padding counted as zero: the zero point, not the value 0."""
    x = RNG.integers(-128, 128, (1, 3, 5, 5)).astype(np.int8)
    w = RNG.integers(-128, 128, (2, 3, 3, 3)).astype(np.int8)
    b = np.array([12345, -6789], np.int32)
    want, _ = conv_by_loops(x.astype(int) - 7, w, b, (1, 1), (1, 1, 1, 1), (1, 1), 1)
    types = ["1x3x5x5x!dnn.q<i8, 0.5, 7>", "2x3x3x3x!dnn.q<i8, axis 0, [0.5, 0.25]>", "2xi32"]
    got = run(
        "dnn.conv %a, %b, bias(%c) window = <[3, 3], pad [1, 1, 1, 1]>", x, w, b,
        types=types, result="1x2x5x5x!dnn.q<i32, axis 1, [0.25, 0.125]>",
    )  # fmt: skip
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got, want)


def test_conv_1d_and_3d(run):
    x, w = real(1, 2, 9), real(3, 2, 3)
    want, _ = conv_by_loops(x[:, :, None], w[:, :, None], np.zeros(3), (1, 2), (0, 1, 0, 0), (1, 1), 1)
    got = run("dnn.conv %a, %b window = <[3], stride [2], pad [1, 0]>", x, w, result="1x3x4xf32")
    np.testing.assert_allclose(got, want[:, :, 0], rtol=1e-5, atol=1e-6)
    x, w = real(1, 2, 1, 5, 5), real(2, 2, 1, 2, 2)
    want, _ = conv_by_loops(x[:, :, 0], w[:, :, 0], np.zeros(2), (1, 1), (0, 0, 0, 0), (1, 1), 1)
    got = run("dnn.conv %a, %b window = <[1, 2, 2]>", x, w, result="1x2x1x4x4xf32")
    np.testing.assert_allclose(got[:, :, 0], want, rtol=1e-5, atol=1e-6)


def test_conv_transpose_scatters(run, main_program):
    """O[n][m][U*x + i - pad] += I[n][k][x] * W[k][m][i]."""
    x, w, b = real(2, 4, 3, 4), real(4, 3, 3, 2), real(6)
    stride, dilation, groups, pad, extra = (2, 3), (1, 2), 2, (1, 0, 0, 2), (1, 0)
    full = [stride[d] * (x.shape[2 + d] - 1) + (w.shape[2 + d] - 1) * dilation[d] + 1 + extra[d] for d in (0, 1)]
    y, macs = np.zeros((2, 6, *full)), 0
    for n, k, m, p, q, i, j in product(range(2), range(4), range(3), range(3), range(4), range(3), range(2)):
        macs += 1
        out = k // 2 * 3 + m
        y[n, out, p * stride[0] + i * dilation[0], q * stride[1] + j * dilation[1]] += x[n, k, p, q] * w[k, m, i, j]
    y = y[:, :, pad[0] : full[0] - pad[2], pad[1] : full[1] - pad[3]] + b[:, None, None]
    window = f"<[3, 2], stride {list(stride)}, pad {list(pad)}, dilation {list(dilation)}>"
    line = f"dnn.conv_transpose %a, %b, bias(%c) window = {window} groups = {groups} output_pad = {list(extra)}"
    result = "x".join(map(str, y.shape)) + "xf32"
    np.testing.assert_allclose(run(line, x, w, b, result=result), y, rtol=1e-5, atol=1e-5)
    assert work_of(main_program, line, "2x4x3x4xf32", "4x3x3x2xf32", "6xf32", result=result) == Work(
        macs, y.size, y.size
    )


def test_matmul(run):
    a, b, c = real(5, 3, 2), real(4, 3), real(2, 1)
    got = run("dnn.matmul %a, %b, bias(%c) trans_a trans_b", a, b, c, result="5x2x4xf32")
    np.testing.assert_allclose(got, np.einsum("bki,jk->bij", a, b) + c, rtol=1e-5, atol=1e-6)
    v = real(3)
    np.testing.assert_allclose(run("dnn.matmul %a, %b", v, v, result="f32"), sum(v * v), rtol=1e-6)
    np.testing.assert_allclose(
        run("dnn.matmul %a, %b", v, real(2, 3, 4) * 0 + 1, result="2x4xf32"), np.full((2, 4), v.sum()), 1e-5
    )


@pytest.mark.parametrize("low", [0, -(2**31)])
def test_integer_matmul_is_exact(run, low: int):
    a = RNG.integers(low, 2**31, (3, 4)).astype(np.int32)
    b = RNG.integers(-5, 5, (4, 2)).astype(np.int32)
    want = (a.astype(object) @ b.astype(object)) % 2**32
    np.testing.assert_array_equal(
        run("dnn.matmul %a, %b", a, b, result="3x2xi32").astype(np.uint32), want.astype(np.uint32)
    )


def pool_by_loops(x, kernel, stride, pad, finish, size):
    """finish(list of the elements of each window that lie inside the input, elements of the window inside the padded input)."""
    y = np.zeros((*x.shape[:2], *size))
    h, w = x.shape[2:]
    for n, c, e, f in np.ndindex(*y.shape):
        inside, padded = [], 0
        for i, j in product(range(kernel[0]), range(kernel[1])):
            p, q = e * stride[0] + i - pad[0], f * stride[1] + j - pad[1]
            padded += p < h + pad[2] and q < w + pad[3]
            if 0 <= p < h and 0 <= q < w:
                inside.append(float(x[n, c, p, q]))
        y[n, c, e, f] = finish(inside, padded)
    return y


POOLS = {
    "max_pool": ("", lambda v, n: max(v)),
    "avg_pool": ("", lambda v, n: sum(v) / len(v)),
    "avg_pool ": (" count_pad", lambda v, n: sum(v) / n),
    "lp_pool": ("", lambda v, n: sum(x * x for x in v) ** 0.5),
    "lp_pool ": (" p = 3", lambda v, n: sum(abs(x) ** 3 for x in v) ** (1 / 3)),
}


@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize(("ceil", "size"), [(False, (3, 3)), (True, (4, 3))])
def test_pools(run, name: str, ceil: bool, size):
    x = real(2, 3, 7, 6)
    option, finish = POOLS[name]
    want = pool_by_loops(x, (3, 2), (2, 2), (1, 0, 0, 1), finish, size)
    window = f"<[3, 2], stride [2, 2], pad [1, 0, 0, 1]{', ceil' if ceil else ''}>"
    got = run(f"dnn.{name.strip()} %a window = {window}{option}", x, result=f"2x3x{size[0]}x{size[1]}xf32")
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_arg_max_pool_gives_flat_indices(run):
    x = RNG.permutation(2 * 2 * 5 * 4).reshape(2, 2, 5, 4).astype(np.float32)
    line = "dnn.arg_max_pool %a window = <[2, 2], stride [2, 2], pad [1, 0, 0, 0]>"
    index = run(line, x, result="2x2x3x2xi64")
    best = run(line.replace("arg_max_pool", "max_pool"), x, result="2x2x3x2xf32")
    np.testing.assert_array_equal(x.reshape(-1)[index], best)
    columns = run(line + " column_major", x, result="2x2x3x2xi64")
    np.testing.assert_array_equal(x.swapaxes(2, 3).reshape(-1)[columns], best)


def test_reductions(run):
    x = real(3, 4, 5)
    a = np.abs(x)
    cases = {
        "sum": (x, x.sum((0, 2))), "mean": (x, x.mean((0, 2))), "max": (x, x.max((0, 2))), "min": (x, x.min((0, 2))),
        "prod": (x, x.prod((0, 2))), "l1": (x, a.sum((0, 2))), "l2": (x, np.sqrt((x * x).sum((0, 2)))),
        "sum_square": (x, (x * x).sum((0, 2))), "log_sum": (a, np.log(a.sum((0, 2)))),
        "log_sum_exp": (x, np.log(np.exp(x).sum((0, 2)))),
    }  # fmt: skip
    for name, (operand, want) in cases.items():
        got = run(f"dnn.reduce_{name} %a axes = [0, 2]", operand, result="4xf32")
        np.testing.assert_allclose(got, want, rtol=2e-5, err_msg=name)
    for name, (operand, want) in cases.items():
        got = run(f"dnn.reduce_{name} %a axes = [0, 2] keepdims", operand, result="1x4x1xf32")
        np.testing.assert_allclose(got.ravel(), want, rtol=2e-5, err_msg=name)


def test_narrow_floats_are_summed_in_float32(run):
    x = np.full(4096, 1, np.float16)
    assert run("dnn.reduce_sum %a axes = [0]", x, result="f16") == 4096  # float16 alone would stop at 2048
    assert run("dnn.reduce_mean %a axes = [0]", x.astype(ml_dtypes.bfloat16), result="bf16") == 1


def test_arg_reductions_take_the_first_or_last(run):
    x = np.array([[3, 1, 3, 1]], np.float32)
    assert run("dnn.arg_max %a axis = 1", x, result="1xi64") == 0
    assert run("dnn.arg_max %a axis = -1 last", x, result="1xi64") == 2
    assert run("dnn.arg_min %a axis = 1", x, result="1xi64") == 1
    assert run("dnn.arg_min %a axis = 1 keepdims last", x, result="1x1xi64").tolist() == [[3]]


def test_cum_sum(run):
    x = np.array([1, 2, 3, 4], np.int32)
    cases = {"": [1, 3, 6, 10], "exclusive": [0, 1, 3, 6], "reverse": [10, 9, 7, 4], "exclusive reverse": [9, 7, 4, 0]}
    for options, want in cases.items():
        assert run(f"dnn.cum_sum %a axis = 0 {options}", x, result="4xi32").tolist() == want


def test_normalizations(run):
    x, s, t = real(2, 4, 3, 3), real(4), real(4)
    spread = (slice(None), None, None)

    def norm(v, axes):
        return (v - v.mean(axes, keepdims=True)) / np.sqrt(v.var(axes, keepdims=True) + 1e-5)

    close = lambda got, want: np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)  # noqa: E731
    shape = "2x4x3x3xf32"
    close(run("dnn.instance_norm %a, %b, %c", x, s, t, result=shape), norm(x, (2, 3)) * s[spread] + t[spread])
    grouped = norm(x.reshape(2, 2, 18), (2,)).reshape(x.shape)
    close(run("dnn.group_norm %a, %b, %c groups = 2", x, s, t, result=shape), grouped * s[spread] + t[spread])
    mean, var = real(4), np.abs(real(4))
    want = s[spread] * (x - mean[spread]) / np.sqrt(var[spread] + 1e-5) + t[spread]
    close(run("dnn.batch_norm %a, %b, %c, %d, %e", x, s, t, mean, var, result=shape), want)
    y = real(3, 4)
    close(run("dnn.layer_norm %a, %b, shift(%c)", y, s, t, result="3x4xf32"), norm(y, (1,)) * s + t)
    close(run("dnn.rms_norm %a, %b", y, s, result="3x4xf32"), y / np.sqrt((y * y).mean(1, keepdims=True) + 1e-5) * s)
    want = (x - x.mean((0, 2, 3), keepdims=True)) / (x.std((0, 2, 3), keepdims=True) + 1e-9)
    close(run("dnn.mean_variance_norm %a axes = [0, 2, 3]", x, result=shape), want)
    close(run("dnn.lp_norm %a axis = 0", y, result="3x4xf32"), y / np.sqrt((y * y).sum(0)))
    close(run("dnn.lp_norm %a axis = 1 p = 1", y * 0, result="3x4xf32"), y * 0)
    e = np.exp(y.astype(np.float64))
    close(run("dnn.softmax %a axis = 0", y, result="3x4xf32"), e / e.sum(0))
    close(run("dnn.log_softmax %a axis = 1", y, result="3x4xf32"), np.log(e / e.sum(1, keepdims=True)))
    assert run("dnn.hardmax %a axis = 1", np.float32([[1, 5, 5]]), result="1x3xf32").tolist() == [[0, 1, 0]]


def test_lrn(run):
    """y[c] = x[c] / (bias + alpha / size * sum of x[k]^2)^beta, k from c - floor((size-1)/2) to c + ceil((size-1)/2)."""
    x = real(2, 6, 2)
    for size in (1, 3, 4):
        want = np.empty_like(x)
        for c in range(6):
            around = x[:, max(0, c - (size - 1) // 2) : c + -(-(size - 1) // 2) + 1]
            want[:, c] = x[:, c] / (2 + 0.5 / size * (around**2).sum(1)) ** 0.75
        got = run(f"dnn.lrn %a size = {size} alpha = 0.5 bias = 2.0", x, result="2x6x2xf32")
        np.testing.assert_allclose(got, want, rtol=1e-5)


def test_movement(run):
    x = np.arange(2 * 3 * 4, dtype=np.int32).reshape(2, 3, 4)
    same = np.testing.assert_array_equal
    same(run("dnn.reshape %a shape = [4, 6]", x, result="4x6xi32"), x.reshape(4, 6))
    same(run("dnn.transpose %a perm = [2, 0, 1]", x, result="4x2x3xi32"), x.transpose(2, 0, 1))
    sliced = run("dnn.slice %a start = [1, 2, 0] size = [1, 2, 2] step = [1, -2, 3]", x, result="1x2x2xi32")
    same(sliced, x[1:2, 2::-2, 0::3])
    same(run("dnn.slice %a start = [0, 0, 0] size = [0, 3, 4]", x, result="0x3x4xi32"), x[:0])
    same(run("dnn.expand %a shape = [5, 2, 3, 4]", x, result="5x2x3x4xi32"), np.broadcast_to(x, (5, 2, 3, 4)))
    same(run("dnn.tile %a repeats = [2, 1, 3]", x, result="4x3x12xi32"), np.tile(x, (2, 1, 3)))
    same(run("dnn.concat [%a, %b] axis = -2", x, x[:, :1], result="2x4x4xi32"), np.concatenate([x, x[:, :1]], 1))
    same(
        run("dnn.pad %a before = [0, 1, 0] after = [1, 0, 2] value = 7.0", x, result="3x4x6xi32"),
        np.pad(x, ((0, 1), (1, 0), (0, 2)), constant_values=7),
    )
    index = np.array([[0, -1], [2, 1]])
    same(run("dnn.gather %a, %b axis = 1", x, index, result="2x2x2x4xi32"), np.take(x, index % 3, 1))
    assert run("dnn.shape %a start = -2", x, result="2xi64").tolist() == [3, 4]


@pytest.mark.parametrize("mode", ["dcr", "crd"])
def test_depth_to_space(run, mode: str):
    x = np.arange(2 * 8 * 2 * 3, dtype=np.float32).reshape(2, 8, 2, 3)
    got = run(f"dnn.depth_to_space %a block = 2 mode = {mode}", x, result="2x2x4x6xf32")
    for n, c, i, j, h, w in product(range(2), range(2), range(2), range(2), range(2), range(3)):
        channel = (i * 2 + j) * 2 + c if mode == "dcr" else c * 4 + i * 2 + j
        assert got[n, c, 2 * h + i, 2 * w + j] == x[n, channel, h, w]
    if mode == "dcr":
        np.testing.assert_array_equal(run("dnn.space_to_depth %a block = 2", got, result="2x8x2x3xf32"), x)


def test_quantize_and_back(run):
    x = np.array([-1e9, -0.75, -0.25, 0.25, 0.75, 1.25, 3.0, 1e9, np.nan, np.inf], np.float32)
    q = run("dnn.quantize %a to = !dnn.q<i8, 0.5, 3>", x, result="10x!dnn.q<i8, 0.5, 3>")
    assert q.tolist() == [-128, 1, 3, 3, 5, 5, 9, 127, 3, 127]  # ties to even, then clamped; NaN is zero
    back = run("dnn.dequantize %a", q, types=["10x!dnn.q<i8, 0.5, 3>"], result="10xf32")
    np.testing.assert_array_equal(back, 0.5 * (q.astype(np.float32) - 3))
    x = np.array([[1.0, 1.0], [2.0, 2.0]], np.float32)
    type_ = "2x2x!dnn.q<ui8, axis 1, [0.5, 0.25], [10, 20]>"
    assert run(f"dnn.quantize %a to = {type_[4:]}", x, result=type_).tolist() == [[12, 24], [14, 28]]


def test_elementwise_on_quantized_values_is_a_table(run):
    q = np.arange(-128, 128).astype(np.int8)
    type_ = "256x!dnn.q<i8, 0.05, 10>"
    got = run("dnn.tanh %a", q, types=[type_], result=type_)
    scale = float(np.float32(0.05))
    want = np.clip(np.rint(np.tanh(scale * (np.arange(-128, 128) - 10)) / scale) + 10, -128, 127)
    np.testing.assert_array_equal(got, want)


def test_casts(run):
    x = np.array([-1.9, 0.0, 0.5, 1e6], np.float32)
    assert run("dnn.cast %a to = i32", x, result="4xi32").tolist() == [-1, 0, 0, 1000000]
    assert run("dnn.cast %a to = i1", x, result="4xi1").tolist() == [True, False, True, True]
    assert run("dnn.cast %a to = f8E4M3FN", x, result="4xf8E4M3FN").astype(float).tolist() == [-1.875, 0, 0.5, 448]


def test_work_of_the_rest(main_program):
    assert work_of(main_program, "dnn.matmul %a, %b", "5x2x3xf32", "3x4xf32", result="5x2x4xf32") == Work(120, 0, 40)
    assert work_of(main_program, "dnn.relu %a", "2x3xf32", result="2x3xf32") == Work(0, 6, 6)
    assert work_of(main_program, "dnn.reshape %a shape = [6]", "2x3xf32", result="6xf32") == Work(0, 0, 6)
    pool = work_of(
        main_program, "dnn.max_pool %a window = <[2, 2], stride [2, 2]>", "1x3x4x4xf32", result="1x3x2x2xf32"
    )
    assert pool == Work(0, prod((3, 2, 2, 2, 2)), 12)


def test_the_layout_of_an_array_changes_no_bit(program):
    """A value that a transpose reads in other strides is rounded as the same numbers in rows are."""
    body = "%s = dnn.softmax {0} axis = 1 : (tensor<37x500xf32>) -> tensor<37x500xf32>\n func.return %s : tensor<37x500xf32>"
    turned = (
        "func.func @main(%x: tensor<500x37xf32>) -> tensor<37x500xf32> {\n"
        "%t = dnn.transpose %x perm = [1, 0] : (tensor<500x37xf32>) -> tensor<37x500xf32>\n" + body.format("%t") + "}"
    )
    plain = "func.func @main(%x: tensor<37x500xf32>) -> tensor<37x500xf32> {\n" + body.format("%x") + "}"
    x = RNG.normal(0, 3, (500, 37)).astype(np.float32)
    outputs = []
    for text, array in ((turned, x), (plain, np.ascontiguousarray(x.T)), (plain, x.T)):
        module, ctx = program(text)
        outputs.append(evaluate(module, [array], store_of(ctx))[0])
    assert outputs[0].tobytes() == outputs[1].tobytes() == outputs[2].tobytes()

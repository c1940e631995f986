"""Batch norms and scales after every kind of contraction, on random weights, against running them apart."""

import numpy as np
import pytest

from dnnc.ir.dnn.attributes import Reals
from dnnc.ir.dnn.composite import BatchNormOp
from dnnc.ir.dnn.elementwise import MulOp
from dnnc.ir.interpret import evaluate
from dnnc.ir.text import verify
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.calibrate import RANGE, range_of
from dnnc.passes.fold_batch_norm import FoldBatchNormPass

# contraction, input, weights, bias (or none), result, channels
CONTRACTIONS = [
    ("dnn.conv %a, %w, bias(%b) window = <[3, 3]> groups = 2", "2x4x5x5", "6x2x3x3", "6", "2x6x3x3", 6),
    ("dnn.conv %a, %w window = <[3], pad [1, 1]>", "1x2x8", "3x2x3", None, "1x3x8", 3),
    ("dnn.conv_transpose %a, %w, bias(%b) window = <[2, 2]> groups = 2", "1x4x3x3", "4x3x2x2", "6", "1x6x4x4", 6),
    ("dnn.matmul %a, %w, bias(%b)", "2x4", "4x5", "5", "2x5", 5),
    ("dnn.matmul %a, %w, bias(%b) trans_b", "2x4", "5x4", "1", "2x5", 5),
    ("dnn.matmul %a, %w, bias(%b) trans_a", "4x2", "4x5", "1x5", "2x5", 5),
]
AFTER = {
    "batch_norm": "dnn.batch_norm %y, %s, %t, %m, %v epsilon = 0.01 : (R, C, C, C, C) -> R",
    "scale": "dnn.mul %y, %s : (R, C) -> R",
}


def text_of(kind: str, line: str, x: str, w: str, b: str | None, y: str, channels: int, after: str) -> str:
    t = lambda shape: f"tensor<{shape}x{kind}>"  # noqa: E731
    rank = y.count("x") + 1
    scale = f"{channels}" + ("x1" * (rank - 2) if after == "scale" else "")
    types = ", ".join(t(s) for s in (x, w, b) if s)
    consts = {"w": w, "s": scale, "t": channels, "m": channels, "v": channels} | ({"b": b} if b else {})
    body = [f'%{n} = dnn.const key = "{n}" : () -> {t(s)}' for n, s in consts.items()]
    body.append(f"%y = {line} attributes {{dnn.range = #dnn.reals<[0.0, 1.0]>}} : ({types}) -> {t(y)}")
    body.append("%z = " + AFTER[after].replace("R", t(y)).replace("C", t(scale if after == "scale" else channels)))
    body.append(f"func.return %z : {t(y)}")
    return f"func.func @main(%a: {t(x)}) -> {t(y)} {{\n" + "\n".join(body) + "\n}"


def filled(text: str, program, rng: np.random.Generator):
    module, ctx = program(text, store := WeightStore())
    for op in module.walk():
        if op.name == "dnn.const":
            type_ = op.result.type
            kind = np.float64 if "f64" in str(type_) else np.float32
            store.add(op.key.data, np.asarray(rng.uniform(0.5, 2, type_.get_shape()), kind))
    return module, ctx


@pytest.mark.parametrize("kind", ["f32", "f64"])
@pytest.mark.parametrize("after", AFTER)
@pytest.mark.parametrize("case", CONTRACTIONS, ids=lambda c: c[0])
def test_folds(program, case, after: str, kind: str):
    rng = np.random.default_rng(11)
    module, ctx = filled(text_of(kind, *case, after), program, rng)
    x = rng.normal(size=[int(d) for d in case[1].split("x")]).astype(np.float64 if kind == "f64" else np.float32)
    before = evaluate(module, [x], store_of(ctx))[0]
    FoldBatchNormPass().apply(ctx, module)
    verify(module)
    assert not any(isinstance(op, (BatchNormOp, MulOp)) for op in module.walk())
    tolerance = 1e-5 if kind == "f32" else 1e-7  # epsilon is added as float32
    np.testing.assert_allclose(evaluate(module, [x], store_of(ctx))[0], before, rtol=tolerance, atol=tolerance)


def test_the_range_is_that_of_the_result(program):
    text = text_of("f32", *CONTRACTIONS[0], "batch_norm").replace(
        "epsilon = 0.01 :", "attributes {dnn.range = #dnn.reals<[-5.0, 7.0]>} :"
    )
    module, ctx = filled(text, program, np.random.default_rng(0))
    FoldBatchNormPass().apply(ctx, module)
    last = module.body.block.first_op.body.block.last_op
    assert last.operands[0].owner.attributes[RANGE] == Reals((-5.0, 7.0))
    assert range_of(last.operands[0]) == (-5.0, 7.0)


def test_weights_are_scaled_when_first_read(program):
    module, ctx = filled(text_of("f32", *CONTRACTIONS[3], "scale"), program, np.random.default_rng(0))
    FoldBatchNormPass().apply(ctx, module)
    assert callable(store_of(ctx)._entries["w.scaled"])
    np.testing.assert_array_equal(store_of(ctx)["w.scaled"], store_of(ctx)["w"] * store_of(ctx)["s"])

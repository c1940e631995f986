"""`dnnc-opt --bisect`: ten wrong rewrites, planted one at a time, are each cut down to a network that shows them again."""

from __future__ import annotations

import io
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, NameLoc, NoneAttr, StringAttr, UnitAttr
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Region, SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern
from xdsl.transforms.common_subexpression_elimination import OperationInfo

import dnnc
from dnnc import opt
from dnnc.bisect import operations
from dnnc.cut import shrink
from dnnc.ir.context import make_context
from dnnc.ir.dnn.activation import ReluOp
from dnnc.ir.dnn.attributes import Int, Window, Word
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.composite import BatchNormOp
from dnnc.ir.dnn.contraction import ConvOp, MatmulOp
from dnnc.ir.dnn.elementwise import AddOp, CastOp, ClipOp, DivOp, MulOp
from dnnc.ir.dnn.movement import PadOp, ReshapeOp, TransposeOp
from dnnc.ir.dnn.quantize import RequantizeOp
from dnnc.ir.dnn.reduction import AvgPoolOp, MaxPoolOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.sched import BufferOp
from dnnc.ir.text import load, save
from dnnc.ir.types import F32, QuantType, shape_of, tensor
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes import canonicalize, fold_batch_norm, fold_constants, fuse_groups
from dnnc.passes.plan_memory import PlanMemoryPass

MODELS = Path(__file__).parents[2] / "models"
EPSILON = 1e-3


# A network like those exported from TensorFlow: pads of their own, transposes around blocks, shapes computed by hand.


class Mobile:
    """Builds @main of `blocks` inverted residual blocks on 16x16 images; every operation has its node's name."""

    def __init__(self, blocks: int, channels: int = 8):
        self.ctx = make_context()
        self.rng = np.random.default_rng(3)
        image = tensor(F32, (1, 3, 16, 16))
        self.block = Block(arg_types=[image])
        x = self.normalized("stem", self.conv("stem/conv", self.block.args[0], channels, 3, pad=1))
        for i in range(blocks):
            x = self.inverted(f"block{i}", x, channels)
        y = self.classifier(x)
        names = ArrayAttr([DictionaryAttr({"dnn.name": StringAttr("logits")})])
        self.block.add_op(ReturnOp(y))
        self.module = ModuleOp([FuncOp("main", ([image], [y.type]), Region(self.block), res_attrs=names)])

    def add(self, name: str, op: DnnOp) -> SSAValue:
        op.location = NameLoc(StringAttr(name), NoneAttr())
        self.block.add_op(op)
        return op.results[0]

    def weights(self, name: str, array: np.ndarray) -> SSAValue:
        return self.add(name, ConstOp.of(array, store_of(self.ctx), name))

    def drawn(self, name: str, *shape: int, low: float = -0.5, high: float = 0.5) -> SSAValue:
        return self.weights(name, self.rng.uniform(low, high, shape).astype(np.float32))

    def conv(self, name: str, x: SSAValue, filters: int, kernel: int, pad: int = 0, groups: int = 1) -> SSAValue:
        w = self.drawn(f"{name}.w", filters, shape_of(x.type)[1] // groups, kernel, kernel)
        window = Window.of((kernel, kernel), (1, 1), (pad,) * 4)
        return self.add(name, ConvOp(x, w, self.drawn(f"{name}.b", filters), window=window, groups=groups))

    def normalized(self, name: str, x: SSAValue) -> SSAValue:
        stats = [self.drawn(f"{name}/bn.{s}", shape_of(x.type)[1]) for s in ("scale", "shift", "mean")]
        var = self.drawn(f"{name}/bn.var", shape_of(x.type)[1], low=0.05, high=1.5)
        y = self.add(f"{name}/bn", BatchNormOp(x, *stats, var, epsilon=EPSILON))
        return self.add(f"{name}/relu6", ClipOp(y, low=0.0, high=6.0))

    def inverted(self, name: str, x: SSAValue, channels: int) -> SSAValue:
        """1x1, padded 3x3 a channel, 1x1; a branch of pools; the block's input, through a relu, on top."""
        y = self.normalized(f"{name}/expand", self.conv(f"{name}/expand/conv", x, 2 * channels, 1))
        y = self.add(
            f"{name}/nhwc", TransposeOp(y, perm=(0, 2, 3, 1))
        )  # 16 channels of 16x16: any order has this shape
        y = self.add(f"{name}/nwhc", TransposeOp(y, perm=(0, 2, 1, 3)))
        y = self.add(f"{name}/pad", PadOp(y, before=(0, 0, 0, 0), after=(0, 0, 2, 2)))
        y = self.normalized(f"{name}/depth", self.conv(f"{name}/depth/conv", y, 2 * channels, 3, 0, 2 * channels))
        y = self.conv(f"{name}/project/conv", y, channels, 1)
        small, wide = (
            self.add(f"{name}/pool{k}", MaxPoolOp(y, window=Window.of((k, k), (1, 1), (k // 2,) * 4))) for k in (3, 5)
        )
        y = self.add(f"{name}/pools", AddOp(small, wide))
        y = self.add(f"{name}/low", ClipOp(self.add(f"{name}/high", ClipOp(y, low=-3.0, high=2.0)), low=-1.0, high=4.0))
        y = self.add(f"{name}/scale", MulOp(y, self.scale(name)))
        return self.add(f"{name}/sum", AddOp(self.add(f"{name}/shortcut", ReluOp(y)), x))

    def scale(self, name: str) -> SSAValue:
        """-7 / 2 in integers, as a float: what an exporter leaves of arithmetic on shapes."""
        a, b = (self.weights(f"{name}/{n}", np.array(v)) for n, v in (("dividend", [-7]), ("divisor", [2])))
        return self.add(f"{name}/factor", CastOp(self.add(f"{name}/quotient", DivOp(a, b)), to=F32))

    def classifier(self, x: SSAValue) -> SSAValue:
        y = self.add("pool", AvgPoolOp(x, window=Window.of((4, 4), (4, 4))))
        y = self.add("head/nhwc", TransposeOp(y, perm=(0, 2, 3, 1)))
        n, *rest = shape_of(y.type)
        y = self.add("head/flatten", ReshapeOp(y, shape=(n, int(np.prod(rest)))))
        return self.add("head/dense", MatmulOp(y, self.drawn("head/w", int(np.prod(rest)), 10)))


@pytest.fixture(scope="module")
def mobile(tmp_path_factory) -> Path:
    """A network of about a hundred operations, as a file."""
    network = Mobile(5)
    path = tmp_path_factory.mktemp("mobile") / "mobile.mlir"
    save(network.module, network.ctx, path)
    assert len(operations(network.module)) >= 95
    return path


# Wrong laws and passes.


class ReluBeforeAdd(RewritePattern):
    """relu(x) + y = x + y."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: AddOp, rewriter: PatternRewriter, /):
        if isinstance(op.a.owner, ReluOp):
            rewriter.replace(op, AddOp(op.a.owner.x, op.b))


class TransposesTheWrongWay(RewritePattern):
    """transpose(transpose(x, p), q) = transpose(x, q[p])."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: TransposeOp, rewriter: PatternRewriter, /):
        if isinstance(inner := op.x.owner, TransposeOp):
            rewriter.replace(op, TransposeOp(inner.x, perm=tuple(op.perm.data[p] for p in inner.perm.data)))


class ClipOfClip(RewritePattern):
    """clip(clip(x, a, b), c, d) = clip(x, min(a, c), max(b, d))."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ClipOp, rewriter: PatternRewriter, /):
        if isinstance(inner := op.x.owner, ClipOp):
            low, high = min(inner.low.data, op.low.data), max(inner.high.data, op.high.data)
            rewriter.replace(op, ClipOp(inner.x, low=low, high=high))


class PadAtTheWrongSide(RewritePattern):
    """conv(pad(x)) = conv(x) with what was added behind added in front."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ConvOp, rewriter: PatternRewriter, /):
        if isinstance(pad := op.x.owner, PadOp):
            w = op.window.data
            window = Window.of(w.kernel, w.stride, (*pad.after.data[2:], *pad.before.data[2:]))
            rewriter.replace(op, ConvOp(pad.x, op.w, op.bias, window=window, groups=op.groups))


class ReshapeOfTranspose(RewritePattern):
    """reshape(transpose(x)) = reshape(x): the sizes match, the order does not."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ReshapeOp, rewriter: PatternRewriter, /):
        if isinstance(inner := op.x.owner, TransposeOp):
            rewriter.replace(op, ReshapeOp(inner.x, shape=op.shape_.data))


class PoolPadsSwapped(RewritePattern):
    """A pool with a window of 3 is one of 5 that is padded as much more."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: MaxPoolOp, rewriter: PatternRewriter, /):
        if op.window.data.kernel == (3, 3):
            rewriter.replace(op, MaxPoolOp(op.x, window=Window.of((5, 5), (1, 1), (2,) * 4)))


class RequantizeTruncates(RewritePattern):
    """Another rounding: a few results move by one step."""

    def match_and_rewrite(self, op, rewriter: PatternRewriter, /):
        if op.name == "dnn.requantize" and op.rounding.data != "trunc":
            rewriter.replace(op, type(op)(op.x, to=op.to, rounding="trunc"))


@dataclass
class BiasTwice(RewritePattern):
    """The bias of an integer layer, with its correction added once more."""

    store: WeightStore

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ConvOp, rewriter: PatternRewriter, /):
        if isinstance(op.element(), QuantType) and op.bias is not None and "seen" not in op.attributes:
            old = op.bias.owner
            bias = ConstOp.of(2 * old.array(self.store), self.store, "bias", old.result.type)
            new = ConvOp(op.x, op.w, bias.result, window=op.window, groups=op.groups)
            new.attributes["seen"] = UnitAttr()
            rewriter.replace(op, [bias, new])


class WithoutEpsilon(fold_batch_norm.BatchNormIntoContraction):
    """batch_norm with scale / sqrt(var)."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: BatchNormOp, rewriter: PatternRewriter, /):
        before = fold_batch_norm.foldable(op.x)
        if before is not None:
            scale, shift, mean, var = (v.owner.array(self.store) for v in (op.scale, op.shift, op.mean, op.var))
            rewriter.replace(op, fold_batch_norm.scaled(before, scale / np.sqrt(var), shift, self.store, mean))


def with_law(law: RewritePattern | Callable[[WeightStore], RewritePattern]) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(patch: pytest.MonkeyPatch) -> None:
        real = canonicalize.laws
        patch.setattr(
            canonicalize, "laws", lambda store: [law if isinstance(law, RewritePattern) else law(store), *real(store)]
        )

    return plant


def without_epsilon(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fold_batch_norm, "BatchNormIntoContraction", WithoutEpsilon)


def without_bias(patch: pytest.MonkeyPatch) -> None:
    real = fold_batch_norm.scaled

    def forgetful(op, *rest):
        bare = op.clone()
        bare.operands = op.operands[:2]
        return real(bare, *rest)

    patch.setattr(fold_batch_norm, "scaled", forgetful)


def merging_different_attributes(patch: pytest.MonkeyPatch) -> None:
    def summary(info: OperationInfo):
        same = info.op.properties.get("key") or info.op.properties.get("value")
        return info.name, same, info.op.result_types, tuple(info.op.operands)

    patch.setattr(OperationInfo, "__hash__", lambda self: hash(summary(self)))
    patch.setattr(OperationInfo, "__eq__", lambda self, other: summary(self) == summary(other))


def floor_division(patch: pytest.MonkeyPatch) -> None:
    real = fold_constants.fold

    def fold(op: DnnOp, store: WeightStore) -> None:
        if isinstance(op, DivOp):
            patch.setattr(op, "evaluate", lambda a, b: a // b)
        real(op, store)

    patch.setattr(fold_constants, "fold", fold)


def group_truncates(patch: pytest.MonkeyPatch) -> None:
    real = fuse_groups._replace

    def replace(chain: list[DnnOp]) -> None:
        for op in chain:
            if isinstance(op, RequantizeOp):
                op.rounding = Word("trunc")
        real(chain)

    patch.setattr(fuse_groups, "_replace", replace)


LOWER = "quantize,quantize-lower,canonicalize,cse,dce,fuse-groups"
INTEGER = f'simplify,calibrate{{data="{MODELS / "digits_calibration.npz"}"}},{LOWER}'
PLANTED = {
    "batch norm without epsilon": (without_epsilon, "fold-batch-norm", "WithoutEpsilon"),
    "batch norm forgets the bias": (without_bias, "fold-batch-norm", "BatchNormIntoContraction"),
    "relu dropped before add": (with_law(ReluBeforeAdd()), "canonicalize", "ReluBeforeAdd"),
    "transposes in the wrong order": (with_law(TransposesTheWrongWay()), "canonicalize", "TransposesTheWrongWay"),
    "bounds of clips merged wrong": (with_law(ClipOfClip()), "canonicalize", "ClipOfClip"),
    "padding at the wrong side": (with_law(PadAtTheWrongSide()), "canonicalize", "PadAtTheWrongSide"),
    "reshape of transpose": (with_law(ReshapeOfTranspose()), "canonicalize", "ReshapeOfTranspose"),
    "other attributes merged": (merging_different_attributes, "cse", "EqualOperations"),
    "integer division by floor": (floor_division, "fold-constants", "ConstantOperands"),
    "pads of a pool": (with_law(PoolPadsSwapped()), "canonicalize", "PoolPadsSwapped"),
    "requantize by another rounding": (with_law(RequantizeTruncates()), "canonicalize", "RequantizeTruncates"),
    "bias of an integer layer twice": (with_law(BiasTwice), "canonicalize", "BiasTwice"),
    "a group rounds otherwise": (group_truncates, "fuse-groups", "Group"),
}
ON_INTEGERS = ("requantize by another rounding", "bias of an integer layer twice", "a group rounds otherwise")


def command(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    return opt.run(arguments, io.StringIO(), out), out.getvalue()


QUICK = (
    "batch norm without epsilon",
    "other attributes merged",
    "integer division by floor",
    "a group rounds otherwise",
)


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.full) for n in PLANTED])
def test_a_planted_fault_is_found_and_cut_to_a_few_operations(name, mobile, tmp_path, capsys):
    plant, guilty, law = PLANTED[name]
    network, passes = (MODELS / "lenet5.onnx", INTEGER) if name in ON_INTEGERS else (mobile, "simplify")
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        assert command(str(network), "-p", passes, "--check-numerics")[0] == 1
        assert f"pass '{guilty}': expected" in capsys.readouterr().err
        code, text = command(str(network), "-p", passes, "--bisect", "-o", str(tmp_path / "repro.mlir"))
        assert code == 1
        rows = dict(line.split(maxsplit=1) for line in text.splitlines())
        assert rows["pass"] == guilty and rows["rewrite"].startswith(f"{law} at ")
        assert 1 <= len(operations(load(tmp_path / "repro.mlir")[0])) <= 5
        again = shlex.split(rows["again"])[1:]
        assert command(*again)[0] == 1
        assert f"pass '{guilty}': expected" in capsys.readouterr().err
    assert command(*again)[0] == 0


class PadLost(RewritePattern):
    """conv(pad(x)) = conv(x), whose result is smaller: what uses it no longer fits."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ConvOp, rewriter: PatternRewriter, /):
        if isinstance(pad := op.x.owner, PadOp):
            rewriter.replace(op, ConvOp(pad.x, op.w, op.bias, window=op.window, groups=op.groups))


class Stumbles(RewritePattern):
    """A law that raises what no law should."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: AddOp, rewriter: PatternRewriter, /):
        if isinstance(op.a.owner, ReluOp):
            raise IndexError("tuple index out of range")


@pytest.mark.parametrize(
    ("law", "shows", "cut"),
    [
        (PadLost(), "'dnn.", {"dnn.pad", "dnn.conv"}),
        (Stumbles(), "IndexError: tuple index out of range", {"dnn.relu", "dnn.add"}),
    ],
)
def test_a_pass_that_breaks_is_bisected_as_well(law, shows, cut, mobile, tmp_path, monkeypatch):
    with_law(law)(monkeypatch)
    code, text = command(str(mobile), "-p", "simplify", "--bisect", "-o", str(tmp_path / "repro.mlir"))
    assert code == 1 and f"rewrite  {type(law).__name__} at node 'block0/" in text and shows in text
    names = {op.name for op in operations(load(tmp_path / "repro.mlir")[0])}
    assert cut <= names and len(names) <= 3


def test_a_refusal_of_the_input_is_no_fault_of_a_pass(mobile, capsys):
    assert command(str(mobile), "-p", "simplify,quantize", "--bisect")[0] == 1
    assert "expected calibrated ranges" in capsys.readouterr().err


def test_a_right_pipeline_leaves_nothing_behind(mobile, tmp_path):
    code, text = command(str(mobile), "-p", "fuse", "--bisect", "-o", str(tmp_path / "repro.mlir"))
    assert (code, text) == (0, "every pass keeps what the program computes\n")
    assert not list(tmp_path.iterdir())


def test_a_wrong_place_in_memory_shows_on_the_simulator(tmp_path, monkeypatch, capsys):
    compiled = dnnc.compile(
        MODELS / "lenet5.onnx", emit="ir", pipeline="int8", calibrate=MODELS / "digits_calibration.npz"
    )
    compiled.save(tmp_path / "lenet5.mlir")
    real = PlanMemoryPass.apply

    def weights_on_weights(self, ctx, op):
        real(self, ctx, op)
        for buffer in op.walk():
            if isinstance(buffer, BufferOp) and buffer.space.data == "weights":
                buffer.offset = Int(0)

    with monkeypatch.context() as patch:
        patch.setattr(PlanMemoryPass, "apply", weights_on_weights)
        out = str(tmp_path / "repro.mlir")
        code, text = command(str(tmp_path / "lenet5.mlir"), "-p", "tile,plan-memory", "--bisect", "-o", out)
        assert code == 1 and "pass     tile,plan-memory\nrewrite  the pass as a whole" in text
        again = shlex.split(text.splitlines()[-1])[2:]
        assert command(*again)[0] == 1
        assert "pass 'tile,plan-memory': expected the same bits" in capsys.readouterr().err
    assert len(operations(load(tmp_path / "repro.mlir")[0])) <= 5
    assert command(*again)[0] == 0
    assert "plan-memory: same on the simulator (repro.npz)" in capsys.readouterr().err


@given(st.sets(st.integers(0, 59), min_size=1, max_size=4))
def test_nothing_that_is_left_can_go(culprits):
    assert set(shrink(range(60), lambda part: culprits <= set(part))) == culprits

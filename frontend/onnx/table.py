"""Which operation each ONNX operator becomes. Regular ones are a line: the operation, and its attributes with ONNX's defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.ir import SSAValue

from dnnc.frontend.onnx import arithmetic, constants, control, movement, quantized, recurrent, windows
from dnnc.frontend.onnx.arithmetic import arg_reduction, chain, reduction
from dnnc.frontend.onnx.einsum import einsum
from dnnc.frontend.onnx.resize import resize
from dnnc.frontend.onnx.site import Site
from dnnc.frontend.onnx.tensors import Literal
from dnnc.ir.dnn import activation as a
from dnnc.ir.dnn import composite as c
from dnnc.ir.dnn import elementwise as e
from dnnc.ir.dnn import function as fn
from dnnc.ir.dnn import indexing as i
from dnnc.ir.dnn import logic as lg
from dnnc.ir.dnn import movement as m
from dnnc.ir.dnn import reduction as r
from dnnc.ir.dnn.base import DnnOp

Rule = Callable[[Site], SSAValue | Literal | Sequence[SSAValue | Literal]]

REQUIRED = object()


def op(kind: type[DnnOp], **attributes: object) -> Rule:
    """All operands in order, attributes by name: `attribute=default`, the default's type says what is read.

    `parameter=("attribute", default)` renames.
    """

    def rule(site: Site) -> SSAValue:
        params = {name: _read(site, name, default) for name, default in attributes.items()}
        return site.emit(kind, *site.operands(), **params)

    return rule


def _read(site: Site, name: str, default: object) -> object:
    if isinstance(default, tuple):
        name, default = default
    if default is REQUIRED:
        return site.int(name)
    if isinstance(default, str):
        return site.string(name, default.upper() if default.isupper() else default).lower()
    return site.float(name, default) if isinstance(default, float) else site.int(name, default)


TABLE: dict[str, Rule] = {
    # elementwise
    "Abs": op(fn.AbsOp),
    "Acos": op(fn.AcosOp),
    "Acosh": op(fn.AcoshOp),
    "Add": op(e.AddOp),
    "And": op(lg.AndOp),
    "Asin": op(fn.AsinOp),
    "Asinh": op(fn.AsinhOp),
    "Atan": op(fn.AtanOp),
    "Atanh": op(fn.AtanhOp),
    "BitShift": arithmetic.bit_shift,
    "BitwiseAnd": op(lg.BitAndOp),
    "BitwiseNot": op(lg.BitNotOp),
    "BitwiseOr": op(lg.BitOrOp),
    "BitwiseXor": op(lg.BitXorOp),
    "Cast": arithmetic.cast,
    "CastLike": arithmetic.cast_like,
    "Ceil": op(fn.CeilOp),
    "Clip": arithmetic.clip,
    "Cos": op(fn.CosOp),
    "Cosh": op(fn.CoshOp),
    "Div": op(e.DivOp),
    "Equal": op(lg.EqualOp),
    "Erf": op(fn.ErfOp),
    "Exp": op(fn.ExpOp),
    "Floor": op(fn.FloorOp),
    "Greater": op(lg.GreaterOp),
    "GreaterOrEqual": op(lg.GreaterEqualOp),
    "IsInf": arithmetic.is_inf,
    "IsNaN": op(lg.IsNaNOp),
    "Less": op(lg.LessOp),
    "LessOrEqual": op(lg.LessEqualOp),
    "Log": op(fn.LogOp),
    "Max": chain(e.MaxOp),
    "Mean": arithmetic.mean,
    "Min": chain(e.MinOp),
    "Mod": arithmetic.mod,
    "Mul": op(e.MulOp),
    "Neg": op(fn.NegOp),
    "Not": op(lg.NotOp),
    "Or": op(lg.OrOp),
    "Pow": op(e.PowOp),
    "Reciprocal": op(fn.ReciprocalOp),
    "Round": op(fn.RoundOp),
    "Sign": op(fn.SignOp),
    "Sin": op(fn.SinOp),
    "Sinh": op(fn.SinhOp),
    "Sqrt": op(fn.SqrtOp),
    "Sub": op(e.SubOp),
    "Sum": chain(e.AddOp),
    "Tan": op(fn.TanOp),
    "Where": op(e.WhereOp),
    "Xor": op(lg.XorOp),
    # activations
    "Celu": op(a.CeluOp, alpha=1.0),
    "Elu": op(a.EluOp, alpha=1.0),
    "Gelu": op(a.GeluOp, approximate="none"),
    "HardSigmoid": op(a.HardSigmoidOp, alpha=0.2, beta=0.5),
    "HardSwish": op(a.HardSwishOp),
    "LeakyRelu": op(a.LeakyReluOp, alpha=0.01),
    "Mish": op(a.MishOp),
    "PRelu": op(e.PReluOp),
    "Relu": op(a.ReluOp),
    "Selu": op(a.SeluOp, alpha=1.67326319217681884765625, gamma=1.05070102214813232421875),
    "Shrink": op(a.ShrinkOp, lambd=0.5, bias=0.0),
    "Sigmoid": op(a.SigmoidOp),
    "Softplus": op(a.SoftplusOp),
    "Softsign": op(a.SoftsignOp),
    "Swish": op(a.SwishOp, alpha=1.0),
    "Tanh": op(a.TanhOp),
    "ThresholdedRelu": op(a.ThresholdedReluOp, alpha=1.0),
    # contractions
    "Conv": windows.conv,
    "ConvTranspose": windows.conv_transpose,
    "Einsum": einsum,
    "Gemm": arithmetic.gemm,
    "MatMul": arithmetic.matmul,
    # recurrence
    "GRU": recurrent.gru,
    "LSTM": recurrent.lstm,
    "RNN": recurrent.rnn,
    "Scan": control.scan,
    # pools and reductions
    "ArgMax": arg_reduction(r.ArgMaxOp),
    "ArgMin": arg_reduction(r.ArgMinOp),
    "AveragePool": windows.average_pool,
    "CumSum": arithmetic.cum_sum,
    "GlobalAveragePool": windows.global_average_pool,
    "GlobalLpPool": windows.global_lp_pool,
    "GlobalMaxPool": windows.global_max_pool,
    "LpPool": windows.lp_pool,
    "MaxPool": windows.max_pool,
    "ReduceL1": reduction(r.ReduceL1Op),
    "ReduceL2": reduction(r.ReduceL2Op),
    "ReduceLogSum": reduction(r.ReduceLogSumOp),
    "ReduceLogSumExp": reduction(c.ReduceLogSumExpOp),
    "ReduceMax": reduction(r.ReduceMaxOp),
    "ReduceMean": reduction(r.ReduceMeanOp),
    "ReduceMin": reduction(r.ReduceMinOp),
    "ReduceProd": reduction(r.ReduceProdOp),
    "ReduceSum": reduction(r.ReduceSumOp),
    "ReduceSumSquare": reduction(r.ReduceSumSquareOp),
    "TopK": movement.top_k,
    # normalizations
    "BatchNormalization": arithmetic.batch_norm,
    "GroupNormalization": arithmetic.group_norm,
    "Hardmax": op(c.HardmaxOp, axis=-1),
    "InstanceNormalization": arithmetic.instance_norm,
    "LRN": op(c.LrnOp, size=REQUIRED, alpha=1e-4, beta=0.75, bias=1.0),
    "LayerNormalization": arithmetic.layer_norm,
    "LogSoftmax": op(c.LogSoftmaxOp, axis=-1),
    "LpNormalization": op(c.LpNormOp, axis=-1, p=2),
    "MeanVarianceNormalization": arithmetic.mean_variance_norm,
    "RMSNormalization": arithmetic.rms_norm,
    "Softmax": op(c.SoftmaxOp, axis=-1),
    # movement
    "Compress": movement.compress,
    "Concat": movement.concat,
    "DepthToSpace": op(m.DepthToSpaceOp, block=("blocksize", REQUIRED), mode="DCR"),
    "Expand": movement.expand,
    "Flatten": movement.flatten,
    "Gather": movement.gather,
    "GatherElements": op(i.GatherElementsOp, axis=0),
    "GatherND": op(i.GatherNDOp, batch=("batch_dims", 0)),
    "Identity": movement.identity,
    "OneHot": movement.one_hot,
    "Pad": movement.pad,
    "Reshape": movement.reshape,
    "Resize": resize,
    "ReverseSequence": movement.reverse_sequence,
    "ScatterElements": op(i.ScatterElementsOp, axis=0, reduction="none"),
    "ScatterND": op(i.ScatterNDOp, reduction="none"),
    "Slice": movement.slice_,
    "SpaceToDepth": op(m.SpaceToDepthOp, block=("blocksize", REQUIRED), mode="DCR"),
    "Split": movement.split,
    "Squeeze": movement.squeeze,
    "Tile": movement.tile,
    "Transpose": movement.transpose,
    "Trilu": movement.trilu,
    "Unsqueeze": movement.unsqueeze,
    # quantized
    "ConvInteger": quantized.conv_integer,
    "DequantizeLinear": quantized.dequantize_linear,
    "MatMulInteger": quantized.matmul_integer,
    "QLinearConv": quantized.qlinear_conv,
    "QLinearMatMul": quantized.qlinear_matmul,
    "QuantizeLinear": quantized.quantize_linear,
    # known at import
    "Constant": constants.constant,
    "ConstantOfShape": constants.constant_of_shape,
    "Dropout": constants.dropout,
    "EyeLike": constants.eye_like,
    "If": control.if_,
    "NonZero": constants.non_zero,
    "Range": constants.range_,
    "Shape": constants.shape,
    "Size": constants.size,
}

"""What is legal after each stage, as data: which operations may stand in @main and which element types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Operation

from dnnc.ir.diagnostics import DnncError, Finding, where
from dnnc.ir.dnn import OPS, composite
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.movement import Movement, ShapeOp
from dnnc.ir.dnn.quantize import DequantizeOp, QuantizeOp
from dnnc.ir.dnn.rescale import ThresholdOp
from dnnc.ir.dnn.structure import ConstOp, GroupOp
from dnnc.ir.interpret import main_function
from dnnc.ir.sched import BufferOp, ComputeOp, CopyOp, LoopOp, ViewOp
from dnnc.ir.types import Quantized, is_float

Rule = Callable[[Operation], str | None]  # what is wrong with an operation, or None

BOUNDARY = (QuantizeOp, DequantizeOp, ThresholdOp)  # between real numbers and quantized ones
CALIBRATED = "dnn.calibrated"  # of the module: the samples that set its ranges, and how
ISLAND = "dnn.island"  # marks an operation that stays in floating point on the host


def _in_dnn(op: Operation) -> str | None:
    return (
        None if isinstance(op, (DnnOp, *OPS, ReturnOp)) else f"expected operations of the dnn dialect, not '{op.name}'."
    )


def _static(op: Operation) -> str | None:
    return "expected shapes folded to constants." if isinstance(op, ShapeOp) else None


def _plain(op: Operation) -> str | None:
    known = isinstance(op, composite.BatchNormOp) and all(isinstance(v.owner, ConstOp) for v in op.operands[1:])
    return "expected batch norms with constant statistics folded or scaled and shifted." if known else None


def _integer(op: Operation) -> str | None:
    if isinstance(op, (ConstOp, *BOUNDARY, ReturnOp)) or ISLAND in op.attributes:
        return None
    floats = [v for v in (*op.operands, *op.results) if _is_float(v.type)]
    return "expected quantized values, not floats. Quantize it or mark it as an island." if floats else None


def _is_float(type_: object) -> bool:
    if not isinstance(type_, TensorType):
        return False
    return not isinstance(type_.element_type, Quantized) and is_float(type_.element_type)


def _grouped(op: Operation) -> str | None:
    free = (ConstOp, GroupOp, *BOUNDARY, ReturnOp)
    if isinstance(op, free) or ISLAND in op.attributes or (isinstance(op, Movement) and op.is_view()):
        return None
    return f"expected '{op.name}' inside a dnn.group." if isinstance(op, DnnOp) else None


def _scheduled(op: Operation) -> str | None:
    legal = (BufferOp, ViewOp, LoopOp, CopyOp, ComputeOp, ReturnOp)
    return None if isinstance(op, legal) else f"expected operations of the sched dialect, not '{op.name}'."


def _placed(op: Operation) -> str | None:
    open_ = isinstance(op, BufferOp) and op.offset is None
    return f"expected an offset for buffer {op.label}, none is planned." if open_ else None  # pyright: ignore


@dataclass(frozen=True)
class Stage:
    """A point on the way of the data: its name, what it promises, and the rules that check the promise."""

    name: str
    promise: str
    rules: tuple[Rule, ...]


STAGES: tuple[Stage, ...] = (
    Stage("imported", "operations of the dnn dialect on static shapes", (_in_dnn,)),
    Stage("simplified", "shapes and batch norms folded", (_in_dnn, _static, _plain)),
    Stage("quantized", "no floats but declared islands and the boundary", (_in_dnn, _static, _integer)),
    Stage("fused", "everything that computes is in a group", (_in_dnn, _static, _grouped)),
    Stage("tiled", "buffers, loops, copies and compute on tiles", (_scheduled,)),
    Stage("placed", "every buffer has an offset", (_scheduled, _placed)),
)
BY_NAME = {s.name: s for s in STAGES}


def check(module: ModuleOp, stage: str) -> None:
    """Raise a DnncError listing everything in @main that is not legal after the stage."""
    rules = BY_NAME[stage].rules
    findings = [
        Finding(where(op.location, op.name), f"after stage '{stage}' {problem}", "E0448")
        for op in main_function(module).body.block.ops
        for problem in (rule(op) for rule in rules)
        if problem
    ]
    if findings:
        raise DnncError(findings)

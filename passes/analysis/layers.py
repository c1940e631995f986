"""The layers of a network as a scheme names them: its inputs and its operations, each by a name of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, OpResult, SSAValue

from dnnc.ir.diagnostics import node_names
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.quantize import DequantizeOp, QuantizeOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import input_names, main_function
from dnnc.passes.analysis.contractions import Contraction
from dnnc.passes.analysis.integer_forms import bounds, constant, real


@dataclass(frozen=True)
class Layer:
    """What a pattern may fit: `name` is this layer's alone, `names` are those of the nodes it came from."""

    name: str
    names: tuple[str, ...]
    value: SSAValue

    @property
    def op(self) -> Operation | None:
        """The operation, or None for an input."""
        return self.value.op if isinstance(self.value, OpResult) else None

    def weights(self) -> ConstOp | None:
        """The constant weights of a convolution or a matrix product, also when they are integers by now."""
        return constant(self.op.operands[1]) if isinstance(self.op, Contraction) else None

    def typed(self) -> bool:
        """Whether its value is of real numbers and has a type of its own, not that of what it moves or bounds."""
        return real(self.value) and not (
            self.op is not None and (bounds(self.op) or (isinstance(self.op, DnnOp) and self.op.keeps_type()))
        )


def layers_of(module: ModuleOp) -> list[Layer]:
    """Inputs, then operations in order, constants and the boundary of quantized values left out."""
    taken: dict[str, int] = {}
    return [Layer(_alone(names[-1], taken), tuple(names), v) for names, v in _named(module)]


def _named(module: ModuleOp) -> Iterator[tuple[list[str], SSAValue]]:
    function = main_function(module)
    for name, value in zip(input_names(function), function.body.block.args):
        yield [name], value
    for op in function.body.block.ops:
        if isinstance(op, DnnOp) and not isinstance(op, (ConstOp, QuantizeOp, DequantizeOp)) and op.results:
            yield node_names(op.location) or [_key(op) or op.name.removeprefix("dnn.")], op.results[0]


def _key(op: Operation) -> str:
    """The key of an operation's first constant, a name for what has no location."""
    found = (c.key.data for v in op.operands if (c := constant(v)) is not None and c.key is not None)
    return next(found, "").removesuffix(".weight").removesuffix(".w")


def _alone(name: str, taken: dict[str, int]) -> str:
    """The name, numbered where a layer before has it: `conv#2`."""
    taken[name] = taken.get(name, 0) + 1
    return name if taken[name] == 1 else f"{name}#{taken[name]}"

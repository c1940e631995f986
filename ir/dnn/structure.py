"""Structure: constants, and groups of operations that run as one unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, LocationAttr, TensorType
from xdsl.ir import Attribute, Block, Operation, OpResult, Region, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    opt_prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import IsolatedFromAbove, IsTerminator, Pure

from dnnc.ir.diagnostics import BrokenRule, expect
from dnnc.ir.dnn.attributes import Key
from dnnc.ir.dnn.base import DnnOp, Work
from dnnc.ir.types import dtype, is_float, tensor_of
from dnnc.ir.weights import WeightStore

_INLINE = 16  # constants of up to this many elements are written in the text


@irdl_op_definition
class ConstOp(DnnOp):
    """y = a constant: an entry of the weight store by key, or a few values written out."""

    CODES: ClassVar[bool] = True
    name = "dnn.const"
    key = opt_prop_def(Key)
    value = opt_prop_def(DenseIntOrFPElementsAttr)
    result = result_def(TensorType)

    @staticmethod
    def of(
        array: np.ndarray,
        store: WeightStore,
        hint: str = "",
        type_: TensorType | None = None,
        location: LocationAttr | None = None,
    ) -> ConstOp:
        """A constant with the values of an array; small ones in the text, others in the store under a key like `hint`."""
        array = np.asarray(array)
        type_ = type_ or tensor_of(array)
        inline = _inline(array, type_)
        key = {"key": Key(store.add(hint, array))} if inline is None else {"value": inline}
        return ConstOp.create(result_types=[type_], properties=key, location=location)

    @staticmethod
    def keyed(key: str, type_: TensorType, location: LocationAttr | None = None) -> ConstOp:
        """A constant that is an entry of the store."""
        return ConstOp.create(result_types=[type_], properties={"key": Key(key)}, location=location)

    def read_as(self, type_: TensorType, store: WeightStore) -> ConstOp:
        """The same stored values read as another type."""
        if self.key is None:
            return ConstOp.of(self.array(store), store, "const", type_, self.location)
        return ConstOp.keyed(self.key.data, type_, self.location)

    def infer(self) -> Attribute:
        expect((self.key is None) != (self.value is None), "either a key or values", "both or none", code="E0410")
        if self.value is not None:
            same = self.value.type == self.result.type
            expect(same, lambda: f"values of type {self.result.type}", self.value.type, code="E0410")
        return self.result.type

    def array(self, store: WeightStore) -> np.ndarray:
        """The values; a located error when the store has no such key."""
        type_ = self.result.type
        assert isinstance(type_, TensorType)
        kind = dtype(type_.element_type)
        if self.value is not None:
            values = np.array(self.value.get_values(), kind)
            shape = type_.get_shape()
            return np.broadcast_to(values.reshape(()), shape) if values.size == 1 else values.reshape(shape)
        assert self.key is not None
        if self.key.data not in store:
            self.emit_error(
                f"expected weights with the key '{self.key.data}', not found in the store. "
                "Give the .safetensors file that belongs to this text.",
                BrokenRule(self.key.data, "E0411"),
            )
        array = store[self.key.data]
        if array.shape != type_.get_shape() or array.dtype != kind:
            self.emit_error(
                f"expected weights '{self.key.data}' of shape {list(type_.get_shape())} and type {kind}, "
                f"not {list(array.shape)} and {array.dtype}. The text and the .safetensors file do not belong together.",
                BrokenRule(self.key.data, "E0411"),
            )
        return array

    def work(self) -> Work:
        return Work()


def _inline(array: np.ndarray, type_: TensorType) -> DenseIntOrFPElementsAttr | None:
    """The values as an attribute, when they are few and their text gives the same bits back."""
    plain = type_ == tensor_of(array) and array.dtype.name in ("float32", "float64", "int32", "int64", "bool")
    if not plain or not 0 < array.size <= _INLINE:
        return None
    if is_float(type_.element_type) and not (np.isfinite(array).all() and not np.signbit(array[array == 0]).any()):
        return None
    return DenseIntOrFPElementsAttr.from_list(type_, [v.item() for v in array.reshape(-1)])  # pyright: ignore


@dataclass(frozen=True)
class Types:
    """Types for a message, written `(a, b)`."""

    types: Sequence[Attribute]

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.types))})"


@irdl_op_definition
class YieldOp(IRDLOperation):
    """Ends a group: its operands are the group's results."""

    name = "dnn.yield"
    values = var_operand_def(TensorType)
    traits = traits_def(IsTerminator(), Pure())
    assembly_format = "attr-dict ($values^ `:` type($values))?"


@irdl_op_definition
class GroupOp(DnnOp):
    """What runs as one unit on a machine: a body of operations on the operands, closed from above; yields the results."""

    name = "dnn.group"
    inputs = var_operand_def(TensorType)
    body = region_def("single_block")
    outputs = var_result_def(TensorType)
    traits = traits_def(Pure(), IsolatedFromAbove())

    @staticmethod
    def of(ops: Sequence[Operation], location: LocationAttr | None = None) -> tuple[GroupOp, list[OpResult]]:
        """A group with clones of consecutive operations; returns it with the values its results replace.

        Operands are the values used but not made by the operations, in order of first use; results are the values
        used by anyone else.
        """
        inside = set(ops)
        made = [r for op in ops for r in op.results]
        inputs: dict[SSAValue, None] = {}
        for op in ops:
            for v in op.operands:
                if v not in made:
                    inputs[v] = None
        outs = [r for r in made if any(u.operation not in inside for u in r.uses)]
        block = Block(arg_types=[v.type for v in inputs])
        mapping: dict[SSAValue, SSAValue] = dict(zip(inputs, block.args))
        for v, arg in mapping.items():
            arg.name_hint = v.name_hint
        for op in ops:
            clone = op.clone(mapping)
            clone.location = op.location
            block.add_op(clone)
        block.add_op(YieldOp.create(operands=[mapping[v] for v in outs]))
        group = GroupOp.create(
            operands=list(inputs), result_types=[v.type for v in outs], regions=[Region(block)], location=location
        )
        return group, outs

    def body_ops(self) -> list[DnnOp]:
        """The operations of the body, without the yield."""
        return [op for op in self.body.block.ops if isinstance(op, DnnOp)]

    def yielded(self) -> Sequence[SSAValue]:
        """The values the group gives back."""
        last = self.body.block.last_op
        assert last is not None
        return last.operands

    def infer(self) -> Sequence[Attribute]:
        args = [a.type for a in self.body.block.args]
        wanted = [v.type for v in self.inputs]
        expect(args == wanted, lambda: f"arguments of the operands' types {Types(wanted)}", Types(args), code="E0412")
        last = self.body.block.last_op
        expect(
            isinstance(last, YieldOp),
            "a body that ends in dnn.yield",
            last.name if last else "an empty one",
            code="E0412",
        )
        return [v.type for v in self.yielded()]

    def work(self) -> Work:
        return sum((op.work() for op in self.body_ops()), Work())

    def print_regions(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_region(self.body)

    @classmethod
    def parse_regions(cls, parser: Parser) -> list[Any]:
        return [parser.parse_region()]

"""The program an import writes: a block that grows, what in it is constant, and the module around it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod

import numpy as np
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, LocationAttr, ModuleOp, StringAttr, TensorType
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Region, SSAValue

from dnnc.frontend.onnx.tensors import Literal
from dnnc.ir.diagnostics import DnncError, Finding, where
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import run_op
from dnnc.ir.weights import WeightStore

INLINE = 16  # constants of up to this many elements are read at once and written in the text


class Program:
    """The body of `main` under construction."""

    def __init__(self, store: WeightStore):
        self.store = store
        self.block = Block()
        self.static: set[SSAValue] = set()  # values that depend on constants alone
        self.evaluated: dict[SSAValue, np.ndarray] = {}
        self.guessed: set[SSAValue] = set()  # values that depend on a refused node

    def argument(self, type_: TensorType) -> SSAValue:
        """A new input of the program."""
        return self.block.insert_arg(type_, len(self.block.args))

    def append(self, op: DnnOp) -> Sequence[SSAValue]:
        """Add an operation; returns its results."""
        self.block.add_op(op)
        if any(v in self.guessed for v in op.operands):
            self.guessed.update(op.results)
        elif all(v in self.static for v in op.operands):
            self.static.update(op.results)
        return op.results

    def emit_literal(self, constant: Literal, location: LocationAttr | None = None) -> SSAValue:
        """Make a constant part of the program: a few values in the text, others by key, unread."""
        if 0 < prod(constant.type.get_shape()) <= INLINE:
            op = ConstOp.of(constant.load(), self.store, constant.name, constant.type, location)
        else:
            op = ConstOp.keyed(self.store.add(constant.name, constant.load), constant.type, location)
        (value,) = self.append(op)
        value.name_hint = sanitized(constant.name)
        return value

    def stand_in(self, type_: TensorType) -> SSAValue:
        """A value of a type that no operation makes; it never reaches a finished program."""
        value = Block(arg_types=[type_]).args[0]
        self.guessed.add(value)
        return value

    def values(self, value: SSAValue) -> np.ndarray | None:
        """Evaluate the operations behind a constant value, each once; None for one known only at run time."""
        if value not in self.static:
            return None
        stack = [value]
        while stack:
            op = stack[-1].owner
            assert isinstance(op, DnnOp)
            pending = [v for v in op.operands if v not in self.evaluated]
            if pending:
                stack += pending
                continue
            self.evaluated.update(zip(op.results, self._run(op)))
            stack.pop()
        return self.evaluated[value]

    def _run(self, op: DnnOp) -> list[np.ndarray]:
        try:
            return run_op(op, [self.evaluated[v] for v in op.operands], self.store)
        except MemoryError as e:
            raise DnncError(
                Finding(where(op.location, op.name), f"expected a constant that fits in memory: {e}.", "E0227")
            ) from e

    def module(self, results: Sequence[SSAValue], inputs: Sequence[str], outputs: Sequence[str]) -> ModuleOp:
        """The module with the block as `main`, inputs and outputs named, without operations nobody uses."""
        self.block.add_op(ReturnOp(*results))
        for op in reversed(list(self.block.ops)):
            if isinstance(op, DnnOp) and not any(r.uses for r in op.results):
                self.block.erase_op(op)
        types = [a.type for a in self.block.args], [r.type for r in results]
        region = Region(self.block)
        return ModuleOp([FuncOp("main", types, region, arg_attrs=_names(inputs), res_attrs=_names(outputs))])


def _names(names: Sequence[str]) -> ArrayAttr[DictionaryAttr]:
    return ArrayAttr([DictionaryAttr({"dnn.name": StringAttr(n)}) for n in names])


def sanitized(name: str) -> str | None:
    """A tensor name as xDSL accepts it for a value; None when nothing is left."""
    text = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    text = re.sub(r"_(\d+)$", r"n\1", text)  # xDSL takes a trailing number for its own
    return (f"v{text}" if text[:1].isdigit() else text) or None

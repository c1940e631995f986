from __future__ import annotations

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Operation, Region, SSAValue

from dnnc.backends.c.load import compile_and_load
from dnnc.backends.c.target import Options, emit
from dnnc.ir.context import make_context
from dnnc.ir.dnn.structure import ConstOp, GroupOp
from dnnc.ir.interpret import evaluate
from dnnc.ir.types import tensor_of
from dnnc.ir.weights import store_of

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wvla", "-Werror")


class Net:
    """A module under construction: many small networks in one program, so that one compiler run tests them all."""

    def __init__(self):
        self.ctx = make_context()
        self.block = Block()
        self.inputs: list[np.ndarray] = []
        self.outputs: list[tuple[str, SSAValue]] = []
        self.built: ModuleOp | None = None

    @property
    def store(self):
        return store_of(self.ctx)

    def input(self, array):
        array = np.asarray(array)
        self.inputs.append(array)
        return self.block.insert_arg(tensor_of(array), len(self.block.args))

    def const(self, array):
        return self.add(ConstOp.of(np.asarray(array), self.store, "w"))

    def add(self, op: Operation):
        self.block.add_op(op)
        return op.results[0]

    def group(self, *ops: Operation):
        """Add operations as one group; the group's result."""
        for op in ops:
            self.block.add_op(op)
        end = ops[-1].results[0]
        self.block.add_op(ReturnOp(end))  # a use outside, which makes it the group's result
        group, _ = GroupOp.of(ops)
        self.block.erase_op(self.block.last_op)
        for op in reversed(ops):
            self.block.erase_op(op)
        return self.add(group)

    def output(self, name, value):
        self.outputs.append((name, value))

    def module(self) -> ModuleOp:
        if self.built is None:
            values = [v for _, v in self.outputs]
            self.block.add_op(ReturnOp(*values))
            function = FuncOp("main", (list(self.block.arg_types), [v.type for v in values]), Region(self.block))
            self.built = ModuleOp([function])
            self.built.verify()
        return self.built

    def emit(self, name="net", options: Options | None = None):
        return emit(self.module(), self.ctx, name, options)

    def check(self, rtol=1e-5, atol=1e-6, flags=("-O1", *STRICT), options: Options | None = None):
        """Compile, run, and compare every output with the reference interpreter."""
        program = self.emit(options=options)
        got = compile_and_load(program, flags=flags)(*self.inputs)
        want = evaluate(self.module(), self.inputs, self.store)
        wrong = []
        for (name, _), g, w in zip(self.outputs, got, want):
            if g.shape != w.shape or g.dtype != w.dtype:
                wrong.append(f"{name}: {g.shape} {g.dtype}, not {w.shape} {w.dtype}")
                continue
            floats = np.issubdtype(g.dtype, np.floating)
            bad = ~np.isclose(g, w, rtol, atol, equal_nan=True) if floats else g != w
            if bad.any():
                wrong.append(f"{name}: {bad.sum()} of {bad.size}: {g[bad][:4]}, not {w[bad][:4]}")
        assert not wrong, "\n".join(wrong)
        return program


@pytest.fixture
def net():
    return Net()


@pytest.fixture
def rng():
    return np.random.default_rng(0)

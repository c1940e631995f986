"""All samples through a program together, one operation after another, so that a pass can change each as it is reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from threadpoolctl import threadpool_limits
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue

from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.interpret import last_uses, main_function, run_op
from dnnc.ir.weights import WeightStore
from dnnc.passes.analysis.samples import watched

Column = list[np.ndarray]  # what a value is on each sample


class Walk:
    """An iteration over the operations that depend on the inputs; each runs, as it then stands, when the next is asked for.

    Memory is the samples times the values alive at once.
    """

    def __init__(
        self, module: ModuleOp, store: WeightStore, samples: Sequence[Sequence[np.ndarray]], who: str = "samples"
    ):
        self.who = who
        self.block = main_function(module).body.block
        self.store, self.count = store, len(samples)
        self.values: dict[SSAValue, Column] = {a: [s[i] for s in samples] for i, a in enumerate(self.block.args)}
        self.fixed: dict[SSAValue, np.ndarray] = {}

    def __iter__(self) -> Iterator[DnnOp]:
        dying = last_uses(self.block)
        with threadpool_limits(1, "blas"):  # the same sums on any machine
            for op in watched(list(self.block.ops), f"operations of {self.who}"):
                if not isinstance(op, DnnOp) or not any(v in self.values for v in op.operands):
                    continue
                yield op
                columns = self.run(op)
                self.values.update(zip(op.results, columns))
                for v in dying.get(op, ()):
                    self.values.pop(v, None)

    def run(self, op: Operation) -> list[Column]:
        """What each result of an operation is, on each sample."""
        operands = [self.column(v) for v in op.operands]
        rows = [run_op(op, [c[i] for c in operands], self.store) for i in range(self.count)]
        return [list(column) for column in zip(*rows)]

    def column(self, value: SSAValue) -> Column:
        """A value on each sample; one that depends on no input is the same on all."""
        return self.values[value] if value in self.values else [self._fixed(value)] * self.count

    def _fixed(self, value: SSAValue) -> np.ndarray:
        if value not in self.fixed:
            op = value.owner
            assert isinstance(op, Operation)
            self.fixed.update(zip(op.results, run_op(op, [self._fixed(v) for v in op.operands], self.store)))
        return self.fixed[value]

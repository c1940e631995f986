"""Evaluate programs that have much in common: an operation on operands of the same bits is computed once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
from threadpoolctl import threadpool_limits
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Block, Operation, SSAValue

from dnnc.ir.diagnostics import InternalError
from dnnc.ir.dnn.recurrent import ScanOp
from dnnc.ir.dnn.structure import ConstOp, GroupOp, YieldOp
from dnnc.ir.interpret import check_inputs, last_uses, main_function, run_op
from dnnc.ir.weights import WeightStore

CACHE_BYTES = 1 << 30


@dataclass(frozen=True)
class Known:
    """An array and what stands for its bits."""

    array: np.ndarray
    digest: bytes

    @staticmethod
    def of(array: np.ndarray) -> Known:
        """An array with the digest of its type, shape and bytes."""
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        digest = hashlib.blake2b(data, digest_size=16)  # pyright: ignore[reportArgumentType]
        digest.update(f"{array.dtype} {array.shape}".encode())
        return Known(array, digest.digest())


@dataclass
class Memo:
    """The reference semantics with a memory of results, up to `budget` bytes of them; those used longest ago go first."""

    store: WeightStore
    budget: int = CACHE_BYTES
    computed: int = 0
    _known: OrderedDict[Hashable, list[Known]] = field(default_factory=OrderedDict)
    _bytes: int = 0

    def outputs(self, module: ModuleOp, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """What @main gives back."""
        return [k.array for k in self._main(module, inputs, None)]

    def values(self, module: ModuleOp, inputs: Sequence[np.ndarray]) -> dict[SSAValue, np.ndarray]:
        """Every value of @main, outside groups."""
        seen: dict[SSAValue, Known] = {}
        self._main(module, inputs, seen)
        return {v: k.array for v, k in seen.items()}

    def _main(self, module: ModuleOp, inputs: Sequence[np.ndarray], seen: dict[SSAValue, Known] | None) -> list[Known]:
        block = main_function(module).body.block
        check_inputs(block, inputs)
        with threadpool_limits(1, "blas"), np.errstate(all="ignore"):
            return self._block(block, [Known.of(x) for x in inputs], seen)

    def _block(self, block: Block, inputs: Sequence[Known], seen: dict[SSAValue, Known] | None) -> list[Known]:
        values: dict[SSAValue, Known] = dict(zip(block.args, inputs))
        dying = last_uses(block)
        for op in block.ops:
            if seen is not None:
                seen.update(values)
            if isinstance(op, (ReturnOp, YieldOp)):
                return [values[v] for v in op.operands]
            values.update(zip(op.results, self._op(op, [values[v] for v in op.operands])))
            for v in dying.get(op, ()):
                del values[v]
        raise InternalError("expected a block that ends in a return, not an open one.", "E0999")

    def _op(self, op: Operation, operands: list[Known]) -> list[Known]:
        if isinstance(op, GroupOp):
            return self._block(op.body.block, operands, None)
        if isinstance(op, ScanOp):
            return [Known.of(a) for a in op.loop([k.array for k in operands], lambda values: self._step(op, values))]
        key = _meaning(op, operands)
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        self.computed += 1
        results = [Known.of(a) for a in run_op(op, [k.array for k in operands], self.store)]
        return self._remember(key, results)

    def _step(self, op: ScanOp, values: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [k.array for k in self._block(op.body.block, [Known.of(x) for x in values], None)]

    def _remember(self, key: Hashable, results: list[Known]) -> list[Known]:
        self._known[key] = results
        self._bytes += _size(results)
        while self._bytes > self.budget:
            self._bytes -= _size(self._known.popitem(last=False)[1])
        return results


def _meaning(op: Operation, operands: Sequence[Known]) -> Hashable:
    """All that the results of an operation depend on; keys of the store are immutable."""
    types = tuple(v.type for v in (*op.operands, *op.results))
    return type(op), frozenset(op.properties.items()), types, tuple(k.digest for k in operands)


def _size(results: Sequence[Known]) -> int:
    return sum(k.array.nbytes for k in results)


def constant_values(block: Block) -> set[SSAValue]:
    """Values of a block that depend on none of its arguments."""
    found: set[SSAValue] = set()
    for op in block.ops:
        if isinstance(op, ConstOp) or (op.operands and all(v in found for v in op.operands)):
            found.update(op.results)
    return found

"""Does a pass change what a program computes? Evaluate before and after each and name the first that does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import ml_dtypes
import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.passes import ModulePass

from dnnc.api import Network
from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.ir.dnn.base import DnnOp, Work
from dnnc.ir.dnn.structure import ConstOp, GroupOp
from dnnc.ir.interpret import main_function
from dnnc.ir.sched import BufferOp
from dnnc.ir.stages import BY_NAME, ISLAND
from dnnc.ir.types import QuantType
from dnnc.ir.weights import store_of
from dnnc.memo import Memo
from dnnc.passes import QUANTIZES, ROUNDS
from dnnc.stimuli import Stimulus, is_real, shaken, stimuli

ULPS = 8  # of the largest output, for one operation, at stages where passes may reorder float arithmetic
NOISE = 16  # a change this many times the noise of rounding is no noise
SIMULATED_MACS = 1 << 24  # a schedule of more is not simulated
SIMULATED = 2  # stimuli


@dataclass(frozen=True)
class Difference:
    """An output that is not what it was."""

    output: str
    fact: str
    limit: float
    index: tuple[int, ...] | None = None
    before: Any = None
    after: Any = None

    def __str__(self) -> str:
        if self.index is None:
            return self.fact
        return f"{self.fact}, first at {list(self.index)}: {self.before:.9g} before, {self.after:.9g} after"


@dataclass(frozen=True)
class Reference:
    """What a program computes on one stimulus; `exact` when every bit counts."""

    module: ModuleOp
    stimulus: Stimulus
    names: list[str]
    outputs: list[np.ndarray]
    exact: bool
    memo: Memo

    @staticmethod
    def of(module: ModuleOp, ctx: Context, stimulus: Stimulus, memo: Memo) -> Reference:
        """Evaluate a program, which must not change afterwards."""
        outputs = memo.outputs(module, stimulus.inputs)
        return Reference(module, stimulus, Network(module, ctx).outputs(), outputs, is_integer(module), memo)

    def difference(self, now: Sequence[np.ndarray]) -> Difference | None:
        """The first output that moved by more than rounding can explain."""
        for i, (name, a, b) in enumerate(zip(self.names, self.outputs, now, strict=True)):
            limit = self.tolerance(a)
            moved = distance(a, b, self.exact)
            if moved > limit and (self.exact or moved > NOISE * self.noise[i]):
                return _described(name, a, b, moved, limit)
        return None

    def tolerance(self, a: np.ndarray) -> float:
        """8 sqrt(n) units in the last place for n operations, rounding adding up like a random walk; 0 where bits count."""
        if self.exact or not is_real(a):
            return 0.0
        return ULPS * max(float(ml_dtypes.finfo(a.dtype).eps), 2.0**-23) * max(self.operations, 1) ** 0.5

    @cached_property
    def operations(self) -> int:
        """Operations, without constants."""
        return sum(isinstance(op, DnnOp) and not isinstance(op, (ConstOp, GroupOp)) for op in self.module.walk())

    @cached_property
    def noise(self) -> list[float]:
        """How far each output moves when the inputs move by rounding."""
        outputs = self.memo.outputs(self.module, shaken(self.stimulus.inputs))
        return [distance(a, b, self.exact) for a, b in zip(self.outputs, outputs)]


def distance(a: np.ndarray, b: np.ndarray, exact: bool = False) -> float:
    """max|a - b| / max|a| of floats, infinite when NaN or infinities stand elsewhere; else the part of elements that differ."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return np.inf
    if exact or not is_real(a):
        return float(_unequal(a, b).mean()) if a.size else 0.0
    x, y = a.astype(np.float64), b.astype(np.float64)
    finite = np.isfinite(x)
    if not np.array_equal(x[~finite], y[~finite], equal_nan=True) or not np.isfinite(y[finite]).all():
        return np.inf
    largest = max(np.abs(x[finite]).max(initial=0), 1e-30)
    return float(np.abs(x[finite] - y[finite]).max(initial=0) / largest)


def _unequal(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where the bits of two arrays of a type differ."""
    shape = (*a.shape, a.dtype.itemsize)
    x, y = (np.ascontiguousarray(v).reshape(-1).view(np.uint8).reshape(shape) for v in (a, b))
    return (x != y).any(-1)


def _described(name: str, a: np.ndarray, b: np.ndarray, moved: float, limit: float) -> Difference:
    if a.shape != b.shape or a.dtype != b.dtype:
        return Difference(name, f"{list(b.shape)} {b.dtype} in place of {list(a.shape)} {a.dtype}", limit)
    if not limit:
        differs, fact = _unequal(a, b), f"{round(moved * a.size)} of {a.size} elements differ"
    else:
        x, y = a.astype(np.float64), b.astype(np.float64)
        with np.errstate(invalid="ignore"):
            off = np.abs(x - y) > limit * np.abs(x[np.isfinite(x)]).max(initial=0)
        differs = off | (np.isnan(x) != np.isnan(y)) | (np.isinf(x) != np.isinf(y))
        fact = f"a relative difference of {moved:.3g}" if np.isfinite(moved) else "NaN or infinities elsewhere"
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(differs)), a.shape))
    return Difference(name, fact, limit, index, a[index].item(), b[index].item())


def is_integer(module: ModuleOp) -> bool:
    """Whether a program is quantized: no floats but at its boundary and in islands."""
    ops = list(main_function(module).body.block.ops)
    types = [v.type for op in ops for v in (*op.operands, *op.results)]
    quantized = any(isinstance(t, TensorType) and isinstance(t.element_type, QuantType) for t in types)
    legal = all(rule(op) is None for op in ops for rule in BY_NAME["quantized"].rules)
    return legal and (quantized or any(ISLAND in op.attributes for op in ops))


def is_schedule(module: ModuleOp) -> bool:
    """Whether a module is tiled: it runs on the simulator."""
    return any(isinstance(op, BufferOp) for op in module.walk())


def macs(module: ModuleOp) -> int:
    """Multiply-accumulates of a `dnn` program."""
    return sum((op.work() for op in main_function(module).body.block.ops if isinstance(op, DnnOp)), Work()).macs


def run(module: ModuleOp, ctx: Context, inputs: Sequence[np.ndarray], memo: Memo) -> list[np.ndarray]:
    """Outputs by the interpreter, of a schedule by the simulator."""
    return simulated(module, ctx, inputs) if is_schedule(module) else memo.outputs(module, inputs)


def simulated(module: ModuleOp, ctx: Context, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Outputs of a schedule whose buffers have their places."""
    from dnnc.backends.npu.target import Executable, assemble
    from dnnc.ir.arch import of_module

    return Executable(assemble(module.clone(), ctx), of_module(module)).run(inputs)[0]


@dataclass
class Checker:
    """Follows a module through its passes; call `after` behind each."""

    ctx: Context
    memo: Memo
    references: list[Reference] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    since: list[str] = field(default_factory=list)
    """Passes that could not be compared, each on its own, since the last comparison."""

    @staticmethod
    def of(module: ModuleOp, ctx: Context, given: Sequence[Stimulus] | None = None) -> Checker:
        """A checker that knows what the module computes now on given inputs, or on those of `stimuli`."""
        checker = Checker(ctx, Memo(store_of(ctx)))
        if not is_schedule(module):
            checker.refer(module, stimuli(module) if given is None else given)
        return checker

    def refer(self, module: ModuleOp, inputs: Sequence[Stimulus]) -> None:
        """Take what the module computes as right; inputs it refuses, as indices it does not have, are left out."""
        frozen = module.clone()
        self.references.clear()
        for i, stimulus in enumerate(inputs):
            try:
                self.references.append(Reference.of(frozen, self.ctx, stimulus, self.memo))
            except (DnncError, ArithmeticError, ValueError) as e:
                if i == len(inputs) - 1 and not self.references:
                    raise
                self.log.append(f"{stimulus.name}: left out ({e})")

    def after(self, one: ModulePass, module: ModuleOp) -> None:
        """Compare with what was computed before the pass; DnncError names a pass that changed it."""
        found = self.find(one, module)
        if found is None:
            return
        reference, difference = found
        limit = difference.limit
        want = f"a relative difference of at most {limit:.2g}" if limit else "the same bits"
        todo = "It changes what the program computes; --bisect finds the rewrite and a small network that shows it."
        message = (
            f"expected {want} in output '{difference.output}' on {reference.stimulus.name}, not {difference}. {todo}"
        )
        raise DnncError(Finding(f"pass '{','.join([*self.since, one.name])}'", message, "E0530"))

    def find(self, one: ModulePass, module: ModuleOp) -> tuple[Reference, Difference] | None:
        """What a pass changed: the stimulus and the output that show it.

        `quantize` and `quantize-lower` are meant to change results: what they compute becomes the reference, from then on exact.
        Passes that round may move NaN and infinities.
        """
        if is_schedule(module):
            return self._schedule(one, module)
        found = None
        if not isinstance(one, QUANTIZES):
            checked = [r for r in self.references if not (r.stimulus.special and isinstance(one, ROUNDS))]
            found = self._first(checked, module)
        if found is None:
            self.refer(module, [r.stimulus for r in self.references])
            new = isinstance(one, QUANTIZES)
            self.log.append(f"{one.name}: new reference, exact from here on" if new else f"{one.name}: same")
        return found

    def _schedule(self, one: ModulePass, module: ModuleOp) -> tuple[Reference, Difference] | None:
        if any(isinstance(op, BufferOp) and op.offset is None for op in module.walk()):
            self.since.append(one.name)
            self.log.append(f"{one.name}: a schedule, compared when its buffers have places (plan-memory)")
            return None
        size = macs(self.references[0].module) if self.references else 0
        if not self.references or size > SIMULATED_MACS:
            reason = f"{size:,} MACs are too many to simulate" if size else "nothing to compare with"
            self.log.append(f"{one.name}: a schedule, not compared ({reason}); run it with `dnnc run`")
            return None
        used = self.references[:SIMULATED]
        found = self._first(used, module)
        if found is None:
            self.since.clear()
            self.log.append(f"{one.name}: same on the simulator ({' and '.join(r.stimulus.name for r in used)})")
        return found

    def _first(self, references: Sequence[Reference], module: ModuleOp) -> tuple[Reference, Difference] | None:
        for reference in references:
            difference = reference.difference(run(module, self.ctx, reference.stimulus.inputs, self.memo))
            if difference is not None:
                return reference, difference
        return None

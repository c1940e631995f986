"""Does a pass change what a program computes? Evaluate before and after each on random inputs and name the first that does."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.sched import BufferOp
from dnnc.ir.types import QuantType, dtype, integer_range, is_float, shape_of
from dnnc.ir.weights import store_of
from dnnc.passes.calibrate import range_of
from dnnc.passes.quantize import QuantizePass

TOLERANCE = 1e-4  # of the largest output, at stages where passes may reorder float arithmetic


def random_inputs(module: ModuleOp, seed: int = 0) -> list[np.ndarray]:
    """Seeded inputs of @main: floats normal, or uniform over a calibrated range; integers uniform over a small range."""
    rng = np.random.default_rng(seed)
    return [_random(arg, rng) for arg in main_function(module).body.block.args]


def _random(arg, rng: np.random.Generator) -> np.ndarray:
    element, shape = arg.type.element_type, shape_of(arg.type)
    kind = dtype(element)
    if is_float(element) and not isinstance(element, QuantType):
        extremes = range_of(arg)
        values = rng.uniform(*extremes, shape) if extremes else rng.standard_normal(shape)
        return values.astype(kind)
    low, high = integer_range(element.storage if isinstance(element, QuantType) else element)
    return rng.integers(max(low, -128), min(high, 127) + 1, shape).astype(kind)


@dataclass
class Checker:
    """Follows a module through its passes; call `after` behind each."""

    ctx: Context
    inputs: list[np.ndarray]
    outputs: list[np.ndarray]
    exact: bool = False
    done: bool = False
    log: list[str] = field(default_factory=list)

    @staticmethod
    def of(module: ModuleOp, ctx: Context, seed: int = 0) -> Checker:
        """A checker that knows what the module computes now."""
        inputs = random_inputs(module, seed)
        return Checker(ctx, inputs, evaluate(module, inputs, store_of(ctx)))

    def after(self, one: ModulePass, module: ModuleOp) -> None:
        """Compare with what was computed before the pass; DnncError names a pass that changed it.

        `quantize` is meant to change results: what it computes becomes the reference, and from there on every bit counts.
        A schedule is not evaluated: its oracle is the simulator.
        """
        if self.done or any(isinstance(op, BufferOp) for op in module.walk()):
            if not self.done:
                self.log.append(f"{one.name}: a schedule; run it on the simulator")
            self.done = True
            return
        now = evaluate(module, self.inputs, store_of(self.ctx))
        if isinstance(one, QuantizePass):
            self.outputs, self.exact = now, True
            self.log.append(f"{one.name}: new reference, exact from here on")
            return
        for i, (a, b) in enumerate(zip(self.outputs, now, strict=True)):
            self._compare(one, i, a, b)
        self.log.append(f"{one.name}: same")

    def _compare(self, one: ModulePass, i: int, a: np.ndarray, b: np.ndarray) -> None:
        if self.exact or not np.issubdtype(a.dtype, np.floating):
            if a.shape == b.shape and a.tobytes() == b.tobytes():
                return
            changed = int((a != b).sum()) if a.shape == b.shape else a.size
            fact = f"{changed} of {a.size} elements differ"
        else:
            if a.shape == b.shape and np.array_equal(np.isfinite(a), np.isfinite(b)):
                finite = np.isfinite(a)
                x, y = a[finite].astype(np.float64), b[finite].astype(np.float64)
                difference = float(np.abs(x - y).max(initial=0) / max(np.abs(x).max(initial=0), 1e-30))
                if difference <= TOLERANCE:
                    return
                fact = f"a relative difference of {difference:.3g}"
            else:
                fact = "another shape, or infinities elsewhere"
        want = "the same bits" if self.exact else f"a relative difference of at most {TOLERANCE:g}"
        todo = (
            "This pass changed what the program computes; please report it with the module before it (--print-after)."
        )
        raise DnncError(Finding(f"pass '{one.name}'", f"expected {want} in output {i}, not {fact}. {todo}"))

"""Inputs made without data: noise that makes a network's batch norms see the means and deviations they saw in training.

Noise is 1/f over the two spatial axes of an input, as the spectrum of pictures is, and white over others. Where a batch norm
reads what the inputs make, the inputs are moved by Adam until mean and deviation of every channel are those it has stored
(ZeroQ); a network without one gets the noise as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from threadpoolctl import threadpool_limits
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue

from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.ir.dnn.base import DnnOp, Work
from dnnc.ir.dnn.composite import BatchNormOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import input_names, main_function, run_op
from dnnc.ir.types import F32, shape_of
from dnnc.ir.weights import WeightStore
from dnnc.passes.analysis.gradients import gradient
from dnnc.passes.analysis.samples import Sample, watched

WORD = "data-free"
COUNT, FEWEST = 32, 4  # samples, those of a batch counted
ROUNDS = 100
BUDGET = 2e11  # MACs that all rounds together may take: fewer samples, then fewer rounds
RATE = 0.05  # of Adam, in deviations of the input
FLOOR = 1e-3  # of a batch norm's deviations, in the mean of them

Extremes = tuple[float, float]


@dataclass(frozen=True)
class Synthetic:
    """Inputs made up, and in words how."""

    samples: list[list[np.ndarray]]
    how: str


def is_data_free(source: object) -> bool:
    """Whether samples are to be made up: `data-free`, or `data-free:LOW..HIGH`."""
    return isinstance(source, str) and source.partition(":")[0] == WORD


def stated(text: str) -> Extremes | None:
    """What `data-free:0..255` says of the values of the inputs; nothing for `data-free` alone."""
    if text == WORD:
        return None
    low, _, high = text.removeprefix(f"{WORD}:").partition("..")
    try:
        extremes = float(low), float(high)
    except ValueError:
        extremes = np.nan, np.nan
    if not (np.isfinite(extremes).all() and extremes[0] < extremes[1]):
        message = f"expected '{WORD}', or with what inputs lie between, '{WORD}:0..255', not '{text}'."
        raise DnncError(Finding("--calibrate", message, "E0109"))
    return extremes


def synthesize(module: ModuleOp, store: WeightStore, extremes: Extremes | None = None, seed: int = 0) -> Synthetic:
    """Samples for the float inputs of a network as it was imported, its batch norms still in place."""
    function = main_function(module)
    types = function.function_type.inputs.data
    if unfit := [n for n, t in zip(input_names(function), types) if t.element_type != F32]:  # pyright: ignore
        message = f"expected float32 inputs to make up, not '{unfit[0]}' of another type. Give samples with --calibrate X.npz."
        raise DnncError(Finding("data-free calibration", message, "E0715"))
    batch = max(1, max((shape_of(t)[0] for t in types if shape_of(t)), default=1))
    macs = sum((op.work() for op in module.walk() if isinstance(op, DnnOp)), Work()).macs / batch
    affordable = int(np.clip(BUDGET / (60 * max(1, macs)), FEWEST, COUNT))
    rng, count = np.random.default_rng(seed), max(1, affordable // batch)
    samples = [[drawn(shape_of(t), rng, extremes) for t in types] for _ in range(count)]
    what = (
        "1/f noise of mean 0 and deviation 1"
        if extremes is None
        else f"1/f noise from {extremes[0]:g} to {extremes[1]:g}"
    )
    matching = Matching.of(module, store)
    if matching is None:
        return Synthetic(samples, f"{count * batch} inputs of {what}")
    with threadpool_limits(1, "blas"):  # the same sums on any machine
        matching.match(samples, extremes)
    return Synthetic(
        samples, f"{count * batch} inputs of {what}, moved to the statistics of {_counted(len(matching.norms))}"
    )


def _counted(norms: int) -> str:
    return f"{norms} batch norm{'s' if norms != 1 else ''}"


def drawn(shape: tuple[int, ...], rng: np.random.Generator, extremes: Extremes | None) -> np.ndarray:
    """Noise of mean 0 and deviation 1; between extremes a quarter of their distance, around the middle."""
    x = rng.standard_normal(shape)
    if len(shape) > 2 and min(shape[-2:]) > 1:
        fy, fx = np.fft.fftfreq(shape[-2])[:, None], np.fft.rfftfreq(shape[-1])
        frequency = np.maximum(np.hypot(fy, fx), 1 / max(shape[-2:]))
        x = np.fft.irfft2(np.fft.rfft2(x) / frequency, shape[-2:])
        x /= x.std() or 1
    if extremes is not None:
        low, high = extremes
        x = np.clip((low + high) / 2 + x * (high - low) / 4, low, high)
    return x.astype(np.float32)


@dataclass
class Matching:
    """The part of a network that its batch norms read, and the statistics these have stored."""

    store: WeightStore
    inputs: Sequence[SSAValue]
    ops: list[DnnOp]
    norms: dict[BatchNormOp, tuple[np.ndarray, np.ndarray]]
    fixed: dict[SSAValue, np.ndarray] = field(default_factory=dict)

    @staticmethod
    def of(module: ModuleOp, store: WeightStore) -> Matching | None:
        """None for a network without batch norms of constant statistics that depend on an input."""
        block = main_function(module).body.block
        moving, ops, norms = set[SSAValue](block.args), [], {}
        for op in block.ops:
            if not isinstance(op, DnnOp) or not moving & set(op.operands):
                continue
            ops.append(op)
            moving |= set(op.results)
            if isinstance(op, BatchNormOp) and all(isinstance(v.owner, ConstOp) for v in (op.mean, op.var)):
                mean, var = (v.owner.array(store).astype(np.float64) for v in (op.mean, op.var))  # pyright: ignore
                norms[op] = mean, np.sqrt(var + op.epsilon.data)
        last = max((i for i, op in enumerate(ops) if op in norms), default=-1)
        return Matching(store, list(block.args), ops[: last + 1], norms) if norms else None

    def match(self, samples: list[list[np.ndarray]], extremes: Extremes | None) -> None:
        """Adam on the inputs, in place, for as many rounds as the budget has; the best round is kept."""
        if extremes is None:
            self._scale(samples)
        macs = sum((op.work() for op in self.ops), Work()).macs * len(samples)
        rounds = int(min(ROUNDS, BUDGET / max(1, 3 * macs)))
        state = [[(np.zeros_like(x), np.zeros_like(x)) for x in row] for row in samples]
        rates = [RATE * float(np.std([row[i] for row in samples])) for i in range(len(self.inputs))]
        best, least = [[x.copy() for x in row] for row in samples], np.inf
        for step in watched(range(1, rounds + 1), "synthetic inputs"):
            loss, slopes = self.slopes(samples)
            if loss < least:
                best, least = [[x.copy() for x in row] for row in samples], loss
            for row, moments, slope in zip(samples, state, slopes):
                for i, x in enumerate(row):
                    adam(x, slope[i], moments[i], step, rates[i] * (1 - step / (rounds + 1)))
                    if extremes is not None:
                        np.clip(x, *extremes, out=x)
        for row, kept in zip(samples, best):
            row[:] = kept

    def _scale(self, samples: list[list[np.ndarray]]) -> None:
        """The power of two, of all inputs, at which the statistics of the first batch norm fit best to begin with."""
        first = next(i for i, op in enumerate(self.ops) if op in self.norms)
        norm = self.ops[first]
        assert isinstance(norm, BatchNormOp)
        head = Matching(self.store, self.inputs, self.ops[: first + 1], {norm: self.norms[norm]})
        powers = [2.0**k for k in range(-8, 10)]
        losses = [head.loss([[x * np.float32(p) for x in row] for row in samples[:FEWEST]]) for p in powers]
        for row in samples:
            row[:] = [x * np.float32(powers[int(np.argmin(losses))]) for x in row]

    def loss(self, samples: Sequence[Sample]) -> float:
        """Mean over batch norms and channels of ((m - mean) / deviation)^2 + ((s - deviation) / deviation)^2."""
        seen = self._moments([self._run(row) for row in samples])
        return float(np.mean([self._misfit(op, *moments)[0] for op, moments in seen.items()]))

    def slopes(self, samples: Sequence[Sample]) -> tuple[float, list[list[np.ndarray]]]:
        """The loss, and how it changes with each input of each sample."""
        values = [self._run(row) for row in samples]
        seen = self._moments(values)
        misfits = {op: self._misfit(op, *moments) for op, moments in seen.items()}
        loss = float(np.mean([m[0] for m in misfits.values()]))
        return loss, [self._back(row, seen, misfits) for row in values]

    def _run(self, row: Sample) -> dict[SSAValue, np.ndarray]:
        values = dict(zip(self.inputs, row))
        for op in self.ops:
            values.update(zip(op.results, run_op(op, [self._value(values, v) for v in op.operands], self.store)))
        return values

    def _value(self, values: dict[SSAValue, np.ndarray], v: SSAValue) -> np.ndarray:
        if v in values:
            return values[v]
        if v not in self.fixed:
            op = v.owner
            assert isinstance(op, Operation)
            operands = [self._value(values, o) for o in op.operands]
            self.fixed.update(zip(op.results, run_op(op, operands, self.store)))
        return self.fixed[v]

    def _moments(
        self, values: Iterable[dict[SSAValue, np.ndarray]]
    ) -> dict[BatchNormOp, tuple[np.ndarray, np.ndarray, int]]:
        """Mean and deviation of each channel that a batch norm reads, and of how many values."""
        rows = list(values)
        found = {}
        for op in self.norms:
            columns = [np.moveaxis(row[op.x], 1, 0).reshape(shape_of(op.x.type)[1], -1) for row in rows]
            x = np.concatenate(columns, 1).astype(np.float64)
            found[op] = x.mean(1), x.std(1), x.shape[1]
        return found

    def _misfit(self, op: BatchNormOp, m: np.ndarray, s: np.ndarray, n: int) -> tuple[float, np.ndarray, np.ndarray]:
        """The loss of a batch norm, and what it changes by with m and with s."""
        mean, deviation = self.norms[op]
        unit = np.maximum(deviation, FLOOR * deviation.mean()) ** 2
        share = 2 / (unit * len(mean) * len(self.norms))
        return (
            float((((m - mean) ** 2 + (s - deviation) ** 2) / unit).mean()),
            share * (m - mean),
            share * (s - deviation),
        )

    def _back(self, values: dict[SSAValue, np.ndarray], seen: dict, misfits: dict) -> list[np.ndarray]:
        """Slopes of one sample's inputs, from the last operation to the first."""
        slopes: dict[SSAValue, np.ndarray] = {}
        for op in reversed(self.ops):
            g = slopes.get(op.results[0]) if len(op.results) == 1 else None
            operands = [self._value(values, v) for v in op.operands]
            for i, v in enumerate(op.operands):
                part = None if v not in values or g is None else gradient(op, i, operands, values[op.results[0]], g)
                _add(slopes, v, part)
            if op in self.norms:
                _add(slopes, op.operands[0], _towards(values[op.operands[0]], seen[op], misfits[op]))
        return [slopes.get(v, np.zeros_like(values[v])) for v in self.inputs]


def _add(slopes: dict[SSAValue, np.ndarray], v: SSAValue, part: np.ndarray | None) -> None:
    if part is not None:
        slopes[v] = slopes[v] + part if v in slopes else part


def _towards(x: np.ndarray, seen: tuple, misfit: tuple) -> np.ndarray:
    """What the loss changes by with each value a batch norm reads: m has 1/n of it, s (x - m) / (n s)."""
    (m, s, n), (_, by_mean, by_deviation) = seen, misfit
    shape = (-1, *(1,) * (x.ndim - 2))
    along = [v.astype(np.float32).reshape(shape) for v in (m, by_mean / n, by_deviation / (n * np.maximum(s, 1e-12)))]
    return along[1] + along[2] * (x - along[0])


def adam(x: np.ndarray, g: np.ndarray, moments: tuple[np.ndarray, np.ndarray], step: int, rate: float) -> None:
    """One step of Adam in place: x -= rate * m / (1 - 0.9^t) / (sqrt(v / (1 - 0.999^t)) + 1e-12)."""
    m, v = moments
    m += 0.1 * (g - m)
    v += 0.001 * (g * g - v)
    x -= (rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-12)).astype(x.dtype)

"""What a program is fed to see whether it still computes the same: random values, and those at which wrong rewrites show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import ml_dtypes
import numpy as np
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import SSAValue

from dnnc.ir.dnn.base import DnnOp, Work
from dnnc.ir.dnn.elementwise import ClipOp
from dnnc.ir.interpret import check_inputs, main_function
from dnnc.ir.types import QuantType, dtype, element_type, integer_range, is_float, shape_of
from dnnc.passes.analysis.sources import load_samples
from dnnc.passes.calibrate import range_of

LARGE = 100.0
SPECIAL = (np.nan, np.inf, -np.inf, 1e-40)
CORNERS = (0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1.5, -1.5, 2.5, -2.5)  # ties of rounding among them
MANY_MACS = 1 << 30


@dataclass(frozen=True)
class Stimulus:
    """Named inputs of @main; `special` ones hold NaN and infinities."""

    name: str
    inputs: list[np.ndarray]
    special: bool = False


@dataclass(frozen=True)
class Input:
    """An input of @main: how to draw values for it."""

    value: SSAValue[TensorType]
    bounds: tuple[float, ...]  # of the clips of the program
    rng: np.random.Generator

    def array(self, values: np.ndarray) -> np.ndarray:
        """Values in the input's own type."""
        return np.asarray(values).astype(dtype(self.value.type.element_type))

    def random(self) -> np.ndarray:
        """Floats normal, or uniform over a calibrated range; integers uniform over a small range."""
        shape = shape_of(self.value.type)
        if not self.real:
            low, high = self.range
            return self.array(self.rng.integers(low, high + 1, shape))
        extremes = range_of(self.value)
        return self.array(self.rng.uniform(*extremes, shape) if extremes else self.rng.standard_normal(shape))

    def zeros(self) -> np.ndarray:
        """Zeros of both signs; a quantized input is at its zero point."""
        zero = self.zero if not self.real else self.rng.choice((0.0, -0.0), shape_of(self.value.type))
        return self.array(np.broadcast_to(zero, shape_of(self.value.type)))

    def large(self) -> np.ndarray:
        """Floats a hundred times as large; integers at the ends of their range."""
        if self.real:
            return self.array(self.random().astype(np.float64) * LARGE)
        return self.array(self.rng.choice(self.range, shape_of(self.value.type)))

    def edges(self) -> np.ndarray:
        """Every other value at a bound of a clip, at a tie or at a corner of the range, or next to one."""
        x = self.random()
        return np.where(self.rng.integers(0, 2, x.shape) == 1, self.array(self.rng.choice(self._edges(), x.shape)), x)

    def few(self) -> np.ndarray:
        """Integers 0 and 1, indices of anything that has two elements; floats random."""
        return self.random() if self.real else self.array(self.rng.integers(0, 2, shape_of(self.value.type)))

    def special(self) -> np.ndarray:
        """One value in 64, and at least one, not a number, infinite or denormal."""
        x = self.random()
        if self.real and x.size:
            at = self.rng.choice(x.size, max(1, x.size // 64), replace=False)
            x.reshape(-1)[at] = self.array(self.rng.choice(SPECIAL, at.size))
        return x

    def _edges(self) -> np.ndarray:
        if not self.real:
            near = {*self.range, -1, 0, 1, self.zero - 1, self.zero, self.zero + 1}
            return np.array(sorted(v for v in near if self.range[0] <= v <= self.range[1]))
        near = [np.nextafter(np.float32(b), np.float32(to)) for b in self.bounds for to in (-np.inf, np.inf)]
        return np.array([*CORNERS, *self.bounds, *near])

    @property
    def real(self) -> bool:
        """Whether the values are floats."""
        return is_float(self.value.type.element_type)

    @property
    def range(self) -> tuple[int, int]:
        """Integers it is fed: all of 8 bits, of wider types the same few, since they may be indices."""
        element = self.value.type.element_type
        low, high = integer_range(element.storage if isinstance(element, QuantType) else element)
        return (low, high) if isinstance(element, QuantType) else (max(low, -128), min(high, 127))

    @property
    def zero(self) -> int:
        """The integer that stands for 0."""
        element = self.value.type.element_type
        return int(element.zero) if isinstance(element, QuantType) and element.axis is None else 0


DRAWS: tuple[tuple[str, int, Callable[[Input], np.ndarray]], ...] = (
    ("random values", 0, Input.random),
    ("values at edges", 1, Input.edges),
    ("other random values", 2, Input.random),
    ("large values", 3, Input.large),
    ("zeros", 4, Input.zeros),
    ("NaN and infinities", 5, Input.special),
    ("zeros and ones", 6, Input.few),
)


def stimuli(module: ModuleOp) -> list[Stimulus]:
    """Seeded inputs of @main; the first two alone for a network of more than 2^30 MACs, one where nothing can differ."""
    args = main_function(module).body.block.args
    kinds = DRAWS if args else DRAWS[:1]
    if sum((op.work() for op in module.walk() if isinstance(op, DnnOp)), Work()).macs > MANY_MACS:
        kinds = kinds[:2]
    elements = [a.type.element_type for a in args]  # pyright: ignore[reportAttributeAccessIssue]
    unfit = [Input.special] if not any(map(is_float, elements)) else []
    unfit += [Input.few] if all(is_float(e) or isinstance(e, QuantType) for e in elements) else []
    return [
        Stimulus(name, draw_inputs(module, seed, draw), draw is Input.special)
        for name, seed, draw in kinds
        if draw not in unfit
    ]


def draw_inputs(
    module: ModuleOp, seed: int = 0, draw: Callable[[Input], np.ndarray] = Input.random
) -> list[np.ndarray]:
    """One array for each input of @main."""
    rng, bounds = np.random.default_rng(seed), clip_bounds(module)
    return [draw(Input(arg, bounds, rng)) for arg in main_function(module).body.block.args]  # pyright: ignore


def clip_bounds(module: ModuleOp) -> tuple[float, ...]:
    """The finite bounds of all clips."""
    bounds = (b.data for op in module.walk() if isinstance(op, ClipOp) for b in (op.low, op.high))
    return tuple(sorted({b for b in bounds if np.isfinite(b)}))


def shaken(inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The inputs with their floats moved by up to one unit in the last place of the largest."""
    rng = np.random.default_rng(0)
    return [_shaken(x, rng) if is_real(x) else x for x in inputs]


def _shaken(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    wide = x.astype(np.float64)
    step = (np.abs(wide[np.isfinite(wide)]).max(initial=0) or 1.0) * 2.0 ** -ml_dtypes.finfo(x.dtype).nmant
    return (wide + step * rng.uniform(-1, 1, x.shape)).astype(x.dtype)


def is_real(x: np.ndarray) -> bool:
    """Whether an array holds floats, those numpy has no type for among them."""
    return is_float(element_type(x.dtype))


def read_stimuli(path: Path, module: ModuleOp) -> list[Stimulus]:
    """The samples of an .npz file, each with one array for each input of @main in order."""
    function = main_function(module)
    args = function.body.block.args
    samples = load_samples(path, function) if args else [[]]
    found = []
    for i, sample in enumerate(samples):
        arrays = [_viewed(x, dtype(a.type.element_type)) for x, a in zip(sample, args)]  # pyright: ignore
        check_inputs(function.body.block, arrays)
        real = [x.astype(np.float64) for x in arrays if is_real(x)]
        name = f"sample {i} of {path.name}" if len(samples) > 1 else path.name
        found.append(Stimulus(name, arrays, not all(np.isfinite(x).all() for x in real)))
    return found


def _viewed(x: np.ndarray, kind: np.dtype) -> np.ndarray:
    """An .npz keeps types numpy does not know, as bfloat16, as bytes."""
    return x.view(kind) if x.dtype.kind == "V" and x.dtype.itemsize == kind.itemsize else x

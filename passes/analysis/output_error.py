"""How far the outputs of a changed network are from those of the network it was, on the samples of a run or on random inputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Attribute, SSAValue

from dnnc.ir.blocked import Blocked
from dnnc.ir.dnn.base import DnnOp, Work
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.types import QuantType, dtype, integer_range, is_float, shape_of
from dnnc.ir.weights import ABSENT, WeightStore
from dnnc.passes.analysis.errors import Errors, real
from dnnc.passes.analysis.samples import Sample, offered_samples, watched
from dnnc.passes.analysis.sources import Samples
from dnnc.passes.calibrate import range_of

MANY_MACS = 1 << 33
"""MACs of all random inputs together, of which a larger network gets fewer, one at least."""


def measured(before: ModuleOp, after: ModuleOp, store: WeightStore, blocks: tuple[int, int], most: int) -> Blocked:
    """The errors of all outputs over at most so many samples; `blocks` has the layers in blocks and their least size."""
    if ABSENT in before.attributes:
        return Blocked(*blocks, 0, "weights are absent", None, None, None, None)
    samples, source = _inputs(before, most)
    elements = [_element(v) for v in _outputs(before)]
    errors, classes, same = Errors(None), _scores(_outputs(before)), 0
    for sample in watched(samples, "samples with blocks and without"):
        was, now = (evaluate(module, sample, store) for module in (before, after))
        for x, y, element in zip(was, now, elements):
            errors.add(*(real(v, element if isinstance(element, QuantType) else None) for v in (x, y)))
        same += classes and int(np.argmax(was[0]) == np.argmax(now[0]))
    facts = errors.to_dict()
    figures = facts["max_error"], facts["snr_db"], facts["cosine"], same if classes else None
    return Blocked(*blocks, len(samples), source, *figures)


def _outputs(module: ModuleOp) -> Sequence[SSAValue]:
    end = main_function(module).body.block.last_op
    assert isinstance(end, ReturnOp)
    return end.operands


def _element(value: SSAValue) -> Attribute:
    return value.type.element_type  # pyright: ignore[reportAttributeAccessIssue]


def _scores(outputs: Sequence[SSAValue]) -> bool:
    """Whether the first output holds scores of classes: more than one element along one dimension alone."""
    return bool(outputs) and sum(n > 1 for n in shape_of(outputs[0].type)) == 1


def _inputs(module: ModuleOp, most: int) -> tuple[Sequence[Sample], str]:
    """Samples to measure on, and in words which."""
    offered = offered_samples()
    if offered is not None:
        kept = [offered[i] for i in range(min(most, len(offered)))]
        made = "data-free " if isinstance(offered, Samples) and offered.made else ""
        of = f"{len(kept)} of {len(offered)}" if len(kept) < len(offered) else f"{len(kept)}"
        return kept, f"{of} {made}sample{'s' * (len(offered) != 1)}"
    macs = sum((op.work() for op in module.walk() if isinstance(op, DnnOp)), Work()).macs
    count, rng = max(1, min(most, MANY_MACS // max(1, macs))), np.random.default_rng(0)
    values = main_function(module).body.block.args
    drawn = [[_drawn(value, rng) for value in values] for _ in range(count)]
    return drawn, f"{count} input{'s' * (count != 1)} drawn at random, as no samples are given"


def _drawn(value: SSAValue, rng: np.random.Generator) -> np.ndarray:
    """Floats normal, or uniform over a calibrated range; integers uniform over those of the type."""
    shape, element = shape_of(value.type), _element(value)
    if is_float(element):
        extremes = range_of(value)
        x = rng.uniform(*extremes, shape) if extremes else rng.standard_normal(shape)
    else:
        low, high = integer_range(element.storage if isinstance(element, QuantType) else element)
        x = rng.integers(low, high, shape, endpoint=True)
    return np.asarray(x).astype(dtype(element))

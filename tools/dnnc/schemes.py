"""The scheme of a run: the one asked for is applied while passes run, the one that was chosen is read off what they leave."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from glob import escape
from math import prod
from pathlib import Path

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass

from dnnc.ir.diagnostics import Collector, DnncError, Finding
from dnnc.ir.dnn.quantize import QuantizeOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.stages import ISLAND
from dnnc.ir.types import QuantType, bits, shape_of, type_name
from dnnc.ir.weights import WeightStore, atomic_file
from dnnc.passes import INT8, SIMPLIFY
from dnnc.passes.analysis.choices import FLOAT, Choice, choice_of, width
from dnnc.passes.analysis.contractions import weight_axis
from dnnc.passes.analysis.integer_forms import comes_quantized
from dnnc.passes.analysis.integer_weights import bits_of
from dnnc.passes.analysis.layers import Layer, layers_of
from dnnc.passes.analysis.scheme import Rule, Scheme, exact
from dnnc.passes.apply_scheme import ApplySchemePass
from dnnc.passes.calibrate import CalibratePass
from dnnc.passes.decompose import DecomposePass
from dnnc.passes.mixed_precision import Allocation, MixedPrecisionPass
from dnnc.passes.pipeline import Pipeline
from dnnc.passes.quantize import QuantizePass
from dnnc.passes.quantize_lower import QuantizeLowerPass

# Passes that know nothing of quantization: layers have the names that these leave.
BEFORE = (*INT8[: INT8.index(QuantizePass)], DecomposePass)

ENDING = ".scheme.toml"


@dataclass(frozen=True)
class Asked:
    """What a user wants of the scheme of a run: the one to go by, widths within a budget, where to write what is chosen."""

    scheme: Scheme | None = None
    budget: MixedPrecisionPass | None = None
    out: str | Path | None = None

    def passes(self, passes: Pipeline) -> Pipeline:
        """Passes of which those up to integers are the scheme's; with a budget, widths are found before any is needed."""
        if self.scheme is not None and self.scheme.passes and quantizes(passes):
            passes = Pipeline([_up_to_integers(self.scheme, passes), passes[integers(passes) :]])
        if self.budget is None or not quantizes(passes):
            return passes
        at = front(passes)
        return Pipeline([passes[:at], self.budget, *rounding(self.budget, passes), passes[at:]])


def front(passes: Iterable[ModulePass]) -> int:
    """How many passes run before the first that does anything but simplify."""
    kept = list(passes)
    return next((i for i, p in enumerate(kept) if not isinstance(p, BEFORE)), len(kept))


def integers(passes: Iterable[ModulePass]) -> int:
    """How many passes run until values are integers."""
    kept = list(passes)
    return next((i + 1 for i, p in enumerate(kept) if isinstance(p, QuantizeLowerPass)), len(kept))


def quantizes(passes: Iterable[ModulePass]) -> bool:
    """Whether passes give values the types of integers."""
    return any(isinstance(p, QuantizePass) for p in passes)


def pipeline_of(scheme: Scheme) -> Pipeline:
    """The passes a scheme names; DnncError lists those that are none, each with its line."""
    found, problems = [], Collector()
    for text, place in zip(scheme.passes, scheme.places or scheme.passes):
        try:
            found.append(Pipeline(text))
        except DnncError as e:
            for f in e.findings:
                problems.error(place, f"{f.where}: {f.message}" if f.where else f.message, f.code)
    problems.raise_if_any()
    return Pipeline(found)


def _up_to_integers(scheme: Scheme, passes: Pipeline) -> Pipeline:
    """The passes of a scheme, in place of those that run up to integers; DnncError when theirs is another end."""
    stated, lower = list(pipeline_of(scheme)), QuantizeLowerPass
    if any(isinstance(p, lower) for p in passes) and not isinstance(stated[-1], lower):
        place = scheme.places[-1] if scheme.places else scheme.source
        message = f"expected passes up to integers, the last of them {lower.name}, not {scheme.passes[-1]}."
        raise DnncError(Finding(f"{place}: passes", f"{message} Those behind it are the command's own.", "E0706"))
    return Pipeline(stated)


def rounding(budget: MixedPrecisionPass, passes: Pipeline) -> list[str]:
    """The passes that make integers of the widths a budget finds, as it measured them, unless they run already."""
    options = f"{{damping={budget.damping}}}" if budget.quantizer == "gptq" else "{bits=8}"
    there = {p.name for p in passes}
    return [
        text
        for name, text in ((budget.quantizer, budget.quantizer + options), ("correct-bias",) * 2)
        if name not in there
    ]


class Schemed:
    """The scheme of one run of passes; `before` and `after` are told of each of them."""

    def __init__(self, asked: Asked | None, passes: Pipeline, store: WeightStore):
        self.asked, self.store = asked or Asked(), store
        self.passes = self.asked.passes(passes)
        self.calibration: CalibratePass | None = None
        self.noted = False
        self.choices: dict[Operation | int, Choice] = {}
        self.chosen: Scheme | None = None

    def before(self, one: ModulePass, module: ModuleOp) -> None:
        """Note the scheme on the layers when simplification is over; keep what is noted when types are about to be given."""
        if not isinstance(one, BEFORE):
            self.note(module)
        if isinstance(one, QuantizePass) and not comes_quantized(module):
            self.choices = {_key(x, i): choice_of(x.value) for i, x in enumerate(layers_of(module))}

    def note(self, module: ModuleOp, calibration: CalibratePass | None = None) -> None:
        """Note what is asked for on the layers, once; the pass that finds ranges, if none of the pipeline does, is kept."""
        if calibration != CalibratePass():  # what a run does by itself
            self.calibration = calibration or self.calibration
        scheme = self.asked.scheme
        if scheme is None or self.noted:
            return
        if comes_quantized(module):
            message = "expected a network in floats, not one that comes quantized, whose types are its own."
            raise DnncError(Finding(scheme.source, f"{message} Leave the scheme out.", "E0713"))
        scheme.annotate(module)
        self.noted = True

    def after(self, one: ModulePass, module: ModuleOp) -> None:
        """Read the types off what has got them."""
        if isinstance(one, QuantizePass) and self.choices:
            rules = (self._rule(x, i) for i, x in enumerate(layers_of(module)))
            self.chosen = Scheme(tuple(r for r in rules if r.choice.stated()), tuple(_texts(self._named())))

    def _rule(self, layer: Layer, i: int) -> Rule:
        before = self.choices.get(_key(layer, i), Choice())
        whole = before | actual(layer)
        if before.outliers is not None or before.channels is not None:
            whole |= Choice(weights=before.weights)
        weights = layer.weights()
        if weights is None:
            return exact(layer, whole)
        count = prod(shape_of(weights.result.type))
        return exact(layer, whole, count, self._bits(layer, whole, weights))

    def _bits(self, layer: Layer, choice: Choice, weights: ConstOp) -> int:
        """The bits of a layer's weights, those of outliers and of wider channels more."""
        element = weights.result.type.element_type  # pyright: ignore[reportAttributeAccessIssue]
        values, axis = weights.array(self.store), weight_axis(layer.op)  # pyright: ignore[reportArgumentType]
        if choice.bits is None or axis is None or not isinstance(element, QuantType):
            return values.size * bits(element)
        if choice.channels is not None:
            return bits_of(choice.channels, (values.shape[axis], values.size // values.shape[axis]))
        if choice.outliers is None:
            return values.size * bits(element)
        rows = np.moveaxis(values.astype(np.int32), axis, 0).reshape(values.shape[axis], -1)
        beyond = (rows >= 2 ** (choice.bits - 1)) | (rows < -(2 ** (choice.bits - 1)))
        widths = np.where(beyond.any(1), width(choice.outliers), choice.bits)
        return bits_of(widths, rows.shape)

    def _named(self) -> list[ModulePass]:
        """The passes up to integers, without those that decided what is on the layers now."""
        found: list[ModulePass] = []
        for p in self.passes.passes[: integers(self.passes)]:
            if isinstance(p, QuantizePass) and self.calibration is not None:
                found.append(self.calibration)
            if not isinstance(p, (MixedPrecisionPass, ApplySchemePass)):
                found.append(p)
        return found

    def finish(self, name: str) -> tuple[Asked | None, Scheme | None]:
        """What is still asked for, and what was chosen; DnncError when what was asked for could not be done."""
        asked = self.asked
        if front(self.passes) == len(self.passes) or (asked == Asked() and self.chosen is None):
            return asked, None
        if self.chosen is None:
            option = "--scheme" if asked.scheme else "budget" if asked.budget else "--scheme-out"
            message = "expected passes that quantize a network in floats, not these. End them with int8."
            raise DnncError(Finding(option, message, "E0713"))
        found = next(iter(asked.budget.found[-1:]), None) if asked.budget is not None else None
        chosen = with_notes(self.chosen, name, found)
        if asked.out is not None:
            save(chosen, asked.out)
        return None, chosen


def _key(layer: Layer, i: int) -> Operation | int:
    """What stands for a layer across `quantize`: its operation, or the number of an input."""
    return layer.op if layer.op is not None else i


def actual(layer: Layer) -> Choice:
    """What a layer is quantized to, as the types around it say."""
    weights, op, stated = layer.weights(), layer.op, dict[str, str]()
    element = weights.result.type.element_type if weights is not None else None  # pyright: ignore
    if isinstance(element, QuantType):
        stated["weights"] = f"int{element.storage.width.data}"  # pyright: ignore[reportAttributeAccessIssue]
        stated |= {"by": "tensor"} if element.axis is None else {}
    to = next((u.operation.to for u in layer.value.uses if isinstance(u.operation, QuantizeOp)), None)
    if op is not None and ISLAND in op.attributes and layer.typed():
        stated["activations"] = FLOAT
        stated |= {"weights": FLOAT} if weights is not None and "weights" not in stated else {}
    elif isinstance(to, QuantType) and layer.typed():
        stated["activations"] = type_name(to.storage).replace("i", "int", 1)
    return Choice(**stated)  # pyright: ignore[reportArgumentType]


def _texts(passes: Sequence[ModulePass]) -> Iterable[str]:
    """Passes as text, `simplify` for the run of passes it stands for."""
    i, whole = 0, [kind() for kind in SIMPLIFY]
    while i < len(passes):
        simplify = list(passes[i : i + len(whole)]) == whole
        yield "simplify" if simplify else str(Pipeline([passes[i]]))
        i += len(whole) if simplify else 1


def with_notes(scheme: Scheme, model: str, found: Allocation | None) -> Scheme:
    """The same with a word on what it is, and what each layer alone loses behind its line."""
    alone = {escape(x.name): x.kl for x in found.layers} if found is not None else {}
    rules = tuple(replace(r, kl=alone.get(r.pattern)) for r in scheme.rules)
    head = [
        f"What each layer of {model} is quantized to: of all lines that fit a layer, the last that states a key decides it.",
        "Read with --scheme; docs/quantization.md says what the keys mean.",
    ]
    if found is not None:
        held = f"KL {found.kl:.3g} nats, by the weights alone, on {found.held_out} samples held out"
        head.append(f"{found.average:.3f} bits a weight; {held}.")
    return replace(scheme, rules=rules, comments=tuple(head))


def save(scheme: Scheme, path: str | Path) -> Path:
    """Write a scheme; the file."""
    with atomic_file(path) as f:
        f.write(scheme.text().encode())
    return Path(path)

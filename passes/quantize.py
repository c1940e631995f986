"""Every value between operations with an integer form gets a quantized type from its calibrated range.

%1 = dnn.conv %x, %w, bias(%b)        %xq = dnn.quantize %x to = !dnn.q<i8, s_x, z_x>
                                      %xd = dnn.dequantize %xq
%2 = dnn.relu %1                ->    %1 = dnn.conv %xd, %wd, bias(%bd), the constants dequantized from int8 and int32
                                      %q = dnn.quantize %1 to = !dnn.q<i8, s_y, z_y>, the range of %2, which alone reads %1
                                      ...
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, UnitAttr
from xdsl.ir import Block, BlockArgument, Operation, OpResult, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.diagnostics import Collector, where
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.composite import SoftmaxOp
from dnnc.ir.dnn.contraction import MatmulOp
from dnnc.ir.dnn.elementwise import CastOp
from dnnc.ir.dnn.integer import softmax_type
from dnnc.ir.dnn.quantize import DequantizeOp, QuantizeOp, along, quantized
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import main_function
from dnnc.ir.stages import ISLAND
from dnnc.ir.types import I8, I32, QuantType, bits, dtype, shape_of, tensor
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.analysis.choices import FLOAT as IN_FLOAT
from dnnc.passes.analysis.choices import SCHEME, Choice, choice_of, set_input_choices
from dnnc.passes.analysis.contractions import Contraction, weight_axis
from dnnc.passes.analysis.integer_forms import (
    Tables,
    bounds,
    comes_quantized,
    constant,
    constant_norm,
    contraction,
    in_float,
    integer_form,
    real,
    single,
)
from dnnc.passes.analysis.integer_weights import FLOAT, channel_widths
from dnnc.passes.analysis.quantized_types import LARGEST_BIAS, Range, activation_type, narrow_type, power_above
from dnnc.passes.calibrate import RANGE, SAMPLES, range_of
from dnnc.passes.expand_weights import expand
from dnnc.passes.fuse_groups import only_user
from dnnc.passes.laws.half_floats import widen_half_floats
from dnnc.passes.laws.quantized_steps import quantize_steps
from dnnc.passes.laws.slope_bias import fold_slope_bias
from dnnc.passes.laws.whole_inputs import quantize_whole_inputs
from dnnc.passes.laws.zero_sums import drop_zero_sums
from dnnc.passes.quantize_lower import REMEDY


@dataclass(frozen=True)
class QuantizePass(ModulePass):
    """Plain min-max int8: activations asymmetric per tensor, weights symmetric per output channel, biases int32.

    Needs the ranges `calibrate` leaves; `quantize-lower` makes integers of it. What only moves or bounds values has one
    type for all it reads and makes; `unify=false` refuses to join values whose own types are unequal. Operations after
    the last contraction that have no integer form stay in float as islands, marked `dnn.island`, and with `float-softmax`
    a softmax there too; one before it is refused, unless `islands` allows it. `symmetric` gives activations zero point 0,
    `per-tensor` weights one scale; with `power-of-two` all scales are powers of two, the next ones up, so that every
    requantize is a shift. A network with quantized values keeps all types it has, one with weights alone
    quantized those; of the first, inputs in float that are read as whole numbers become integers at scale 1. The values
    of a loop's steps are int16 at powers of two, what its products read int8. float16 and bfloat16 are float32 in between.
    What a scheme says of a layer goes first.
    """

    name = "quantize"
    islands: bool = False
    symmetric: bool = False
    per_tensor: bool = False
    float_softmax: bool = True
    unify: bool = True
    power_of_two: bool = False

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        fold_slope_bias(op, store_of(ctx))
        expand(op, store_of(ctx))
        block = main_function(op).body.block
        if not comes_quantized(op):
            widen_half_floats(op, store_of(ctx))
            drop_zero_sums(op, store_of(ctx))
            quantize_steps(op, store_of(ctx))  # first: loops state the types of what they read
            typing = _Typing(block, store_of(ctx), self)
            typing.check()
            typing.run()
        else:
            quantize_whole_inputs(op, store_of(ctx))
        for inner in block.ops:
            for noted in (RANGE, SCHEME, FLOAT):
                inner.attributes.pop(noted, None)
        set_input_choices(main_function(op), {})


def _taken_in(op: DnnOp) -> bool:
    """Whether an operation only brings an input of the network into float, which the host does as it quantizes it."""
    return isinstance(op, CastOp) and isinstance(op.x, BlockArgument)


@dataclass
class _Typing:
    block: Block
    store: WeightStore
    options: QuantizePass
    parent: dict[SSAValue, SSAValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        start = self.block.first_op
        assert start is not None
        self.start = start
        given = (ConstOp, DequantizeOp, QuantizeOp)
        self.ops = [op for op in self.block.ops if isinstance(op, DnnOp) and not isinstance(op, given)]
        self.tables = Tables.of(self.ops)
        self.last = max((i for i, op in enumerate(self.ops) if contraction(op) and in_float(op)), default=-1)
        self.islands: set[Operation] = set()
        for i, op in enumerate(self.ops):
            if in_float(op) and self._stays(op, i):
                self.islands.add(op)
        self.integer = {op: None for op in self.ops if in_float(op) and op not in self.islands}
        for op in self.integer:
            shared = [*self._joined(op), *filter(real, op.results)] if self._one_type(op) else []
            for v in shared[1:] if self.options.unify else shared[-1:]:
                self._join(v, shared[0])
        self.sources = self._sources()
        rounded = [op for op in self.block.ops if isinstance(op, QuantizeOp) and isinstance(op.to, QuantType)]
        self.stated = {**self._handed_out(), **{self.root(op.x): op.to for op in rounded}}

    def _handed_out(self) -> dict[SSAValue, QuantType]:
        """What loops give that is only moved on to outputs keeps its type, of several the coarsest."""
        values = {v: self.root(v) for op in self.integer for v in self.typed(op)}
        computed = {root for v, root in values.items() for u in v.uses if self._computes(u.operation)}
        found: dict[SSAValue, QuantType] = {}
        for v, root in values.items():
            given = v.owner.element() if isinstance(v.owner, DequantizeOp) else None
            if isinstance(given, QuantType) and root not in computed:
                found[root] = max(found.get(root, given), given, key=lambda q: float(q.scale))
        return found

    def _computes(self, op: Operation) -> bool:
        return isinstance(op, DnnOp) and op in self.integer and not self._one_type(op)

    def _stays(self, op: DnnOp, i: int) -> bool:
        """Whether an operation stays in float: it has no integer form, or follows one that does after all contractions."""
        if not integer_form(op, self.tables):
            return True
        after = i > self.last
        softmax = isinstance(op, SoftmaxOp) and self.options.float_softmax
        return choice_of(op).island or (after and (softmax or any(v.owner in self.islands for v in op.operands)))

    def _one_type(self, op: DnnOp) -> bool:
        inner = op.results[0] in self.tables.roots
        return (op.keeps_type() or bounds(op)) and not inner

    def _joined(self, op: DnnOp) -> list[SSAValue]:
        return [v for v in op.operands if real(v)]

    def _join(self, value: SSAValue, first: SSAValue) -> None:
        if (root := self.root(value)) is not (other := self.root(first)):
            self.parent[root] = other

    def root(self, value: SSAValue) -> SSAValue:
        """The value that stands for all of one type with this one."""
        while value in self.parent:
            value = self.parent[value]
        return value

    # Ranges and types

    def typed(self, op: DnnOp) -> list[SSAValue]:
        """The values an integer operation reads and makes that get a type from their range."""
        parameters = op.operands[1:] if contraction(op) or constant_norm(op) else ()
        skipped = {v for v in parameters if constant(v) is not None}
        values = [v for v in (*op.operands, *op.results) if real(v) and v not in skipped and v not in self.tables.inner]
        return [v for v in values if not (single(v) and op.results[0] in self.tables.roots)]

    def _sources(self) -> dict[SSAValue, list[SSAValue]]:
        """For each type the values that set its range: those not moved or bounded from others of that type."""
        found: dict[SSAValue, dict[SSAValue, None]] = {}
        for op in self.integer:
            for v in self.typed(op):
                made = v.owner
                if not (isinstance(made, DnnOp) and made in self.integer and self._one_type(made)):
                    found.setdefault(self.root(v), {})[v] = None
        return {root: list(values) for root, values in found.items()}

    def range(self, value: SSAValue) -> Range | None:
        """The range of a source: the one stated of it, that of the bound that alone reads it, or its own."""
        if (stated := choice_of(value).range) is not None:
            return stated
        if isinstance(value.owner, ConstOp):
            array = value.owner.array(self.store)
            return float(array.min(initial=0)), float(array.max(initial=0))
        after = only_user(value)
        bounded = range_of(after.results[0]) if after is not None and bounds(after) else None
        return bounded or range_of(value)

    def type(self, value: SSAValue) -> QuantType:
        """The quantized type of a value: the one stated, or the range of all that set it; that of probabilities is known."""
        if (stated := self.stated.get(self.root(value))) is not None:
            assert isinstance(stated, QuantType)
            return stated
        sources = self.sources[self.root(value)]
        choice = next((c for c in map(choice_of, sources) if c.stated() and not c.island), Choice())
        if all(isinstance(v.owner, SoftmaxOp) for v in sources):
            return softmax_type(choice.storage or I8)
        if (given := self._given(sources)) is not None and not choice.stated():
            return given
        ranges = [r for r in map(self.range, sources) if r is not None]
        symmetric = self.options.symmetric if choice.symmetric is None else choice.symmetric
        extremes = min(r[0] for r in ranges), max(r[1] for r in ranges)
        return activation_type(extremes, symmetric, choice.storage, self.options.power_of_two)

    def _given(self, sources: list[SSAValue]) -> QuantType | None:
        """The type of an input that comes quantized and alone sets the range; layers read 8 bits of what a loop gives."""
        made = sources[0].owner
        if not isinstance(made, DequantizeOp) or not isinstance(made.x, BlockArgument) or len(sources) > 1:
            return None
        element = made.element()
        return element if isinstance(element, QuantType) and element.axis is None else None

    def check(self) -> None:
        """Refuse, all at once, what has no integer form and what was not calibrated."""
        report, seen = Collector(), set[SSAValue]()
        if none := self._uncalibrated():
            report.error("main", f"expected calibrated ranges, not a network without any. {SAMPLES}", "E0701")
        for i, op in enumerate(self.ops):
            place = where(op.location, op.name)
            if op in self.islands:
                if i < self.last and not self.options.islands and not choice_of(op).island and not _taken_in(op):
                    kinds = ", ".join(str(v.type.element_type) for v in op.operands)  # pyright: ignore
                    report.refuse(place, f"'{op.name}' on ({kinds}) has no integer form. {REMEDY}", "E0703")
            elif op in self.integer and not none:
                self._check_ranges([v for v in self.typed(op) if v not in seen], place, report)
                seen.update(self.typed(op))
                self._check_choices(op, place, report)
        report.raise_if_any()

    def _uncalibrated(self) -> bool:
        """Whether ranges are needed and no value of the network has one."""
        sources = [
            v for values in self.sources.values() for v in values if not isinstance(v.owner, (ConstOp, SoftmaxOp))
        ]
        return bool(sources) and all(self.range(v) is None for v in sources)

    def _check_ranges(self, values: list[SSAValue], place: str, report: Collector) -> None:
        own = [v for v in values if v in self.sources.get(self.root(v), ())]
        ranges = [self.range(v) for v in own if not isinstance(v.owner, SoftmaxOp)]
        if None in ranges:
            report.error(place, f"expected a calibrated range, not none. {SAMPLES}", "E0701")
        elif not np.isfinite([r for r in ranges if r]).all():
            report.error(
                place,
                f"expected finite operands and results on the samples, not {ranges}. Look for nan and inf in the samples.",
                "E0702",
            )

    def _check_choices(self, op: DnnOp, place: str, report: Collector) -> None:
        """Integers have integer weights, and values that share one type have one stated of them."""
        if contraction(op) and choice_of(op).weights == IN_FLOAT:
            message = "expected integer weights of a layer on integers, not float."
            report.error(place, f'{message} State activations = "float" of it too.', "E0709")
        made, w = choice_of(op).algorithm, constant(op.operands[1]) if contraction(op) else None
        if made is not None and w is not None and real(w.result):
            message = f"expected weights that '{made}' made integers of, which did not run."
            report.error(place, f"{message} Name it among the passes, before quantize.", "E0709")
        if not self._one_type(op):
            return
        if not self.options.unify:
            return self._check_equal(op, place, report)
        stated = [c for v in self.sources.get(self.root(op.results[0]), ()) if not (c := choice_of(v)).island]
        kinds = [f"{c.activations or 'int8'}{' symmetric' if c.symmetric else ''}" for c in stated]
        if len(set(kinds)) > 1:
            shown = " and ".join(dict.fromkeys(kinds))
            message = f"expected one type for the values that '{op.name}' joins, not {shown}."
            report.error(place, f"{message} State the same of each in the scheme.", "E0710")

    def _check_equal(self, op: DnnOp, place: str, report: Collector) -> None:
        """Values that are not made of one type must have it."""
        sources = [self.sources.get(self.root(v), ()) for v in self._joined(op)]
        if any(self.range(v) is None for values in sources for v in values):
            return
        kinds = dict.fromkeys(str(self.type(v)) for v in self._joined(op))
        if len(kinds) > 1:
            message = f"expected one type for the values that '{op.name}' joins, not {' and '.join(kinds)}."
            report.error(place, f"{message} Leave out unify=false, or give them one range.", "E0710")

    # Rewriting

    def run(self) -> None:
        """Put quantize and dequantize behind every typed value, and dequantized constants before contractions."""
        for op in self.islands:
            op.attributes[ISLAND] = UnitAttr()
        types = {v: self.type(v) for op in self.integer for v in self.typed(op)}
        for op in self.integer:
            if contraction(op):
                self._constants(op, types[op.operands[0]])  # pyright: ignore
        for op in self.islands:
            if contraction(op) and choice_of(op).bits is not None and (w := constant(op.operands[1])) is not None:
                self._weights(op, w)  # pyright: ignore
        for value, type_ in types.items():
            self._wrap(value, type_)

    def _wrap(self, value: SSAValue, type_: QuantType) -> None:
        """Everyone reads the dequantized value; islands read what islands and inputs make as it is."""
        if isinstance(value.owner, ConstOp):
            readers = [u for u in value.uses if u.operation in self.integer]
            new = self._constant(value.owner, type_, "i8")
        else:
            made = isinstance(value, OpResult) and value.op in self.integer
            readers = [u for u in value.uses if made or u.operation in self.integer]
            new = [QuantizeOp(value, to=type_)]
        new = [*new, DequantizeOp(new[-1])]
        self._insert(new, value, readers[0].operation if readers else self.start)
        for use in readers:
            use.operation.operands[use.index] = new[-1].results[0]

    def _insert(self, new: Iterable[Operation], value: SSAValue, reader: Operation) -> None:
        made = value.owner
        for op in new:
            op.location = (made if isinstance(made, Operation) else reader).location
        point = InsertPoint.after(made) if isinstance(made, Operation) else InsertPoint.before(self.start)
        Rewriter.insert_op(list(new), point)

    def _constant(
        self, op: ConstOp, type_: QuantType, suffix: str, values: np.ndarray | None = None
    ) -> list[Operation]:
        values = quantized(op.array(self.store), type_) if values is None else values
        hint = op.key.data if op.key is not None else "weights"
        return [ConstOp.of(values, self.store, f"{hint}.{suffix}", tensor(type_, values.shape))]

    def _constants(self, op: Contraction, x: QuantType) -> None:
        w = constant(op.operands[1])
        if w is None:
            return
        w_type = self._weights(op, w, float(x.scale))
        if op.bias is not None and isinstance(op.bias.owner, ConstOp):
            self._bias(op, np.asarray(x.scale * w_type.scale, np.float32), w)

    def _weights(self, op: Contraction, w: ConstOp, scale: float | None = None) -> QuantType:
        """The type of constant weights, which become integers unless they are; `scale` is that of what they multiply."""
        type_ = w.result.type.element_type  # pyright: ignore[reportAttributeAccessIssue]
        if not isinstance(type_, QuantType):
            type_, values = self._integers(op, w.array(self.store), scale)
            self._feed(op, 1, self._constant(w, type_, f"i{bits(type_)}", values))
        return type_

    def _integers(self, op: Contraction, w: np.ndarray, scale: float | None) -> tuple[QuantType, np.ndarray]:
        """Weights in the type that the scheme or the options say; the widest channels alone take all of its width."""
        choice = choice_of(op)
        shared = self.options.per_tensor if choice.by is None else choice.by == "tensor"
        channels = weight_axis(op) if w.ndim > 1 else None
        axis = None if shared else channels
        widths = choice.bits or 8
        if channels is not None:
            widths = channel_widths(np.moveaxis(w, channels, 0).reshape(w.shape[channels], -1), widths, choice)
        least = 0.0 if scale is None else self._largest_bias(op, w, axis) / (scale * LARGEST_BIAS)
        type_ = narrow_type(w, axis, channels, least, widths)
        if self.options.power_of_two:
            type_ = QuantType(
                replace(type_.data, scales=tuple(float(s) for s in power_above(np.array(type_.data.scales))))
            )
        if not np.ndim(widths):
            return type_, quantized(w, type_)
        half = 2 ** (along(np.asarray(widths), channels, w.ndim) - 1)
        return type_, np.clip(quantized(w, type_), -half, half - 1).astype(dtype(type_))

    def _largest_bias(self, op: Contraction, w: np.ndarray, axis: int | None) -> np.ndarray:
        """|b|, of each channel along an axis: it must stay within 2^30 at the scale of the sums."""
        bias = np.zeros(1)
        if op.bias is not None and isinstance(op.bias.owner, ConstOp):
            bias = np.abs(op.bias.owner.array(self.store).reshape(-1).astype(np.float64))
        return np.broadcast_to(bias, (w.shape[axis],)) if axis is not None else bias.max(initial=0)

    def _bias(self, op: Contraction, scale: np.ndarray, w: ConstOp) -> None:
        assert op.bias is not None and isinstance(op.bias.owner, ConstOp)
        channels = shape_of(op.result.type)[-1 if isinstance(op, MatmulOp) else 1]
        type_ = QuantType.per_channel(I32, scale, 0) if scale.ndim else QuantType.per_tensor(I32, float(scale))
        values = np.broadcast_to(op.bias.owner.array(self.store).reshape(-1), (channels,))
        self._feed(op, 2, self._constant(w, type_, "bias.i32", quantized(values, type_)))

    def _feed(self, op: Contraction, index: int, new: list[Operation]) -> None:
        new.append(DequantizeOp(new[-1]))
        for one in new:
            one.location = op.location
        Rewriter.insert_op(new, InsertPoint.before(op))
        op.operands[index] = new[-1].results[0]

"""Binary and ternary contractions on packed values: bits counted instead of products added, 8 or 4 values in a byte.

                                                    %p = dnn.pack %x to = !dnn.bits<binary, 1.0>
%y = dnn.conv %x, %w  of -1 and +1            ->    %v = dnn.const key = "w.bits"
                                                    %y = dnn.bit_conv %p, %v
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from dnnc.ir.arch import MODULE_ATTRIBUTE, AcceleratorAttr
from dnnc.ir.dnn.bitwise import BitConvOp, BitMatmulOp, PackOp
from dnnc.ir.dnn.contraction import ConvOp, MatmulOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import main_function
from dnnc.ir.packed import IN_A_BYTE, PackedType, pack
from dnnc.ir.rewriting import allowed
from dnnc.ir.types import QuantType, bits, tensor
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.analysis.levels import kind_of, levels_of


@dataclass(frozen=True)
class PackBitsPass(ModulePass):
    """Convolutions and matrix products of -1, 0 and +1 with constant weights become bitwise; the integers stay the same.

    The input channels must fill whole bytes. Only where the module's accelerator has bitwise products, or has none stated;
    `any_target` packs for every one, as C does.
    """

    name = "pack-bits"
    any_target: bool = False

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        target = op.attributes.get(MODULE_ATTRIBUTE)
        if isinstance(target, AcceleratorAttr) and not target.data.array.bits_per_cycle and not self.any_target:
            return
        store = store_of(ctx)
        for layer in list(main_function(op).walk()):
            if isinstance(layer, ConvOp | MatmulOp) and (kind := _kind(layer, store)) and allowed("Packed", layer):
                _replace(layer, kind, store)


def _kind(op: ConvOp | MatmulOp, store: WeightStore) -> str | None:
    """`binary` or `ternary` when the layer has that form."""
    x, w = op.operands[:2]
    if not _plain(x) or x.type.element_type.axis is not None:  # pyright: ignore[reportAttributeAccessIssue]
        return None
    if not _plain(w) or not isinstance(w.owner, ConstOp):
        return None
    if isinstance(op, ConvOp) and op.window.data.block:
        return None
    if isinstance(op, MatmulOp) and (op.trans_a is not None or len(op.shape(1)) != 2 or len(op.shape()) < 2):
        return None
    kind = kind_of(levels_of(x, store), levels_of(w, store))
    channels = op.shape(1)[1] if isinstance(op, ConvOp) else op.shape()[-1]
    return kind if kind is not None and channels % IN_A_BYTE[kind] == 0 else None


def _plain(value: SSAValue) -> bool:
    element = value.type.element_type  # pyright: ignore[reportAttributeAccessIssue]
    return isinstance(element, QuantType) and bits(element) <= 8 and not element.zero.any()


def _replace(op: ConvOp | MatmulOp, kind: str, store: WeightStore) -> None:
    x, w, *bias = op.operands
    axis = 1 if isinstance(op, ConvOp) else len(op.shape()) - 1
    packed = PackOp(x, to=PackedType.of(kind, x.type.element_type), axis=axis)  # pyright: ignore
    weights = _weights(op, w.owner, kind, store)  # pyright: ignore[reportArgumentType]
    if isinstance(op, ConvOp):
        new = BitConvOp(packed, weights, *bias, window=op.window, groups=op.groups)
    else:
        new = BitMatmulOp(packed, weights, *bias)
    packed.location = weights.location = new.location = op.location
    Rewriter.insert_op([packed, weights, new], InsertPoint.before(op))
    new.results[0].name_hint = op.result.name_hint
    Rewriter.replace_op(op, [], [new.results[0]])


def _weights(op: ConvOp | MatmulOp, const: ConstOp, kind: str, store: WeightStore) -> ConstOp:
    """The packed weights, [output, input] of a matrix product."""
    values, element = const.array(store), const.result.type.element_type  # pyright: ignore
    assert isinstance(element, QuantType)
    if isinstance(op, MatmulOp) and op.trans_b is None:
        values = values.T
        element = element if element.axis is None else QuantType.per_channel(element.storage, element.scale, 0)
    data = pack(values, kind, 1)
    hint = const.key.data if const.key is not None else "weights"
    return ConstOp.of(data, store, f"{hint}.{kind}", tensor(PackedType.of(kind, element), data.shape))

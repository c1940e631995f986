"""Constants stored tile by tile in a lossless code: the shape of the tensor, and bytes of each tile."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser

from dnnc.ir.dnn.attributes import Param


@dataclass(frozen=True)
class Blocks:
    """Tiles back to back: `sizes` in bytes, in the order of the loops that move the copy, the last one fastest."""

    shape: tuple[int, ...]
    sizes: tuple[int, ...]

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The first byte of each tile, and the end of the last."""
        return (0, *accumulate(self.sizes))


@irdl_attr_definition
class CodedAttr(Param):
    """The blocks of a coded constant: `[64, 3, 3, 3] as [120, 118]`."""

    name = "sched.coded"
    data: Blocks

    def text(self) -> str:
        shape, sizes = (", ".join(map(str, part)) for part in (self.data.shape, self.data.sizes))
        return f"[{shape}] as [{sizes}]"

    @classmethod
    def read(cls, parser: AttrParser) -> Blocks:
        shape = _integers(parser)
        parser.parse_keyword("as")
        return Blocks(shape, _integers(parser))


def _integers(parser: AttrParser) -> tuple[int, ...]:
    return tuple(parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_integer))

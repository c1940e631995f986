"""Tiles of a tensor: per dimension an interval that moves with one loop and is clipped at the border."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser

from dnnc.ir.dnn.attributes import Param


@dataclass(frozen=True)
class Slice:
    """[base + step * i, base + step * i + size) within [0, extent), i the value of induction variable `loop`.

    `loop` counts the induction variables among the operation's operands; -1 means that nothing moves the slice.
    """

    base: int
    size: int
    extent: int
    step: int = 0
    loop: int = -1

    @staticmethod
    def whole(extent: int) -> Slice:
        """The whole dimension."""
        return Slice(0, extent, extent)

    def at(self, i: int) -> tuple[int, int]:
        """(first, count) after clipping; the count is 0 when nothing is left."""
        first = self.base + self.step * i
        low, high = max(first, 0), min(first + self.size, self.extent)
        return low, max(0, high - low)


@irdl_attr_definition
class SlicesAttr(Param):
    """A tile: `[0 size 3 in 3, -1 step 4 of 0 size 6 in 12]`, one entry a dimension."""

    name = "sched.slices"
    data: tuple[Slice, ...]

    def text(self) -> str:
        parts = [
            f"{s.base}{f' step {s.step} of {s.loop}' if s.loop >= 0 else ''} size {s.size} in {s.extent}"
            for s in self.data
        ]
        return f"[{', '.join(parts)}]"

    @classmethod
    def read(cls, parser: AttrParser) -> tuple[Slice, ...]:
        return tuple(parser.parse_comma_separated_list(parser.Delimiter.SQUARE, lambda: _slice(parser)))


def _slice(parser: AttrParser) -> Slice:
    base, step, loop = parser.parse_integer(), 0, -1
    if parser.parse_optional_keyword("step"):
        step = parser.parse_integer()
        parser.parse_keyword("of")
        loop = parser.parse_integer()
    parser.parse_keyword("size")
    size = parser.parse_integer()
    parser.parse_keyword("in")
    return Slice(base, size, parser.parse_integer(), step, loop)

"""Operations of the schedule dialect: placed buffers, static loops, copies between spaces, compute on tiles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from math import prod

from xdsl.dialects.builtin import ArrayAttr, IndexType, MemRefType, StridedLayoutAttr, StringAttr
from xdsl.ir import Attribute, Block, BlockArgument, Operation, Region, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import NoTerminator

from dnnc.ir.arch import ROLES
from dnnc.ir.diagnostics import BrokenRule
from dnnc.ir.dnn.attributes import Int, Key, Word
from dnnc.ir.dnn.movement import Strided
from dnnc.ir.sched.coded import CodedAttr
from dnnc.ir.sched.slices import SlicesAttr

DRAM = ("weights", "parameters", "inputs", "outputs", "arena", "spill")
"""The spaces off chip, `spill` for what a bounded arena has no room for; the roles of `arch.ROLES` are those on chip."""

DIMS = ("image", "group", "channel", "row", "reduction")
"""What the slices of a compute stand for, in order."""


@irdl_op_definition
class BufferOp(IRDLOperation):
    """A stretch of one space: `offset` once memory is planned, `copies` of it back to back when double-buffered.

    A constant one is filled from the weight store before the program starts. One `over` another lies where that does, and
    is written while it is read for the last time.
    """

    name = "sched.buffer"
    label = prop_def(StringAttr)
    space = prop_def(Word)
    offset = opt_prop_def(Int)
    copies = opt_prop_def(Int, default_value=Int(1))
    constant = opt_prop_def(Key)
    over = opt_operand_def(MemRefType)
    result = result_def(MemRefType)
    assembly_format = (
        "$label `in` $space (`at` $offset^)? (`copies` $copies^)? (`constant` $constant^)? attr-dict `:` type($result) "
        "(`over` $over^ `:` type($over))?"
    )

    def __init__(
        self,
        label: str,
        space: str,
        element: Attribute,
        shape: Sequence[int],
        copies: int = 1,
        constant: str | None = None,
    ) -> None:
        properties: dict[str, Attribute] = {"label": StringAttr(label), "space": Word(space)}
        if copies != 1:
            properties["copies"] = Int(copies)
        if constant is not None:
            properties["constant"] = Key(constant)
        super().__init__(operands=[None], result_types=[MemRefType(element, shape)], properties=properties)

    @property
    def on_chip(self) -> bool:
        """Whether the space is on chip."""
        return self.space.data in ROLES

    @property
    def below(self) -> BufferOp | None:
        """The buffer it is written over."""
        return None if self.over is None else buffer_of(self.over)

    def lie_over(self, other: BufferOp) -> None:
        """Lie where another one does."""
        self.operands = [other.result]

    def verify_(self) -> None:
        if self.space.data not in (*ROLES, *DRAM):
            raise BrokenRule(
                f"expected one of the spaces {', '.join((*ROLES, *DRAM))}, not {self.space.data}.", "E0444"
            )
        below = self.below
        if below is not None and (self.space.data != "arena" or below.space.data != "arena"):
            raise BrokenRule(
                f"expected both buffers in the arena, not one over another in {below.space.data}.", "E0444"
            )


@irdl_op_definition
class ViewOp(IRDLOperation):
    """A tensor that lies in part of a buffer: the result's layout says where in it.

    On chip it is one that stays there: computes write and read it where it lies, no copy moves it.
    """

    name = "sched.view"
    source = operand_def(MemRefType)
    result = result_def(MemRefType)
    assembly_format = "$source attr-dict `:` type($source) `to` type($result)"

    def __init__(self, source: SSAValue, layout: Strided) -> None:
        type_ = source.type
        assert isinstance(type_, MemRefType)
        strided = StridedLayoutAttr(layout.strides, layout.offset)
        super().__init__(operands=[source], result_types=[MemRefType(type_.element_type, layout.shape, strided)])

    def verify_(self) -> None:
        layout, buffer = layout_of(self.result), buffer_of(self.source)
        last = layout.offset + sum((n - 1) * s for n, s in zip(layout.shape, layout.strides))
        size = prod(layout_of(buffer.result).shape)
        if not 0 <= layout.offset <= last < size or min(layout.strides, default=0) < 0:
            raise BrokenRule(f"expected a part of the {size} elements of its buffer, not {self.result.type}.", "E0446")


@irdl_op_definition
class LoopOp(IRDLOperation):
    """Runs the body for i = 0, step, 2 * step, ... below upper; bounds are static, the body's last tile may be short."""

    name = "sched.loop"
    upper = prop_def(Int)
    step = prop_def(Int)
    body = region_def("single_block")
    traits = traits_def(NoTerminator())

    def __init__(self, upper: int, step: int, name: str = "i") -> None:
        block = Block(arg_types=[IndexType()])
        block.args[0].name_hint = name
        super().__init__(properties={"upper": Int(upper), "step": Int(step)}, regions=[Region(block)])

    @property
    def index(self) -> BlockArgument:
        """The induction variable."""
        return self.body.block.args[0]

    @property
    def values(self) -> range:
        """The values of the induction variable."""
        return range(0, self.upper.data, self.step.data)

    def verify_(self) -> None:
        if self.upper.data < 1 or self.step.data < 1:
            raise BrokenRule(
                f"expected upper and step of at least 1, not {self.upper.data} and {self.step.data}.", "E0445"
            )

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_ssa_value(self.index)
        printer.print_string(f" = 0 to {self.upper.data} step {self.step.data} ")
        printer.print_region(self.body, print_entry_block_args=False)

    @classmethod
    def parse(cls, parser: Parser) -> LoopOp:
        argument = parser.parse_argument(expect_type=False).resolve(IndexType())
        parser.parse_punctuation("=")
        parser.parse_integer()
        parser.parse_keyword("to")
        upper = parser.parse_integer()
        parser.parse_keyword("step")
        step = parser.parse_integer()
        loop = cls(upper, step)
        loop.detach_region(loop.body)
        loop.add_region(parser.parse_region([argument]))
        return loop


@irdl_op_definition
class CopyOp(IRDLOperation):
    """Moves the tile `slices` of the tensor off chip to or from the buffer on chip, through `decoder`.

    The slice per dimension is clipped at the tensor's border; what padding adds around it is not moved. With `holding`,
    rows and columns, the buffer holds that part of the tensor, row y in its place (y - first) mod rows of the buffer. With
    `coded`, the source holds the tiles one after another in the decoder's code, and the slices cut the tensor they make.
    """

    name = "sched.copy"
    source = operand_def(MemRefType)
    target = operand_def(MemRefType)
    indices = var_operand_def(IndexType)
    slices = prop_def(SlicesAttr)
    decoder = opt_prop_def(Word, default_value=Word("dense"))
    coded = opt_prop_def(CodedAttr)
    holding = opt_prop_def(SlicesAttr)
    assembly_format = (
        "$source `to` $target `at` `(` $indices `)` $slices (`decoder` $decoder^ $coded)? (`holding` $holding^)? attr-dict "
        "`:` type($source) `to` type($target)"
    )

    def __init__(
        self,
        source: SSAValue,
        target: SSAValue,
        indices: Sequence[SSAValue],
        slices: SlicesAttr,
        holding: SlicesAttr | None = None,
    ) -> None:
        properties: dict[str, Attribute] = {"slices": slices}
        if holding is not None:
            properties["holding"] = holding
        super().__init__(operands=[source, target, list(indices)], properties=properties)

    @property
    def loops(self) -> Sequence[SSAValue]:
        """The induction variables that move the slices."""
        return self.operands[2:]

    @property
    def loads(self) -> bool:
        """Whether the data goes on chip."""
        return buffer_of(self.target).on_chip

    def verify_(self) -> None:
        if buffer_of(self.source).on_chip == buffer_of(self.target).on_chip:
            raise BrokenRule("expected one side on chip and one off chip, not both alike.", "E0446")
        check_slices(self.slices, len(self.indices))
        check_holding((self.holding,) if self.holding else (), len(self.indices))


@irdl_op_definition
class ComputeOp(IRDLOperation):
    """Runs a group's body on the tiles held in the buffers; the slices say which part of the group's output it makes.

    One slice for each of `DIMS`: image, group of channels, output channel within it, output row, and the input channels
    summed by this step. The first step of a sum starts the accumulators, the last one finishes the body.

    A tile that is a view is a whole tensor that stays on chip. With `holding` there is a part for each tile: empty, or the
    rows and columns of the tensor that the tile's buffer holds for several computes, row y in its place (y - first) mod
    rows of the buffer. The output's columns are made.
    """

    name = "sched.compute"
    tiles = var_operand_def(MemRefType)
    indices = var_operand_def(IndexType)
    label = prop_def(StringAttr)
    roles = prop_def(ArrayAttr[StringAttr])
    slices = prop_def(SlicesAttr)
    holding = opt_prop_def(ArrayAttr[SlicesAttr])
    body = region_def("single_block")
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    assembly_format = (
        "$label `on` $tiles `as` $roles `at` `(` $indices `)` $slices (`holding` $holding^)? attr-dict-with-keyword "
        "$body `:` type($tiles)"
    )

    def __init__(
        self,
        label: str,
        tiles: Mapping[str, SSAValue],
        indices: Sequence[SSAValue],
        slices: SlicesAttr,
        body: Region,
        holding: Mapping[str, SlicesAttr] | None = None,
    ) -> None:
        properties: dict[str, Attribute] = {
            "label": StringAttr(label),
            "roles": ArrayAttr([StringAttr(r) for r in tiles]),
            "slices": slices,
        }
        if holding:
            properties["holding"] = ArrayAttr([holding.get(r, SlicesAttr(())) for r in tiles])
        super().__init__(operands=[list(tiles.values()), list(indices)], properties=properties, regions=[body])

    @property
    def loops(self) -> Sequence[SSAValue]:
        """The induction variables that move the slices."""
        return self.operands[len(self.roles) :]

    def tile(self, role: str) -> BufferOp | None:
        """The buffer that plays a role, None when the body needs none."""
        for name, value in zip(self.roles, self.tiles):
            if name.data == role:
                return buffer_of(value)
        return None

    def own(self) -> list[BufferOp]:
        """The buffers that are tiles of this compute and nothing else; of a buffer that values lie in it has views."""
        return [tile.owner for tile in self.tiles if isinstance(tile.owner, BufferOp)]

    def held(self, role: str) -> SlicesAttr | None:
        """The rows and columns of a tensor that a role's buffer holds, None when the tile is this compute's own."""
        for name, part in zip(self.roles, self.holding or ()):
            if name.data == role and part.data:
                return part
        return None

    def verify_(self) -> None:
        if len(self.roles) != len(self.tiles):
            raise BrokenRule(f"expected a role for each of {len(self.tiles)} tiles, not {len(self.roles)}.", "E0447")
        if len(self.slices.data) != len(DIMS):
            raise BrokenRule(f"expected {len(DIMS)} slices, not {len(self.slices.data)}.", "E0447")
        check_slices(self.slices, len(self.indices))
        if self.holding is not None and len(self.holding) != len(self.tiles):
            raise BrokenRule(f"expected a part for each of {len(self.tiles)} tiles, not {len(self.holding)}.", "E0447")
        check_holding([p for p in self.holding or () if p.data], len(self.indices))


def check_slices(slices: SlicesAttr, indices: int) -> None:
    """Verify that slices name indices that are there."""
    for s in slices.data:
        if not -1 <= s.loop < indices or s.size < 1:
            raise BrokenRule(f"expected slices of at least 1 over {indices} indices, not {slices.text()}.", "E0447")


def check_holding(parts: Iterable[SlicesAttr], indices: int) -> None:
    """Verify that what buffers hold is said by rows and columns."""
    for part in parts:
        if len(part.data) != 2:
            raise BrokenRule(f"expected rows and columns, not {part.text()}.", "E0447")
        check_slices(part, indices)


def buffer_of(value: SSAValue) -> BufferOp:
    """The buffer a value stands for, itself or a part of it."""
    owner = value.owner
    if isinstance(owner, ViewOp):
        return buffer_of(owner.source)
    if not isinstance(owner, BufferOp):
        raise BrokenRule("expected a sched.buffer as operand, not another value.", "E0447")
    return owner


def layout_of(value: SSAValue) -> Strided:
    """Shape, element strides and element offset of a buffer or of a view, within the buffer."""
    type_ = value.type
    assert isinstance(type_, MemRefType)
    if isinstance(type_.layout, StridedLayoutAttr):
        strides, offset = type_.get_strides(), type_.layout.get_offset()
        return Strided(type_.get_shape(), tuple(s or 0 for s in strides or ()), offset or 0)
    return Strided.rows(type_.get_shape())


def loops_around(op: Operation) -> list[LoopOp]:
    """The loops an operation runs in, outermost first."""
    found: list[LoopOp] = []
    parent = op.parent_op()
    while isinstance(parent, LoopOp):
        found.insert(0, parent)
        parent = parent.parent_op()
    return found


def iterations(op: Operation) -> Iterator[tuple[int, ...]]:
    """The values of the enclosing induction variables, one tuple a run of the operation, in order."""
    return product(*(loop.values for loop in loops_around(op)))

"""The instruction set: each instruction's fields, bits, text and meaning in one declaration.

An instruction is 128 bits, little-endian: a 32-bit header `op 5 | engine 3 | wait 4 | signal 4 | tag 16` and 96 bits of
payload, fields from the least significant bit up. Encoder, decoder, assembler text, range checks and the reference page
read the declarations below; a program is an array uint32[n, 4].
"""

from dnnc.backends.npu.fields import QUEUES, Engine, Field, Instruction
from dnnc.ir.arch import DECODERS, ROLES
from dnnc.ir.fixed import Rounding

HEADER = (
    Field("op", 5, "what to do"),
    Field("engine", 3, "queue", names=tuple(e.name.lower() for e in Engine)),
    Field("wait", 4, "queues from which one token each is taken before the start, a bit per queue"),
    Field("signal", 4, "queues to which one token each is given at the end, a bit per queue"),
    Field("tag", 16, "index of the debug section: layer, source node, tile"),
)

PAYLOAD_BITS = 96
OP_SET = 5

POOLS = ("none", "max", "sum")
FORMS = ("bytes", "binary", "ternary")
PACKS = ("none", "binary", "ternary")
SECONDS = ("add", "multiply", "maximum", "minimum")
ROUNDINGS = tuple(Rounding)


def _flag(name: str, doc: str, names: tuple[str, ...] = ()) -> Field:
    return Field(name, 1, doc, names=names)


def _address(name: str, bits: int, doc: str) -> Field:
    return Field(name, bits, doc, address=True)


def _zero(name: str, doc: str, bits: int = 9) -> Field:
    return Field(name, bits, doc, signed=True)


def _bound(name: str, doc: str) -> Field:
    """A zero point or bound of values of up to 16 bits."""
    return _zero(name, doc, 17)


def _type(doc: str) -> Field:
    return Field("type", 2, doc, names=TYPES)


def _pitches(unit: str) -> tuple[Field, ...]:
    return Field("channel_pitch", 24, f"{unit} between channels"), Field("row_pitch", 20, f"{unit} between rows")


def _state(name: str, register: int, engines: tuple[Engine, ...], meaning: str, *fields: Field) -> Instruction:
    return Instruction(name, OP_SET, engines, meaning, fields, register)


_TRANSFER = (
    Field("region", 3, "DRAM region of the memory map"),
    _address("offset", 32, "byte offset in the region"),
    Field("space", 3, "role of the on-chip memory", names=ROLES),
    _address("address", 25, "byte address on chip"),
    Field("rows", 12, "rows", base=1),
    Field("row_bytes", 16, "bytes of a row, contiguous on both sides", base=1),
    Field("decoder", 4, "storage encoding to expand", names=DECODERS),
)
_WINDOW = (
    Field("kernel_h", 8, "window rows r", base=1),
    Field("kernel_w", 8, "window columns s", base=1),
    Field("stride_h", 6, "row stride", base=1),
    Field("stride_w", 6, "column stride", base=1),
    Field("dilation_h", 6, "row dilation", base=1),
    Field("dilation_w", 6, "column dilation", base=1),
)
_PADS = tuple(Field(side, 8, f"{side} pad") for side in ("top", "bottom", "left", "right"))
_FROM_TO = (
    _address("source", 25, "byte address of source[0, 0, 0] in the input memory"),
    _address("destination", 25, "byte address of destination[0, 0, 0] in the output memory"),
)
_PLANES = (Field("channels", 12, "channels c", base=1), Field("rows", 10, "rows y", base=1))
_SIGNED = ("u8", "i8")
TYPES = (*_SIGNED, "u16", "i16")
"""Types of the values a post-processing unit reads."""

NOP = Instruction("nop", 0, (Engine.CTRL, *QUEUES), "Nothing, for one cycle; on a queue it still waits and signals.")
LD = Instruction(
    "ld",
    1,
    (Engine.LD,),
    "For i3 < count3, i2 < count2, i1 < rows: copies row_bytes from region[offset + i3*dram3 + i2*dram2 + i1*dram1] "
    "to space[address + i3*local3 + i2*local2 + (top + i1)*local1 + left], and fills the rest of each box of (top + "
    "rows + bottom) x (left + row_bytes + right) bytes with the pad value. A stride of 0 means packed. Through a decoder: the "
    "dram1 bytes from region[offset] on are one block of its code, of all bytes copied, i1 faster than i2 and i3.",
    _TRANSFER,
)
ST = Instruction(
    "st",
    2,
    (Engine.ST,),
    "For i3 < count3, i2 < count2, i1 < rows: copies row_bytes from space[address + i3*local3 + i2*local2 + i1*local1] "
    "to region[offset + i3*dram3 + i2*dram2 + i1*dram1]. A stride of 0 means packed.",
    _TRANSFER,
)
MM = Instruction(
    "mm",
    3,
    (Engine.MM,),
    "acc[m, e, f] (+)= sum over c, r, s of (input[c, e*stride_h + r*dilation_h, f*stride_w + s*dilation_w] - input "
    "zero) * (weight[m, c, r, s] - weight zero), wrapping to int32; depthwise: input channel m // multiplier and no sum "
    "over c. Implicit im2col; a matrix product is a 1x1 window over one column. Of the forms of set.form a byte c holds "
    "packed channels, and the product of bytes a and b is 8 - 2 * popcount(a ^ b), or popcount(m) - 2 * popcount(m & (a ^ "
    "b) >> 4) with m = a & b & 15.",
    (
        _address("input", 25, "byte address of input[0, 0, 0]"),
        _address("weight", 25, "byte address of weight[0, 0, 0, 0]"),
        _address("accumulator", 22, "byte address of acc[0, 0, 0], int32"),
        Field("channels", 12, "output channels m", base=1),
        Field("rows", 10, "output rows e", base=1),
        _flag("accumulate", "add to the accumulators instead of starting at zero"),
        _flag("zero_skip", "skip products with a zero weight"),
    ),
)
PPU = Instruction(
    "ppu",
    4,
    (Engine.PPU,),
    "v = source[c, y, x]; pool sum: v = sum over the window of (v - source zero); scale: v = clip(round((v + bias[c]) "
    "* multiplier[c] * 2**-shift[c]) + zero, low, high), or with offset v = clip(round(((v + bias[c]) * multiplier[c] + "
    "offset[c]) * 2**-shift) + zero, low, high), or with levels v = zero + step * (number of k < levels with v >= "
    "threshold[c, k]), a value that was not pooled less the source zero before; "
    "table: v = table[v & 255], or with set.table shift s, o = v & 65535 less the lowest of its type, k and f the upper and "
    "the lower s bits of o: v = table[k] + ((table[k + 1] - table[k])*f + 2**(s-1) >> s); "
    "second, b = b[c, y, x]: v = clip(half_even((v - zero_a)*Ma + (b - zero_b)*Mb, shift) + "
    "zero, low, high), or with mode multiply clip(round((v - zero_a)*(b - zero_b)*Ma * 2**-shift) + zero, low, high), or "
    "clip(max(v, b), low, high), or clip(min(v, b), low, high); pool max: v = max over the window; destination[c, y, x] = "
    "low byte or 16 bits of v, or packed: bit i of destination[c / 8, y, x] is v > 0 of channel 8*(c / 8) + i, or bits i "
    "and 4 + i of destination[c / 4, y, x] are v != 0 and v < 0 of channel 4*(c / 4) + i.",
    (
        _address("source", 25, "byte address of source[0, 0, 0]"),
        _address("destination", 25, "byte address of destination[0, 0, 0] in the output memory"),
        _address(
            "parameters",
            16,
            "byte address of the first channel's record: bias i32, multiplier i32 and shift u8 or offset i64; or i32[levels]",
        ),
        Field("channels", 12, "channels c", base=1),
        Field("rows", 10, "rows of the source", base=1),
        _flag("from_accumulator", "source is int32 accumulators, else values of the input memory"),
        _flag("scale", "requantize with the parameters"),
        _flag("table", "look each value up in the table"),
        _flag("second", "add a second source"),
        Field("pool", 2, "pooling", names=POOLS),
        Field("pack", 2, "channels that share a byte of the destination", names=PACKS),
    ),
)

_DMA = (Engine.LD, Engine.ST)
DMA_COUNT = _state(
    "set.count",
    0,
    _DMA,
    "Trip counts of the third and fourth dimension of a transfer.",
    Field("count2", 16, "third dimension", base=1),
    Field("count3", 16, "fourth dimension", base=1),
)
DMA_DRAM = _state(
    "set.dram",
    1,
    _DMA,
    "Byte strides in DRAM; 0 means packed.",
    *(Field(f"dram{i}", 30, f"stride of dimension {i + 1}") for i in (1, 2, 3)),
)
DMA_LOCAL = _state(
    "set.local",
    2,
    _DMA,
    "Byte strides on chip; 0 means packed, pads included.",
    *(Field(f"local{i}", 25, f"stride of dimension {i + 1}") for i in (1, 2, 3)),
)
DMA_PAD = _state(
    "set.pad",
    3,
    (Engine.LD,),
    "The box around the rows of a load and the byte it is filled with: the input zero point, never just 0.",
    *_PADS,
    Field("value", 8, "fill byte"),
)
MM_INPUT = _state(
    "set.input",
    4,
    (Engine.MM,),
    "Layout of the input tile: channel c, row y, column x is at c*channel_pitch + y*row_pitch + x.",
    Field("channels", 16, "input channels c of a dense product", base=1),
    *_pitches("bytes"),
    _flag("type", "type of the bytes", _SIGNED),
    _zero("zero", "input zero point; 0 when the requantize records account for it"),
)
MM_WINDOW = _state(
    "set.window",
    5,
    (Engine.MM,),
    "The window of the implicit im2col.",
    *_WINDOW,
    Field("columns", 12, "output columns f", base=1),
    _flag("mode", "dense, or one input channel for each output channel", ("dense", "depthwise")),
)
MM_WEIGHT = _state(
    "set.weight",
    6,
    (Engine.MM,),
    "Layout of the weight tile: out-major m*pitch + (c*R + r)*S + s, in-major ((c*R + r)*S + s)*pitch + m.",
    Field("pitch", 24, "bytes between output channels, or between taps when in-major"),
    _flag("order", "which index is outermost", ("out-major", "in-major")),
    _flag("type", "type of the bytes", _SIGNED),
    _zero("zero", "weight zero point"),
    Field("multiplier", 8, "depthwise: output channels per input channel", base=1),
)
MM_OUTPUT = _state(
    "set.sums",
    7,
    (Engine.MM,),
    "Layout of the accumulators: m, e, f is at element m*channel_pitch + e*row_pitch + f.",
    Field("channel_pitch", 22, "elements between channels"),
    Field("row_pitch", 20, "elements between rows"),
)
PPU_SOURCE = _state(
    "set.source",
    8,
    (Engine.PPU,),
    "Layout of the source: c, y, x is at element c*channel_pitch + y*row_pitch + x.",
    Field("columns", 12, "columns x", base=1),
    *_pitches("elements"),
    _type("type of the values"),
    _bound("zero", "zero point of the source; what a summed window meets outside the tile"),
)
PPU_DESTINATION = _state(
    "set.destination",
    9,
    (Engine.PPU,),
    "Layout of the destination: c, y, x is at element c*channel_pitch + y*row_pitch + x.",
    *_pitches("elements"),
    _flag("wide", "elements of 16 bits, else bytes"),
)
PPU_SCALE = _state(
    "set.scale",
    10,
    (Engine.PPU,),
    "Constants of the scale stage.",
    Field("rounding", 3, "rounding mode", names=ROUNDINGS),
    _flag("per_channel", "a record per channel, else one record for all"),
    _bound("zero", "output zero point"),
    _bound("low", "lower clip bound"),
    _bound("high", "upper clip bound"),
    Field("levels", 8, "thresholds of a record; 0: a record is bias, multiplier and shift"),
    Field("step", 9, "what each threshold reached adds", signed=True),
    _flag("offset", "a record is bias, multiplier and offset; rounding q31_half_even, half_up, half_away or trunc"),
    Field("shift", 6, "right shift with offset"),
)
PPU_POOL = _state(
    "set.pool",
    11,
    (Engine.PPU,),
    "The pooling window; a maximum ignores what lies outside the tile.",
    *_WINDOW,
    *_PADS,
)
PPU_TABLE = _state(
    "set.table",
    12,
    (Engine.PPU,),
    "The look-up table: 256 entries, of a softmax exp; with a shift s 2**(16-s) + 1 entries, values between by a line.",
    Field("address", 16, "byte address in the parameter memory"),
    _type("type of the entries"),
    Field("shift", 4, "low bits of a value of 16 bits that lie between two entries; 0: a value of 8 bits"),
    _flag("of", "type of the values of 16 bits", TYPES[2:]),
)
PPU_SECOND = _state(
    "set.second",
    13,
    (Engine.PPU,),
    "The second source, values of the input memory: c, y, x is at address, and element c*channel_pitch + y*row_pitch + x.",
    Field("address", 25, "byte address"),
    *_pitches("elements"),
    _type("type of the values"),
    _bound("zero", "zero point zero_b"),
)
PPU_ADD = _state(
    "set.add",
    14,
    (Engine.PPU,),
    "What the second stage does.",
    Field("multiplier_a", 33, "Ma", signed=True),
    Field("multiplier_b", 33, "Mb", signed=True),
    Field("shift", 6, "right shift"),
    Field("mode", 2, "how the operands meet", names=SECONDS),
    Field("rounding", 3, "rounding mode of a product", names=ROUNDINGS),
)
PPU_SUM = _state(
    "set.sum",
    15,
    (Engine.PPU,),
    "Zero points and bounds of the second stage.",
    _bound("zero_a", "zero point of the first operand"),
    _bound("zero", "zero point of the result"),
    _bound("low", "lower clip bound"),
    _bound("high", "upper clip bound"),
)

PPU_NORM = _state(
    "set.norm",
    16,
    (Engine.PPU,),
    "Constants of a normalization; a record is multiplier i32, offset i64.",
    Field("address", 25, "byte address of the records in the weight memory"),
    Field("epsilon_low", 24, "low half of epsilon, added to the sum of squares"),
    Field("epsilon_high", 24, "high half of epsilon"),
    Field("root_shift", 6, "k, the left shift before the square root"),
    Field("shift", 6, "right shift"),
    _flag("center", "subtract the mean"),
    _flag("per_element", "a record per element, else one record for all"),
)
MM_FRAME = _state(
    "set.frame",
    17,
    (Engine.MM,),
    "The part of the input tile that exists, when height is not 0: row y, column x of the tile is row y - top, column x - "
    "left of it, stored at row (first + y - top) mod period of a rolling buffer; outside of height x width, value is read.",
    Field("top", 8, "rows before the first that exists"),
    Field("left", 8, "columns before the first that exists"),
    Field("height", 12, "rows that exist; 0 when all do"),
    Field("width", 12, "columns that exist"),
    Field("first", 12, "row of the buffer that holds the first"),
    Field("period", 12, "rows of the buffer", base=1),
    _zero("value", "what is read outside"),
)
MM_FORM = _state(
    "set.form",
    18,
    (Engine.MM,),
    "What the bytes hold. Of binary values, when height is not 0, only the height x width taps from row top and column left "
    "of the input tile on count.",
    Field("form", 2, "bytes, 8 values -1 or +1, or 4 values -1, 0 or +1", names=FORMS),
    Field("top", 8, "first row that counts"),
    Field("left", 8, "first column that counts"),
    Field("height", 12, "rows that count; 0 when all do"),
    Field("width", 12, "columns that count"),
)
MM_BLOCKS = _state(
    "set.blocks",
    19,
    (Engine.MM,),
    "Blocks that see nothing of each other: row y of the sums is in block (y + row) div rows, and tap r of its window, at "
    "(y + row)*stride + r*dilation - top, must be in rows*stride rows of the same block of the input; columns alike. What "
    "is elsewhere is read as value.",
    Field("rows", 12, "rows of a block of sums; 0 when all are one"),
    Field("columns", 12, "columns of a block of sums; 0 when all are one"),
    Field("row", 12, "place of the first row in its block"),
    Field("column", 12, "place of the first column in its block"),
    Field("top", 8, "rows of padding above a block"),
    Field("left", 8, "columns of padding before a block"),
    _zero("value", "what is read outside of the block"),
)
SOFTMAX = Instruction(
    "softmax",
    13,
    (Engine.PPU,),
    "For each channel c, over all its y, x: k = max of source - source[c, y, x]; E = exp[k & 255], exp int32[256]; S = sum of E; "
    "destination[c, y, x] = min(255, (512*E + S) // (2*S)) plus the smallest value of the type, "
    "in a wide destination "
    "min(65535, (131072*E + S) // (2*S)) plus that of 16 bits, or with scale the low byte or 16 bits of "
    "v = min(65535, (131072*E + S) // (2*S)) requantized as by ppu.",
    (
        *_FROM_TO,
        _address("parameters", 16, "byte address of the record, with scale"),
        *_PLANES,
        _flag("type", "type of the result", _SIGNED),
        _flag("scale", "requantize with the parameters"),
    ),
)
NORMALIZE = Instruction(
    "normalize",
    14,
    (Engine.PPU,),
    "For each channel c, over all its n elements q: d = n*q - sum of q with center, else q - source zero; V = max(1, sum of "
    "d**2 + epsilon); u = half_even(d * (2**62 // isqrt(V << k)), 32 - k/2); destination[c, y, x] = low byte or 16 bits of "
    "clip(half_even(u*multiplier + offset, shift) + zero, low, high), multiplier and offset of record y*columns + x, or of "
    "the first; zero, low and high of set.scale.",
    (
        *_FROM_TO,
        *_PLANES,
    ),
)

_CTRL = (Engine.CTRL,)
FENCE = Instruction(
    "fence",
    6,
    _CTRL,
    "Dispatch waits until the queues of the mask are empty and idle.",
    (Field("mask", 4, "a bit per queue"),),
)
MARK = Instruction("mark", 7, _CTRL, "Writes a marker into the trace.", (Field("id", 16, "marker"),))
IRQ = Instruction(
    "irq", 8, _CTRL, "Raises an interrupt at the host once all queues are idle.", (Field("id", 8, "number"),)
)
HALT = Instruction("halt", 9, _CTRL, "Ends the program once all queues are idle.")
LOOP = Instruction(
    "loop",
    10,
    _CTRL,
    "Repeats the instructions up to the matching endloop.",
    (Field("count", 16, "trips", base=1),),
)
ENDLOOP = Instruction("endloop", 11, _CTRL, "Closes the innermost loop.")
STEP = Instruction(
    "step",
    12,
    _CTRL,
    "On trip i of the enclosing loop adds i*delta to an address field of one instruction of its body.",
    (
        Field("index", 16, "instruction, counted from the one after the loop"),
        Field("slot", 2, "which of its address fields"),
        Field("delta", 32, "bytes a trip", signed=True),
    ),
)

INSTRUCTIONS: tuple[Instruction, ...] = (
    *(NOP, LD, ST, MM, PPU),
    *(DMA_COUNT, DMA_DRAM, DMA_LOCAL, DMA_PAD),
    *(MM_INPUT, MM_WINDOW, MM_WEIGHT, MM_OUTPUT, MM_FRAME, MM_FORM, MM_BLOCKS),
    *(PPU_SOURCE, PPU_DESTINATION, PPU_SCALE, PPU_POOL, PPU_TABLE, PPU_SECOND, PPU_ADD, PPU_SUM),
    *(PPU_NORM, SOFTMAX, NORMALIZE),
    *(FENCE, MARK, IRQ, HALT, LOOP, ENDLOOP, STEP),
)

BY_NAME = {i.name: i for i in INSTRUCTIONS}
BY_KEY = {(i.op, i.register): i for i in INSTRUCTIONS}

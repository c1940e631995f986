"""What is wrong with single instructions: fields that mean nothing, and accesses outside their memory.

The static verifier lists these findings; the simulator traps on the instruction when it is reached.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from dnnc.backends.npu.encoding import Decoded, Words, reserved_bits, unknown
from dnnc.backends.npu.footprint import Memories, accesses
from dnnc.backends.npu.isa import FORMS, INSTRUCTIONS, PACKS, POOLS, ROUNDINGS, Engine
from dnnc.backends.npu.operands import Operands, made, operands, pooled, product_shape
from dnnc.backends.npu.program import CONSTANT
from dnnc.ir.arch import DECODERS, ROLES
from dnnc.ir.coding import CODES
from dnnc.ir.dnn.rescale import ROUNDERS
from dnnc.ir.fixed import Rounding

Faults = dict[int, str]


def faults(words: Words, decoded: Mapping[str, Decoded], m: Memories) -> Faults:
    """The first problem of each faulty instruction, by index in the stream."""
    found: Faults = {}
    for index in unknown(words):
        found[int(index)] = f"a known op was expected, not the word {words[index].tolist()}"
    for instruction in INSTRUCTIONS:
        if instruction.name in decoded:
            _well_formed(found, decoded[instruction.name], words)
    _transfers(found, decoded, m)
    _units(found, decoded)
    _bounds(found, decoded, m)
    return found


def _note(found: Faults, index: NDArray[np.int64], bad: NDArray[np.bool_], text: Callable[[int], str]) -> None:
    for row in np.flatnonzero(bad):
        found.setdefault(int(index[row]), text(int(row)))


def _well_formed(found: Faults, d: Decoded, words: Words) -> None:
    allowed = [int(e) for e in d.instruction.engines]
    names = " or ".join(Engine(e).name for e in allowed)
    bad = ~np.isin(d["engine"], allowed)
    _note(found, d.index, bad, lambda r: f"engine {names} was expected for {d.instruction.name}, not {d['engine'][r]}")
    if set(d.instruction.engines) == {Engine.CTRL}:
        tokens = (d["wait"] | d["signal"]) != 0
        _note(found, d.index, tokens, lambda r: f"no tokens were expected on {d.instruction.name}, CTRL has none")
    reserved = np.isin(np.arange(len(d.index)), reserved_bits(d.instruction, words[d.index]))
    _note(found, d.index, reserved, lambda r: f"zero was expected in the reserved bits of {d.instruction.name}")


def _transfers(found: Faults, decoded: Mapping[str, Decoded], m: Memories) -> None:
    for name, engine in (("ld", Engine.LD), ("st", Engine.ST)):
        if not len(t := operands(decoded, name, engine)):
            continue
        _note(found, t.index, t["space"] >= len(ROLES), lambda r: f"a space below {len(ROLES)} was expected")
        known = [n for n in m.decoders if n in ("dense", *CODES)] if name == "ld" else ["dense"]
        other = ~np.isin(t["decoder"], [DECODERS.index(n) for n in known])
        _note(found, t.index, other, lambda r: f"decoder {' or '.join(known)} was expected")  # noqa: B023
        if name == "st":
            constant = np.isin(t["region"], CONSTANT)
            _note(found, t.index, constant, lambda r: "a region that can be written was expected, not a constant one")


def _units(found: Faults, decoded: Mapping[str, Decoded]) -> None:
    if len(t := operands(decoded, "mm", Engine.MM)):
        _note(
            found, t.index, t["accumulator"] % 4 != 0, lambda r: "an accumulator address of 4-byte steps was expected"
        )
        _frames(found, t)
        _blocks(found, t)
        _forms(found, t)
    if len(t := operands(decoded, "ppu", Engine.PPU)):
        _post(found, t)
    if len(t := operands(decoded, "softmax", Engine.PPU)):
        _roundings(found, t)


def _frames(found: Faults, t: Operands) -> None:
    s, framed = product_shape(t), t["frame.height"] > 0
    for side, extent, size in (("top", "height", s.heights), ("left", "width", s.widths)):
        outside = framed & (t[f"frame.{side}"] + t[f"frame.{extent}"] > size)
        _note(found, t.index, outside, lambda r: "a frame within the input tile was expected")
    period, first, height = t["frame.period"], t["frame.first"], t["frame.height"]
    wraps = framed & ((first >= period) | (height > period) | (t["frame.width"] < 1))
    _note(found, t.index, wraps, lambda r: "a frame of at most the rows of its buffer was expected")


def _blocks(found: Faults, t: Operands) -> None:
    for size, at in (("rows", "row"), ("columns", "column")):
        outside = (t[f"blocks.{size}"] > 0) & (t[f"blocks.{at}"] >= t[f"blocks.{size}"])
        _note(found, t.index, outside, lambda r: "a first sum within its block was expected")


def _forms(found: Faults, t: Operands) -> None:
    _note(found, t.index, t["form.form"] >= len(FORMS), lambda r: f"a form {', '.join(FORMS)} was expected")
    packed = t["form.form"] > 0
    _note(found, t.index, packed & (t["window.mode"] == 1), lambda r: "a dense window was expected for packed values")
    zeros = (t["input.zero"] != 0) | (t["weight.zero"] != 0)
    _note(found, t.index, packed & zeros, lambda r: "zero points of 0 were expected for packed values")


def _post(found: Faults, t: Operands) -> None:
    unaligned = (t["from_accumulator"] == 1) & (t["source"] % 4 != 0)
    _note(found, t.index, unaligned, lambda r: "an accumulator address of 4-byte steps was expected")
    _note(found, t.index, t["pool"] >= len(POOLS), lambda r: f"pool {', '.join(POOLS)} was expected")
    packs = t["pack"] >= len(PACKS)
    _note(found, t.index, packs, lambda r: f"a packing {', '.join(PACKS)} was expected")
    partly = ~packs & (made(t) * np.where(t["pack"] == 0, 1, 12 - 4 * t["pack"]) != t["channels"])
    _note(found, t.index, partly, lambda r: "channels that fill whole bytes were expected")
    _roundings(found, t)
    modes = (t["add.rounding"] >= len(ROUNDINGS)) & (t["second"] == 1)
    _note(found, t.index, modes, lambda r: f"a rounding mode below {len(ROUNDINGS)} was expected")
    rows, columns = pooled(t)
    _note(found, t.index, (rows < 1) | (columns < 1), lambda r: "a pooling window that fits the source was expected")


def _roundings(found: Faults, t: Operands) -> None:
    """The scale stage of PPU and SOFTMAX."""
    modes = (t["scale.rounding"] >= len(ROUNDINGS)) & (t["scale"] == 1)
    _note(found, t.index, modes, lambda r: f"a rounding mode below {len(ROUNDINGS)} was expected")
    shifts = np.isin(t["scale.rounding"], [ROUNDINGS.index(Rounding(name)) for name in ROUNDERS])
    modes = ~modes & (t["scale"] == 1) & (t["scale.offset"] == 1) & (t["scale.levels"] == 0) & ~shifts
    _note(found, t.index, modes, lambda r: f"rounding {', '.join(ROUNDERS)} was expected with an offset")


def _bounds(found: Faults, decoded: Mapping[str, Decoded], m: Memories) -> None:
    a = accesses(decoded, m)
    size = np.append(np.array(m.bytes, np.int64), 0)[a.memory]
    bad = (a.memory < 0) | (a.low < 0) | (a.high > size)

    def text(row: int) -> str:
        where = m.names[a.memory[row]] if a.memory[row] >= 0 else "a memory that does not exist"
        return f"{a.name(row)} within the {size[row]} bytes of {where} was expected, not [{a.low[row]}, {a.high[row]})"

    _note(found, a.index, bad, text)

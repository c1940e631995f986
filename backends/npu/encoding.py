"""Bits of instructions: encode and decode whole columns at once, from the declarations of `isa`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dnnc.backends.npu.fields import REGISTER
from dnnc.backends.npu.isa import BY_KEY, HEADER, INSTRUCTIONS, OP_SET, Engine, Field, Instruction
from dnnc.ir.diagnostics import DnncError

Words = NDArray[np.uint32]
Column = NDArray[np.int64]

HEADER_BITS = 32
HEADER_AT = {f.name: (f, sum(g.bits for g in HEADER[:i])) for i, f in enumerate(HEADER)}


@dataclass(frozen=True)
class Decoded:
    """All instructions of one kind in a program: where they stand and a column per header and payload field."""

    instruction: Instruction
    index: Column
    columns: Mapping[str, Column]

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]


def mask(queues: Sequence[Engine]) -> int:
    """The wait, signal or fence bits of some queues."""
    return sum(1 << q for q in set(queues))


def encode(
    instruction: Instruction,
    engine: ArrayLike | None = None,
    wait: ArrayLike = 0,
    signal: ArrayLike = 0,
    tag: ArrayLike = 0,
    **fields: ArrayLike,
) -> Words:
    """uint32[n, 4] of n instructions of one kind; columns broadcast, fields left out hold their default.

    DnncError names the first field that does not fit, the value and the range.
    """
    header = {
        "op": instruction.op,
        "engine": instruction.engines[0] if engine is None else engine,
        "wait": wait,
        "signal": signal,
        "tag": tag,
    }
    if unknown := set(fields) - set(instruction.layout):
        raise TypeError(f"{instruction.name} has no field {', '.join(sorted(unknown))}")
    n = np.broadcast_shapes((1,), *(np.shape(v) for v in (*header.values(), *fields.values())))
    words = np.zeros((*n, 4), np.uint32)
    for name, (field, at) in HEADER_AT.items():
        set_field(words, instruction.name, field, at, header[name])
    if instruction.register is not None:
        set_field(words, instruction.name, REGISTER, HEADER_BITS, instruction.register)
    for name, value in fields.items():
        field, at = instruction.layout[name]
        set_field(words, instruction.name, field, HEADER_BITS + at, value)
    return words


def set_field(words: Words, where: str, field: Field, at: int, value: ArrayLike) -> None:
    """Write one field of every word, `at` its lowest bit; DnncError when a value does not fit."""
    v = np.asarray(value, np.int64)
    if np.any(bad := (v < field.low) | (v > field.high)):
        raise DnncError(
            f"{where}.{field.name}: a value in [{field.low}, {field.high}] ({field.bits} bits) was "
            f"expected, not {int(v[bad].flat[0])}. Use a smaller tile, or a target whose memories are smaller.",
            "E0818",
        )
    raw = ((v - field.base) & ((1 << field.bits) - 1)).astype(np.uint64)
    _deposit(words, at, field.bits, raw)


def _deposit(words: Words, at: int, bits: int, raw: NDArray[np.uint64]) -> None:
    ones = (1 << bits) - 1
    word, bit = divmod(at, 32)
    for k, shift in ((word, bit), (word + 1, bit - 32)):
        if -32 < shift < 32 and shift + bits > 0 and k < 4:
            keep = ~(ones << shift if shift >= 0 else ones >> -shift) & 0xFFFFFFFF
            part = raw << np.uint64(shift) if shift >= 0 else raw >> np.uint64(-shift)
            words[..., k] = (words[..., k] & np.uint32(keep)) | part.astype(np.uint32)


def get_field(words: Words, field: Field, at: int) -> Column:
    """The values of one field, `at` its lowest bit."""
    word, bit = divmod(at, 32)
    raw = words[..., word].astype(np.uint64) >> np.uint64(bit)
    if bit + field.bits > 32:
        raw |= words[..., word + 1].astype(np.uint64) << np.uint64(32 - bit)
    raw = (raw & np.uint64((1 << field.bits) - 1)).astype(np.int64)
    return raw - ((raw >> field.bits - 1) << field.bits) if field.signed else raw + field.base


def header(words: Words, name: str) -> Column:
    """A header field of every instruction."""
    return get_field(words, *HEADER_AT[name])


def keys(words: Words) -> Column:
    """A number per instruction that is equal exactly for equal kinds: `op`, and the register of SET above it."""
    op = header(words, "op")
    return op + np.where(op == OP_SET, (get_field(words, REGISTER, HEADER_BITS) + 1) << 5, 0)


def _key(instruction: Instruction) -> int:
    return instruction.op + (0 if instruction.register is None else (instruction.register + 1) << 5)


KEYS = {_key(i): i for i in INSTRUCTIONS}


def decode(words: Words) -> dict[str, Decoded]:
    """The instructions of a program by kind, kinds that occur only; unknown words are left out (see `unknown`)."""
    key = keys(words)
    found = {}
    for number, instruction in KEYS.items():
        index = np.flatnonzero(key == number)
        if len(index):
            found[instruction.name] = decode_as(instruction, words[index], index)
    return found


def decode_as(instruction: Instruction, words: Words, index: Column) -> Decoded:
    """Columns of words that are all of one kind; header and payload fields by name."""
    columns = {name: get_field(words, field, at) for name, (field, at) in HEADER_AT.items()}
    columns |= {name: get_field(words, field, HEADER_BITS + at) for name, (field, at) in instruction.layout.items()}
    return Decoded(instruction, index, columns)


def unknown(words: Words) -> Column:
    """Indices of words that are no instruction: an op or register out of the tables."""
    return np.flatnonzero(~np.isin(keys(words), list(KEYS)))


def kind(words: Words) -> Instruction:
    """The kind of a single instruction word."""
    op, register = int(header(words, "op")), int(get_field(words, REGISTER, HEADER_BITS))
    return BY_KEY[op, register if op == OP_SET else None]


def reserved_bits(instruction: Instruction, words: Words) -> Column:
    """Rows of `words`, all of one kind, that have a bit set above the payload fields."""
    used = HEADER_BITS + instruction.payload_bits
    masks = np.array([max(0, min(32, used - 32 * w)) for w in range(4)])
    keep = np.array([0xFFFFFFFF << int(m) & 0xFFFFFFFF for m in masks], np.uint32)
    return np.flatnonzero((words & keep).any(axis=-1))

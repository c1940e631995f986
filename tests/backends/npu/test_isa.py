"""Encoding, decoding and text over the whole field space."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnnc.backends.npu import asm
from dnnc.backends.npu.encoding import KEYS, decode, encode, kind, mask, reserved_bits, unknown
from dnnc.backends.npu.fields import REGISTER
from dnnc.backends.npu.isa import (
    BY_NAME,
    HEADER,
    INSTRUCTIONS,
    LD,
    MM,
    PAYLOAD_BITS,
    PPU,
    Engine,
)
from dnnc.ir.arch import REACH
from dnnc.ir.diagnostics import DnncError


def columns(instruction, n):
    """n random rows over the whole range of every field, corners included."""
    ranges = {f.name: (f.low, f.high) for f in instruction.fields} | {"wait": (0, 15), "signal": (0, 15)}
    ranges["tag"] = (0, 65535)
    value = {k: st.one_of(st.sampled_from(r), st.integers(*r)) for k, r in ranges.items()}
    row = st.fixed_dictionaries(value | {"engine": st.sampled_from(instruction.engines)})
    return st.lists(row, min_size=1, max_size=n)


programs = st.lists(
    st.sampled_from(INSTRUCTIONS).flatmap(lambda i: columns(i, 3).map(lambda rows: (i, rows))), min_size=1, max_size=8
)


def build(blocks):
    return np.concatenate(
        [encode(i, **{k: np.array([r[k] for r in rows]) for k in rows[0]}) for i, rows in blocks], dtype=np.uint32
    )


@settings(max_examples=60)
@given(programs)
def test_decode_of_encode_gives_every_field_back(blocks):
    words = build(blocks)
    decoded = decode(words)
    at = 0
    for instruction, rows in blocks:
        found = decoded[instruction.name]
        for row in rows:
            place = np.flatnonzero(found.index == at)
            assert {k: int(found[k][place[0]]) for k in row} == row
            at += 1
    assert len(unknown(words)) == 0


@settings(max_examples=60)
@given(programs)
def test_text_assembles_back_to_the_same_words(blocks):
    words = build(blocks)
    np.testing.assert_array_equal(asm.assemble("\n".join(asm.disassemble(words))), words)


@pytest.mark.parametrize("instruction", INSTRUCTIONS, ids=lambda i: i.name)
def test_fields_fill_the_word_without_overlap(instruction):
    taken = [REGISTER.bits - 1] if instruction.register is not None else [-1]
    for field, at in instruction.layout.values():
        assert at == taken[-1] + 1
        taken.append(at + field.bits - 1)
    assert taken[-1] < PAYLOAD_BITS
    assert sum(f.bits for f in HEADER) == 32
    assert instruction.meaning.endswith(".")
    assert all(f.doc for f in instruction.fields)


@pytest.mark.parametrize("instruction", INSTRUCTIONS, ids=lambda i: i.name)
def test_every_field_set_to_its_top_uses_exactly_its_bits(instruction):
    for field in instruction.fields:
        zero, full = encode(instruction), encode(instruction, **{field.name: -1 if field.signed else field.high})
        assert sum(int(w).bit_count() for w in (zero ^ full).ravel()) == field.bits
        assert len(reserved_bits(instruction, full)) == 0


def test_kinds_have_distinct_keys():
    assert len(KEYS) == len(INSTRUCTIONS) == len(BY_NAME)
    assert all(kind(encode(i)[0]) is i for i in INSTRUCTIONS)


@pytest.mark.parametrize("instruction", INSTRUCTIONS, ids=lambda i: i.name)
def test_a_value_out_of_range_names_the_field(instruction):
    for field in instruction.fields:
        for value in (field.low - 1, field.high + 1):
            with pytest.raises(DnncError) as caught:
                encode(instruction, **{field.name: [field.low, value]})
            assert str(caught.value).startswith(
                f"{instruction.name}.{field.name}: a value in [{field.low}, {field.high}] ({field.bits} bits) "
                f"was expected, not {value}."
            )


def test_bits_of_a_load_by_hand():
    words = encode(LD, wait=mask([Engine.MM]), signal=mask([Engine.PPU]), tag=0xABCD, region=5, offset=0x12345678)
    op, engine, wait, signal, tag = 1, 0, 0b0010, 0b0100, 0xABCD
    assert words.tolist() == [
        [
            op | engine << 5 | wait << 8 | signal << 12 | tag << 16,
            5 | (0x12345678 << 3) & 0xFFFFFFFF,
            0x12345678 >> 29,
            0,
        ]
    ]


def test_the_zero_word_is_a_nop():
    assert kind(np.zeros(4, np.uint32)).name == "nop"


def test_columns_broadcast():
    words = encode(MM, input=np.arange(6) * 64, channels=16)
    assert words.shape == (6, 4)
    assert decode(words)["mm"]["channels"].tolist() == [16] * 6


def test_text_of_some_instructions():
    words = np.concatenate(
        [
            encode(LD, region=1, offset=64, space=1, address=32, rows=4, row_bytes=9, signal=mask([Engine.MM]), tag=3),
            encode(BY_NAME["set.count"], Engine.ST, count2=5),
            encode(PPU, source=16, channels=2, scale=1, pool=1),
            encode(BY_NAME["fence"], mask=mask([Engine.LD, Engine.ST])),
        ]
    )
    assert asm.disassemble(words) == [
        "ld region=1 offset=0x40 space=weight address=0x20 rows=4 row_bytes=9 signal=mm tag=3",
        "set.count@st count2=5",
        "ppu source=0x10 channels=2 scale=1 pool=max",
        "fence mask=ld,st",
    ]


def test_wrong_lines_are_all_listed():
    with pytest.raises(DnncError) as caught:
        asm.assemble(
            "ldd region=1\n\nld regoin=1 ; comment\nld rows=9999\nppu pool=avg\nld wait=cpu\nld rows=1 rows=2", "a.s"
        )
    assert [str(f) for f in caught.value.findings] == [
        "a.s:1: an instruction was expected, not 'ldd'. Write ld. [E0816]",
        "a.s:3: a field of ld was expected, not 'regoin'. Write region. [E0816]",
        "a.s:4: ld.rows: a value in [1, 4096] (12 bits) was expected, not 9999. Use a smaller tile, or a target whose "
        "memories are smaller. [E0818]",
        "a.s:5: ppu.pool: one of none, max, sum was expected, not 'avg'. Correct it. [E0817]",
        "a.s:6: a queue was expected, not 'cpu'. Write ppu. [E0816]",
        "a.s:7: ld.rows: one value was expected, not two. Remove one. [E0816]",
    ]


def test_unknown_words_are_refused_by_the_disassembler():
    with pytest.raises(DnncError, match="instruction 0: a known op was expected"):
        asm.disassemble(np.array([[31, 0, 0, 0]], np.uint32))


def test_addresses_reach_what_targets_are_told():
    bits = {f.name: f.bits for f in (*PPU.fields, *MM.fields)}
    assert {
        role: 1 << bits[field] for role, field in (("parameter", "parameters"), ("accumulator", "accumulator"))
    } == REACH
    assert all(1 << bits[field] >= 1 << 25 for field in ("source", "destination", "input", "weight"))

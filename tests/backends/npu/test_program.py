import json
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest

from dnnc.backends.npu import program as container
from dnnc.backends.npu.catalog import load_target, target_of
from dnnc.ir.diagnostics import DnncError


def test_a_program_reads_back_equal(hand, tmp_path):
    program = hand.build()
    program.save(tmp_path / "p.npu")
    again = container.load(tmp_path / "p.npu")
    np.testing.assert_array_equal(again.text, program.text)
    for name in ("target", "digest", "weights", "parameters", "regions", "symbols", "tags", "metadata"):
        assert getattr(again, name) == getattr(program, name)


def test_equal_programs_give_equal_bytes(hand):
    assert hand.build().to_bytes() == hand.build().to_bytes()
    assert container.from_bytes(hand.build().to_bytes()).to_bytes() == hand.build().to_bytes()


def test_sections_are_aligned(hand):
    data = hand.build().to_bytes()
    for i in range(len(container.SECTIONS)):
        assert struct.unpack_from("<Q", data, 16 + 40 * i + 16)[0] % 16 == 0


def test_every_cut_is_located(hand):
    data = hand.build().to_bytes()
    for size in [*range(0, 400, 7), *range(400, len(data) - 16, 211)]:
        with pytest.raises(DnncError, match=r"^x\.npu: "):
            container.from_bytes(data[:size], "x.npu")


def test_every_flipped_byte_is_located(hand):
    data = hand.build().to_bytes()
    covered = 0
    for at in np.random.default_rng(0).integers(0, len(data), 400):
        broken = bytearray(data)
        broken[at] ^= 0x10
        try:
            container.from_bytes(bytes(broken), "x.npu")
        except DnncError as error:
            covered += str(error).startswith("x.npu: ")
        else:
            # only padding between sections carries no meaning
            assert data[at] == 0
    assert covered > 380


def test_messages_name_section_place_and_remedy(hand):
    data = bytearray(hand.build().to_bytes())
    entry = 16 + 40 * container.SECTIONS.index("weights")
    offset = struct.unpack_from("<Q", data, entry + 16)[0]
    data[offset] ^= 1
    with pytest.raises(DnncError, match=rf"section 'weights' at byte {offset}: checksum [0-9a-f]{{8}} was expected"):
        container.from_bytes(bytes(data), "x.npu")
    with pytest.raises(DnncError, match=r"not b'hello'\. Give a \.npu program file"):
        container.from_bytes(b"hello", "x.npu")


def test_another_format_version_is_refused(hand):
    data = bytearray(hand.build().to_bytes())
    data[8] = 2
    with pytest.raises(DnncError, match="format version 1 was expected, not 2"):
        container.from_bytes(bytes(data))


def test_a_well_summed_file_with_foreign_tables_is_refused():
    sections = dict.fromkeys(container.SECTIONS, b"")
    sections |= {name: json.dumps({"a": 1}).encode() for name in container.SECTIONS[3:]}
    data = container._pack(sections)
    assert zlib.crc32(data)
    with pytest.raises(DnncError, match="sections as dnnc writes them were expected"):
        container.from_bytes(data)


def test_refusal_names_both_targets_and_hashes(hand):
    edge, tiny = load_target(), load_target("tiny")
    with pytest.raises(DnncError) as caught:
        hand.build().require(tiny)
    assert str(caught.value) == (
        f"program: one for target 'tiny' with hash {tiny.digest[:16]} was expected, not for 'edge' with hash "
        f"{edge.digest[:16]}. Give that target with -t, its name or its file, or compile the network "
        "again for this one. [E0814]"
    )


def test_a_program_is_taken_for_the_target_it_names_unless_another_is_given(hand):
    program = replace(hand.build(), target="tiny")
    assert target_of(program).name == "tiny"
    assert target_of(program, "edge").name == "edge"
    with pytest.raises(
        DnncError, match=r"a known target was expected, not 'mine'. Give its file with -t X.toml. \[E0814\]"
    ):
        target_of(replace(program, target="mine"))

import numpy as np
import pytest

from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.encoding import HEADER_AT, decode, encode, mask, set_field
from dnnc.backends.npu.isa import BY_NAME, Engine
from dnnc.backends.npu.iss import Simulator
from dnnc.backends.npu.program import Program, Region, Tag
from dnnc.backends.npu.verify import check, verify
from dnnc.ir.diagnostics import DnncError

EDGE = load_target()


def header_edit(name, index_of, value):
    """Overwrite a header field of one instruction of the hand-written program."""

    def edit(words):
        field, at = HEADER_AT[name]
        set_field(words[index_of(words)], "edit", field, at, value)

    return edit


def nth(kind, n):
    def find(words):
        return int(decode(np.concatenate(words))[kind].index[n])

    return find


def messages(hand, edit):
    return [str(f) for f in verify(hand.build(edit=edit), EDGE)]


def test_the_hand_written_program_is_sound(hand):
    assert verify(hand.build(), EDGE) == []
    check(hand.build(), EDGE)


def test_a_missing_signal_is_an_imbalance_and_a_deadlock(hand):
    found = messages(hand, header_edit("signal", nth("mm", 0), 0))
    assert found[0].startswith(
        "instruction 48, tag fc tile 1: as many tokens from MM to PPU were expected as are taken"
    )
    assert any("PPU at instruction" in f and "waits for a token from MM" in f for f in found)


def test_a_surplus_signal_is_an_imbalance(hand):
    found = messages(hand, header_edit("signal", nth("st", 2), mask([Engine.LD])))
    assert len(found) == 1
    assert "as many tokens from ST to LD were expected as are taken, not 2 given and 1 taken" in found[0]


def test_a_missing_token_path_is_a_race(hand):
    """The fully connected layer loads the arena without waiting for the store that fills it."""

    def edit(words):
        header_edit("wait", nth("ld", 4), 0)(words)
        header_edit("signal", nth("st", 1), 0)(words)

    found = messages(hand, edit)
    assert any("ld.offset (read)" in f and "st.offset (write)" in f and "of arena" in f for f in found)
    assert all("a token path from instruction" in f for f in found)


def test_out_of_bounds_and_bad_fields_are_named(hand):
    def edit(words):
        words[nth("mm", 2)(words)] = encode(BY_NAME["mm"], input=262143, tag=3, wait=mask([Engine.LD]))
        words.insert(0, encode(BY_NAME["nop"], Engine.CTRL, wait=1))
        words.insert(0, np.array([[30, 0, 0, 0]], np.uint32))

    found = messages(hand, edit)
    assert (
        "instruction 0, tag setup: a known op was expected, not the word [30, 0, 0, 0]. Rebuild the program. [E0820]"
        in found
    )
    assert not any("instruction 1," in f for f in found)
    assert any(
        "mm.input within the 262144 bytes of scratchpad was expected" in f and "tag fc tile 0" in f for f in found
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([("ld", {"region": 0, "decoder": 2})], "decoder dense was expected"),
        ([("ld", {"space": 6})], "a space below 5 was expected"),
        ([("ld", {"region": 7})], "within the 0 bytes of a memory that does not exist"),
        ([("st", {"region": 0})], "a region that can be written was expected"),
        ([("mm", {"accumulator": 2})], "4-byte steps"),
        ([("ppu", {"from_accumulator": 1, "source": 2})], "4-byte steps"),
        ([("set.pool", {"kernel_h": 3}), ("ppu", {"pool": 1})], "a pooling window that fits the source"),
        ([("ppu", {"pool": 3})], "pool none, max, sum"),
        ([("set.scale", {"rounding": 7}), ("ppu", {"scale": 1})], "a rounding mode below 6"),
        ([("set.scale", {"rounding": 7}), ("softmax", {"scale": 1})], "a rounding mode below 6"),
        ([("set.scale", {"rounding": 4, "offset": 1}), ("ppu", {"scale": 1})], "rounding q31_half_even, half_up"),
        ([("set.table", {"address": 65535}), ("softmax", {})], "set.table.address within the"),
        ([("ld", {"engine": Engine.MM})], "engine LD was expected for ld, not 1"),
        ([("fence", {"wait": 1})], "no tokens were expected on fence"),
    ],
)
def test_each_fault_is_found_and_traps(words, message):
    code = [encode(BY_NAME[name], **fields) for name, fields in words] + [encode(BY_NAME["halt"])]
    regions = tuple(Region(n, 64) for n in ("weights", "parameters", "inputs", "outputs"))
    program = Program("edge", EDGE.digest, np.concatenate(code), regions=regions, tags=(Tag("layer"),))
    found = [str(f) for f in verify(program, EDGE)]
    assert any(message in f and f"instruction {len(words) - 1}, tag layer" in f for f in found)
    with pytest.raises(DnncError):
        Simulator(program).run()


def test_reserved_bits_are_refused():
    word = encode(BY_NAME["fence"])
    word[0, 3] = 1
    program = Program("edge", EDGE.digest, np.concatenate([word, encode(BY_NAME["halt"])]))
    assert "zero was expected in the reserved bits of fence" in str(verify(program, EDGE)[0])


def test_a_program_without_halt_and_with_open_loop():
    program = Program("edge", EDGE.digest, encode(BY_NAME["nop"]))
    assert "a halt was expected" in str(verify(program, EDGE)[0])
    program = Program("edge", EDGE.digest, encode(BY_NAME["loop"]))
    assert "an endloop for this loop was expected" in str(verify(program, EDGE)[0])


def test_symbols_and_constants_must_lie_in_their_regions(hand):
    whole = hand.build()
    cut = Program(
        whole.target,
        whole.digest,
        whole.text,
        whole.weights,
        whole.parameters,
        whole.regions[:3],
        whole.symbols,
        whole.tags,
    )
    assert any("symbol 'y'" in str(f) for f in verify(cut, EDGE))


def test_races_between_queues_need_a_write():
    regions = tuple(Region(n, 64) for n in ("weights", "parameters", "inputs", "outputs"))

    def build(*code):
        words = np.concatenate([encode(BY_NAME[n], **f) for n, f in code] + [encode(BY_NAME["halt"])])
        found = verify(Program("edge", EDGE.digest, words, regions=regions, tags=(Tag("a"),)), EDGE)
        return [f for f in found if f.code == "E0823"]

    # both read the same input bytes
    assert build(("mm", {"input": 0, "weight": 64}), ("st", {"region": 3, "space": 0, "row_bytes": 8})) == []
    found = build(
        ("ld", {"region": 2, "row_bytes": 8}), ("st", {"region": 3, "space": 2, "row_bytes": 8, "address": 7})
    )
    assert "share bytes [7, 8) of scratchpad" in str(found[0])
    assert build(("ld", {"region": 2, "row_bytes": 8}), ("st", {"region": 3, "row_bytes": 8, "address": 8})) == []
    # a chain of tokens through a third queue orders them, so does a fence
    chain = (
        ("ld", {"region": 2, "row_bytes": 8, "signal": 2}),
        ("nop", {"engine": Engine.MM, "wait": 1, "signal": 8}),
        ("st", {"region": 3, "row_bytes": 8, "wait": 2}),
    )
    assert build(*chain) == []
    assert (
        build(
            ("ld", {"region": 2, "row_bytes": 8}),
            ("fence", {"mask": 1}),
            ("st", {"region": 3, "row_bytes": 8}),
        )
        == []
    )

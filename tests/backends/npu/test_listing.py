"""The text of a program: it assembles back to the same bytes, and every wrong line of it is refused."""

import pytest

from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.listing import listing, program
from dnnc.ir.diagnostics import DnncError

EDGE = load_target()


def test_a_listing_assembles_back_to_the_same_file(hand):
    whole = hand.build()
    assert program(listing(whole), EDGE, whole).to_bytes() == whole.to_bytes()


def test_a_listing_names_layers_nodes_and_symbols(hand):
    lines = listing(hand.build(), "conv").splitlines()
    assert "; conv tile 0, node_conv" in lines
    assert any(line.startswith("ld region=2") and line.endswith(" x+0x0") for line in lines)
    assert not any("fc" in line for line in lines)
    with pytest.raises(DnncError, match=r"one of 3 layers, not 'pool'\. They are setup, conv, fc\."):
        listing(hand.build(), "pool")


def test_every_wrong_line_is_named():
    text = ".target tpu\n.regon a 3\n.region a\n.region a x\n.symbol s in b 0 int8 1 ''\n.tag 'a\nld regio=3\n"
    with pytest.raises(DnncError) as caught:
        program(text, EDGE, source="p.s")
    found = [str(f) for f in caught.value.findings]
    assert [f.partition(": ")[0] for f in found] == [*(f"p.s:{n}" for n in range(2, 8)), "p.s"]
    assert "one of .target, .region, .symbol, .tag was expected, not '.regon'" in found[0]
    assert "the target 'edge' was expected, not tpu" in found[-1]

import numpy as np
import pytest

from dnnc.backends.npu.asm import assemble
from dnnc.backends.npu.encoding import decode
from dnnc.backends.npu.sequence import expand
from dnnc.ir.diagnostics import DnncError


def offsets(text):
    stream = expand(assemble(text))
    return decode(stream.words)["ld"]["offset"].tolist(), stream.origin.tolist()


def test_straight_programs_pass_through():
    words = assemble("nop\nld offset=4\nhalt")
    assert expand(words).words is words


def test_nested_loops_add_the_steps_of_both():
    text = """loop count=2
step index=4 slot=0 delta=100
mark id=1
mark id=2
loop count=3
step index=0 slot=0 delta=1
ld offset=7
endloop
endloop"""
    # the outer step counts instructions of the text after the outer loop's own steps: 4 is the load
    found, origin = offsets(text)
    assert found == [7, 8, 9, 107, 108, 109]
    assert origin == [2, 3, 6, 6, 6, 2, 3, 6, 6, 6]


def test_a_negative_step_walks_down():
    assert offsets("loop count=3\nstep index=0 slot=0 delta=-4\nld offset=8\nendloop")[0] == [8, 4, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("loop count=2\nnop", "instruction 0: an endloop for this loop was expected"),
        ("nop\nendloop", "instruction 1: an open loop was expected before this endloop"),
        ("loop\nnop\nstep delta=1\nendloop", "instruction 2: a step directly after its loop was expected"),
        (
            "loop\nstep index=0 slot=2\nld\nendloop",
            "instruction 1: a step of an address field in its loop was expected",
        ),
        ("loop\nstep index=9\nld\nendloop", "instruction 1: a step of an address field"),
        ("loop count=3\nstep index=0 delta=-4\nld offset=4\nendloop", r"instruction 1: step\.offset: a value in \[0,"),
        ("loop\n" * 9 + "nop\n" + "endloop\n" * 9, "at most 8 nested loops"),
        ("loop count=65536\n" * 2 + "nop\n" + "endloop\n" * 2, "at most 16777216 instructions"),
    ],
)
def test_wrong_loops_are_located(text, message):
    with pytest.raises(DnncError, match=message):
        expand(assemble(text))


def test_expansion_is_an_array_copy():
    stream = expand(assemble("loop count=50000\nstep index=0 slot=0 delta=16\nld\nendloop"))
    np.testing.assert_array_equal(decode(stream.words)["ld"]["offset"], np.arange(50000) * 16)

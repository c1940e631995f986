"""What may be written over what: told by running the loops, for tiles of rows, of channels, with halo and transposed."""

import pytest

from dnnc.ir.context import make_context
from dnnc.ir.text import parse
from dnnc.passes.analysis.in_place import in_place, overwritings

ROWS = "[0 size 2 in 2, 0 step 1 of 0 size 4 in 8, 0 size 8 in 8]"
CHANNELS = "[0 step 1 of 0 size 1 in 2, 0 size 8 in 8, 0 size 8 in 8]"
HALO = "[0 size 2 in 2, -1 step 1 of 0 size 6 in 8, 0 size 8 in 8]"
BEHIND = "[0 size 2 in 2, -4 step 1 of 0 size 4 in 8, 0 size 8 in 8]"
PLAIN = "memref<2x8x8xi8>"
TURNED = "memref<2x8x8xi8, strided<[64, 1, 8]>>"


def schedule(load, store, read=PLAIN, more="", made="2x8x8", loop="0 to 8 step 4"):
    """A loop that loads tiles of %x and stores tiles of %y, what else reads %x behind it."""
    view = f"%v = sched.view %x : {PLAIN} to {read}" if read != PLAIN else ""
    return f"""func.func @main() {{
  %x = sched.buffer "x" in <arena> : {PLAIN}
  %y = sched.buffer "y" in <arena> : memref<{made}xi8>
  {view}
  %t = sched.buffer "t" in <input> : {PLAIN}
  %s = sched.buffer "s" in <input> : {PLAIN}
  sched.copy %s to %x at() <[0 size 2 in 2, 0 size 8 in 8, 0 size 8 in 8]> : {PLAIN} to {PLAIN}
  sched.loop %i = {loop} {{
    sched.copy {"%v" if view else "%x"} to %t at(%i) <{load}> : {read} to {PLAIN}
    sched.copy %t to %y at(%i) <{store}> : {PLAIN} to memref<{made}xi8>
  }}
  {more}
  func.return
}}"""


AGAIN = f"sched.copy %x to %s at() <[0 size 2 in 2, 0 size 8 in 8, 0 size 8 in 8]> : {PLAIN} to {PLAIN}"
OF_CHANNELS = {"loop": "0 to 2 step 1"}


@pytest.mark.parametrize(
    "text, safe",
    (
        (schedule(ROWS, ROWS), True),
        (schedule(CHANNELS, CHANNELS, **OF_CHANNELS), True),
        (schedule(HALO, ROWS), False),
        (schedule(HALO, BEHIND, loop="0 to 12 step 4"), True),
        (schedule(ROWS, ROWS, TURNED), False),
        (schedule(CHANNELS, CHANNELS, TURNED, **OF_CHANNELS), True),
        (schedule(ROWS, ROWS, made="2x8x9"), False),
    ),
    ids=("rows", "channels", "halo", "stored a tile later", "turned", "turned within a tile", "larger"),
)
def test_only_what_is_never_read_late(text, safe):
    module = parse(make_context(), text)
    assert bool(list(overwritings(module))) == safe
    assert [(y.label.data, x.label.data) for y, x in in_place(module).items()] == ([("y", "x")] if safe else [])


def test_not_while_somebody_else_reads():
    module = parse(make_context(), schedule(ROWS, ROWS, more=AGAIN))
    assert len(list(overwritings(module))) == 1
    assert in_place(module) == {}

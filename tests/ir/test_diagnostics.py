"""What is said of many places at once."""

from dnnc.ir.diagnostics import MANY, Finding, UnsupportedError


def test_what_is_said_of_many_places_is_said_once():
    steps = [Finding(f"step{i}", "expected more. Choose another.", "E0804") for i in range(MANY + 1)]
    other = Finding("conv", "expected less. Choose another.", "E0804")
    told = str(UnsupportedError([steps[0], other, *steps[1:]])).splitlines()
    assert told == [
        f"{MANY + 2} unsupported things:",
        f"{', '.join(f.where for f in steps)}: expected more. Choose another. [E0804]",
        "conv: expected less. Choose another. [E0804]",
    ]
    assert len(str(UnsupportedError([*steps[:MANY], other])).splitlines()) == 1 + MANY + 1

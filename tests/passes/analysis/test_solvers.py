"""Other solvers: what they give is a packing, a proof or a limit, and a missing one says how to get it."""

import random
import stat
from importlib.util import find_spec
from pathlib import Path

import pytest

from dnnc.ir.diagnostics import DnncError
from dnnc.passes.analysis import allocate as exact
from dnnc.passes.analysis.allocation import Buffer, table
from dnnc.passes.analysis.solvers import SOLVERS, cp_sat, minimalloc

PAIR = [Buffer("a", 64, 0, 2), Buffer("b", 64, 1, 3), Buffer("none", 0, 0, 3)]
GAP = [Buffer(i, *row) for i, row in enumerate([(3, 0, 1, 2), (3, 0, 1, 2)])]


def program(folder: Path, lines: str) -> None:
    """A program of the name minimalloc in a folder."""
    path = folder / "minimalloc"
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is looked into first."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def answer(rows: str) -> str:
    """Write these rows where --output says."""
    return f'for a in "$@"; do case $a in --output=*) printf "{rows}" > "${{a#--output=}}";; esac; done'


def test_offsets_are_read_from_the_answer(on_path):
    program(on_path, answer("id,lower,upper,size,offset\\n0,0,2,64,64\\n1,1,3,64,0\\n"))
    found = minimalloc(PAIR, 128)
    assert (found.status, found.offsets) == ("optimal", {"a": 64, "b": 0, "none": 0})


def test_sizes_are_asked_for_in_units_of_the_largest_alignment(on_path):
    program(on_path, answer("id,lower,upper,size,offset\\n0,0,1,2,2\\n1,0,1,2,0\\n"))
    found = minimalloc(GAP, 8)
    assert found.offsets == {0: 4, 1: 0}


def test_a_wrong_answer_is_no_packing(on_path):
    program(on_path, answer("id,lower,upper,size,offset\\n0,0,2,64,0\\n1,1,3,64,0\\n"))
    with pytest.raises(AssertionError, match="overlap"):
        minimalloc(PAIR, 128)


def test_no_answer_is_a_proof_only_where_units_are_bytes(on_path):
    program(on_path, "printf 0.001 >&2; exit 1")
    assert minimalloc(PAIR, 128).status == "infeasible-proved"
    assert minimalloc(GAP, 8).status == "limit"
    assert minimalloc(PAIR, 127).status == "infeasible-proved"


def test_what_is_not_installed_is_an_error_that_says_how(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DnncError, match=r"E0831"):
        minimalloc(PAIR, 128)
    monkeypatch.setattr("dnnc.passes.analysis.solvers.find_spec", lambda name: None)
    with pytest.raises(DnncError, match=r"pip install dnnc\[ortools\]"):
        cp_sat(PAIR, 128)


def random_buffers(seed: int) -> list[Buffer]:
    """A few buffers close together."""
    rng = random.Random(seed)
    return [
        Buffer(i, rng.randint(1, 7), start, start + rng.randint(1, 5), rng.choice([1, 1, 2]))
        for i, start in enumerate(rng.randint(0, 8) for _ in range(rng.randint(6, 12)))
    ]


@pytest.mark.skipif(find_spec("ortools") is None, reason="the extra ortools is not installed")
@pytest.mark.parametrize("seed", range(40))
def test_the_built_in_search_agrees_with_cp_sat(seed):
    buffers = random_buffers(seed)
    for capacity in (exact.lower_bound(buffers), exact.lower_bound(buffers) + 1):
        offsets, _ = exact._search(table(buffers), capacity, 100_000)
        found = cp_sat(buffers, capacity)
        assert (offsets is None, found.offsets is None) in ((True, True), (False, False))
        assert found.status == ("infeasible-proved" if offsets is None else found.status)


def test_the_default_is_one_of_them():
    assert SOLVERS["built-in"](PAIR, 128).status == "optimal"

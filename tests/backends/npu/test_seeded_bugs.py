"""Bugs planted in sound programs, kind by kind: the verifier finds each and names instruction and layer."""

import re
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

import dnnc
from dnnc.backends.npu.catalog import load_target
from dnnc.backends.npu.encoding import HEADER_AT, decode, header, set_field
from dnnc.backends.npu.footprint import accesses, memories
from dnnc.backends.npu.isa import BY_NAME, QUEUES
from dnnc.backends.npu.program import Program
from dnnc.backends.npu.verify import verify
from dnnc.ir.arch import ROLES
from dnnc.zoo import ZOO

EDGE = load_target()
FULL = [pytest.param(n, marks=pytest.mark.full) for n in ("resnet8", "ds_cnn", "toyadmos_autoencoder")]
PROGRAMS = ("hand", "lenet5", *FULL)
ADDRESSES = [(n, f.name) for n in ("ld", "st", "mm", "ppu") for f in BY_NAME[n].addresses]
SIZES = [
    ("ld", "rows", "row_bytes"),
    ("st", "rows", "row_bytes"),
    ("mm", "rows", "channels"),
    ("ppu", "rows", "channels"),
]
MEANINGLESS = [("ld", "decoder", 2), ("ld", "space", 6), ("ld", "region", 7), ("st", "space", 7), ("st", "region", 0)]


@dataclass(frozen=True)
class Bug:
    """A damaged program, and the instructions a finding may name: all of those when any may be the one at fault."""

    program: Program
    at: frozenset[int]


@cache
def compiled(name):
    """A quantized network of the zoo as a program for `edge`."""
    graph = ZOO[name](0)
    shape = [d.dim_value for d in graph.graph.input[0].type.tensor_type.shape.dim]
    samples = np.random.default_rng(0).normal(0, 1, (2 * shape[0], *shape[1:])).astype(np.float32)
    return dnnc.compile(dnnc.load(graph), target="edge", calibrate=[samples]).npu


def with_header(words, at, name, value):
    field, place = HEADER_AT[name]
    set_field(words[at : at + 1], "seeded", field, place, value)


def with_field(words, instruction, at, name, value):
    field, place = BY_NAME[instruction].layout[name]
    set_field(words[at : at + 1], "seeded", field, 32 + place, value)


def pairs(words, p, q):
    """The instructions that give a token from p to q, and those that take one: the n-th takes what the n-th gives."""
    engine, wait, signal = (header(words, n) for n in ("engine", "wait", "signal"))
    gives = np.flatnonzero((engine == p) & (signal >> q & 1 == 1))
    return gives, np.flatnonzero((engine == q) & (wait >> p & 1 == 1))


class Nowhere(Exception):
    """A program has no instruction for a bug of this kind."""


def pick(rows, rng):
    """One of them."""
    if not len(rows):
        raise Nowhere
    return int(rng.choice(rows))


def token(program, rng, what, p, q):
    """A signal or a wait between two queues too few or too many."""
    words = program.text.copy()
    lost, name = what.startswith("lost"), what.split()[1]
    queue, other = (p, q) if name == "signal" else (q, p)
    bits = header(words, name)
    at = pick(np.flatnonzero((header(words, "engine") == queue) & ((bits >> other & 1) == lost)), rng)
    with_header(words, at, name, int(bits[at]) ^ 1 << other)
    return Bug(replace(program, text=words), frozenset(range(len(words))))


def race(program, rng, p, q):
    """A token neither given nor taken: what it ordered is not ordered any more."""
    words = program.text.copy()
    gives, takes = pairs(words, p, q)
    n = pick(range(len(gives)), rng)
    for at, name, bit in ((gives[n], "signal", q), (takes[n], "wait", p)):
        with_header(words, at, name, int(header(words[at], name)) & ~(1 << bit))
    return Bug(replace(program, text=words), frozenset(np.flatnonzero(header(words, "engine") < len(QUEUES)).tolist()))


def out_of_bounds(program, rng, instruction, *names):
    """The largest multiple of 4 in a field, or in all that make the size of an access."""
    words = program.text.copy()
    at = pick(decode(words)[instruction].index, rng)
    for name in names:
        with_field(words, instruction, at, name, BY_NAME[instruction].layout[name][0].high & ~3)
    return Bug(replace(program, text=words), frozenset([at]))


def meaningless(program, rng, instruction, name, value):
    words = program.text.copy()
    at = pick(decode(words)[instruction].index, rng)
    with_field(words, instruction, at, name, value)
    return Bug(replace(program, text=words), frozenset([at]))


def wrong_word(program, rng, what):
    words = program.text.copy()
    at = pick(np.flatnonzero(header(words, "engine") < len(QUEUES)), rng)
    edits = {
        "op": lambda: with_header(words, at, "op", 30),
        "engine": lambda: with_header(words, at, "engine", (int(header(words[at], "engine")) + 2) % 4),
        "no queue": lambda: with_header(words, at, "engine", 7),
        "control that waits": lambda: with_header(words, len(words) - 1, "wait", 1),
        "unaligned sums": lambda: unaligned(),
    }

    def unaligned():
        nonlocal at
        at = int(decode(words)["mm"].index[0])
        with_field(words, "mm", at, "accumulator", 2)

    edits[what]()
    return Bug(replace(program, text=words), frozenset([len(words) - 1 if "control" in what else at]))


def without_an_instruction(program, rng, instruction):
    """Its tokens are gone with it."""
    d = decode(program.text)[instruction]
    at = pick(d.index[(d["wait"] | d["signal"]) != 0], rng)
    words = np.delete(program.text, at, axis=0)
    return Bug(replace(program, text=words), frozenset(range(len(words))))


ORDERED = [(p, q) for p in QUEUES for q in QUEUES if p != q]
KINDS = {
    **{
        f"{what} {p.name} to {q.name}": (token, what, p, q)
        for what in ("lost signal", "lost wait", "surplus signal", "surplus wait")
        for p, q in ORDERED
    },
    **{f"race {p.name} to {q.name}": (race, p, q) for p, q in ORDERED},
    **{f"{i}.{' and '.join(f)} out of bounds": (out_of_bounds, i, *f) for i, *f in (*ADDRESSES, *SIZES)},
    **{f"{i}.{f} = {v}": (meaningless, i, f, v) for i, f, v in MEANINGLESS},
    **{f"wrong {w}": (wrong_word, w) for w in ("op", "engine", "no queue", "control that waits", "unaligned sums")},
    **{f"no {i}": (without_an_instruction, i) for i in ("ld", "mm", "ppu", "st")},
}


def missed(program, kind, rng):
    """The kind when the verifier did not name an instruction at fault and its layer; None without a place for the bug."""
    plant, *how = KINDS[kind]
    try:
        bug = plant(program, rng, *how)
    except Nowhere:
        return None
    found = [str(f) for f in verify(bug.program, EDGE)]
    named = [re.match(r"instruction (\d+), tag ([^\s:]+)", f) for f in found]
    layers = {t.layer for t in program.tags}
    right = any(m and int(m[1]) in bug.at and m[2] in layers for m in named)
    return [] if right else [f"{kind}: {found}"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_planted_bugs_are_found_and_named(name, hand):
    program = hand.build() if name == "hand" else compiled(name)
    assert not verify(program, EDGE)
    rng = np.random.default_rng(len(name))
    planted = [m for kind in KINDS if (m := missed(program, kind, rng)) is not None]
    assert [m for m in planted if m] == []
    assert len(planted) >= 50


def first_writes(program, name):
    """The instructions of a kind that write where nothing was written before."""
    m = memories(program, EDGE)
    a = accesses(decode(program.text), m)
    kind = set(decode(program.text)[name].index.tolist())
    rows = np.flatnonzero(a.write == 1)
    fresh = []
    for n, row in enumerate(rows):
        before = rows[:n]
        same = (a.memory[before] == a.memory[row]) & (a.index[before] < a.index[row])
        overlap = same & (a.low[before] < a.high[row]) & (a.low[row] < a.high[before])
        if int(a.index[row]) in kind and not overlap.any():
            fresh.append(int(a.index[row]))
    return fresh


def lost(program, name):
    """An instruction that does nothing any more, with its tokens."""
    for at in first_writes(program, name):
        words = program.text.copy()
        with_header(words, at, "op", BY_NAME["nop"].op)
        words[at, 1:] = 0
        yield at, words


def a_row_short(program):
    """A load of weights or records without the last row."""
    d = decode(program.text)["ld"]
    rows = dict(zip(d.index.tolist(), zip(d["rows"].tolist(), d["space"].tolist())))
    for at in first_writes(program, "ld"):
        if rows[at][0] > 1 and ROLES[rows[at][1]] in ("weight", "parameter"):
            words = program.text.copy()
            with_field(words, "ld", at, "rows", rows[at][0] - 1)
            yield at, words


def sums_not_started(program):
    """The first product of a tile adds to what is there."""
    for at in first_writes(program, "mm"):
        words = program.text.copy()
        with_field(words, "mm", at, "accumulate", 1)
        yield at, words


UNWRITTEN = {
    **{f"{name} lost": (lost, name) for name in ("ld", "mm", "ppu", "st")},
    "ld a row short": (a_row_short,),
    "sums not started": (sums_not_started,),
}


@pytest.mark.parametrize("kind", UNWRITTEN)
@pytest.mark.parametrize("name", PROGRAMS)
def test_reads_of_what_was_never_written_are_found_and_named(name, kind, hand):
    program, (plant, *how) = hand.build() if name == "hand" else compiled(name), UNWRITTEN[kind]
    planted = list(plant(program, *how))[:12]
    assert planted
    layers = {t.layer for t in program.tags}
    for at, words in planted:
        found = [f for f in verify(replace(program, text=words), EDGE) if f.code == "E0840"]
        readers = [re.match(r"instruction (\d+), tag ([^\s:]+)", f.where) for f in found]
        assert all(
            (r and int(r[1]) >= at and r[2] in layers) or f.where.startswith("output") for r, f in zip(readers, found)
        )
        assert any(readers) or kind == "st lost", (kind, at, found)
        places = [re.search(r"in \[\d+, \d+\) of (\w+)\.|never written", f.message) for f in found]
        assert all(places)


def test_an_output_that_nothing_fills_is_named(hand):
    program = hand.build()
    at = int(decode(program.text)["st"].index[-1])
    words = program.text.copy()
    with_header(words, at, "op", BY_NAME["nop"].op)
    words[at, 1:] = 0
    found = [str(f) for f in verify(replace(program, text=words), EDGE)]
    assert len(found) == 1 and found[0].startswith("output 'y': a program that writes all ")


def test_constants_that_a_program_lacks_are_told_once_a_region(hand):
    program = replace(hand.build(), weights=b"", parameters=b"")
    found = [str(f) for f in verify(program, EDGE)]
    regions = [
        re.search(r"\d+ bytes of (\w+) were expected for ld.offset, the program holds 0\. .*--like", f) for f in found
    ]
    assert sorted(r[1] for r in regions if r) == ["parameters", "weights"] and all(regions)

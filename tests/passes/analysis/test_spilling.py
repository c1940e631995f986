"""What leaves a memory: against every way to say, touch by touch and gap by gap, where each value is."""

from itertools import product

import numpy as np
import pytest

from dnnc.passes.analysis.spilling import Stay, Touch, Value, least_spills

INSIDE, BEYOND = True, False


def ways(value):
    """(bytes beyond, bytes copied, sections inside) of every walk of a value through its touches and gaps."""
    touches, made = value.touches, max((i for i, t in enumerate(value.touches) if t.writes), default=0)
    n = len(touches)
    for at in product((INSIDE, BEYOND), repeat=n):
        for gap in product((INSIDE, BEYOND), repeat=n - 1):
            whole = at[: made + 1] + gap[:made]
            stays = all(gap[i] == BEYOND or (at[i] and at[i + 1]) for i in range(n - 1))
            if not stays or (any(whole) and not all(whole)):
                continue
            outside = not at[0]
            beyond = copied = 0
            sections = set()
            for i, touch in enumerate(touches):
                before = at[i - 1] and gap[i - 1] if i else at[0]
                if at[i]:
                    # back from beyond, where it must have been copied to
                    returns = not before
                    leaves = returns and not outside
                    copied += (returns + leaves) * value.size
                    outside |= leaves
                    sections.add(touch.section)
                else:
                    leaves = not outside
                    copied += leaves * value.size
                    outside = True
                    beyond += touch.bytes
                if i and before and at[i]:
                    sections.update(range(touches[i - 1].section, touch.section))
            yield beyond + copied, 2 * copied, sections


def brute_force(values, capacity):
    """The least cost of all combinations that fit."""
    found = []
    for combination in product(*(list(ways(v)) for v in values)):
        at = [s for _, _, sections in combination for s in sections]
        loads = [sum(v.size for v, (_, _, s) in zip(values, combination) if i in s) for i in set(at)]
        if max(loads, default=0) <= capacity:
            found.append((sum(c[0] for c in combination), sum(c[1] for c in combination)))
    return min(found)


def drawn(rng):
    values = []
    for _ in range(rng.integers(1, 5)):
        sections = sorted(rng.choice(7, rng.integers(1, 5), replace=False).tolist())
        size, written = int(rng.integers(1, 20)), int(rng.integers(0, 2))
        touches = (Touch(s, size * int(rng.integers(1, 3)), i <= written) for i, s in enumerate(sections))
        values.append(Value(size, tuple(touches)))
    return values


def test_least_is_what_brute_force_finds():
    rng = np.random.default_rng(5)
    for _ in range(40):
        values = drawn(rng)
        capacity = int(rng.integers(0, sum(v.size for v in values) + 1))
        found = least_spills(values, capacity)
        assert found.proved
        assert found.cost == brute_force(values, capacity)


def test_a_long_life_is_spilled_and_the_short_ones_stay():
    residual = Value(100, (Touch(0, 100, True), Touch(1, 100), Touch(5, 100)))
    chain = [Value(100, (Touch(i, 100, True), Touch(i + 1, 100))) for i in range(1, 5)]
    found = least_spills([residual, *chain], 200)
    # stored once after its first reader, read where it lies by the last
    assert found.stays[0] == Stay(((0, 1),))
    assert found.cost == (200, 200)
    assert all(s == Stay(((0, 1),)) for s in found.stays[1:])


def test_what_is_read_again_and_again_comes_back():
    long = Value(100, (Touch(0, 100, True), Touch(4, 500), Touch(5, 500)))
    others = [Value(100, (Touch(i, 100, True), Touch(i + 1, 400))) for i in (1, 2)]
    found = least_spills([long, *others], 200)
    # written beyond at once, which saves a copy, and brought in before it is read
    assert found.stays[0] == Stay(((1, 2),))
    assert found.cost == (200, 200)


def test_what_has_many_uses_is_not_proved():
    many = Value(8, tuple(Touch(i, 100, i == 0) for i in (0, 1, 2, 5, 6, 9, 10, 13)))
    short = [Value(8, (Touch(k, 1000, True), Touch(k + 1, 1000))) for k in (3, 7, 11)]
    found = least_spills([many, *short], 8)
    # to come back three times would move 32 bytes
    assert found.cost == (508, 16)
    assert not found.proved
    assert least_spills(short, 8).proved


def test_nothing_fits_and_all_lies_beyond():
    values = [Value(100, (Touch(0, 100, True), Touch(1, 150)))]
    assert least_spills(values, 50).stays == (Stay(()),)


@pytest.mark.parametrize("nodes", (0, 10))
def test_a_search_at_its_limit_says_so_and_still_fits(nodes):
    rng = np.random.default_rng(2)
    values = []
    for _ in range(40):
        first = int(rng.integers(0, 30))
        sections = (first, first + int(rng.integers(1, 4)), first + int(rng.integers(5, 12)))
        values.append(Value(int(rng.integers(10, 90)), tuple(Touch(s, 50, s == first) for s in sections)))
    found = least_spills(values, 200, nodes)
    assert not found.proved
    for section in range(45):
        live = [v.size for v, s in zip(values, found.stays) if s.taken(v) >> section & 1]
        assert sum(live) <= 200

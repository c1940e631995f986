"""Einsum as transposes, sums, reshapes and a matrix product for each pair of operands: backends need no operation for it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from xdsl.ir import SSAValue

from dnnc.frontend.onnx.movement import reshaped
from dnnc.frontend.onnx.site import Mistake, Site
from dnnc.ir.dnn.contraction import MatmulOp
from dnnc.ir.dnn.movement import SliceOp, TransposeOp
from dnnc.ir.dnn.reduction import ReduceSumOp
from dnnc.ir.types import shape_of


@dataclass(frozen=True)
class Term:
    """A value with a letter for each of its dimensions."""

    value: SSAValue
    letters: str

    def sizes(self) -> dict[str, int]:
        """Size of each letter."""
        return dict(zip(self.letters, shape_of(self.value.type)))


def einsum(site: Site) -> SSAValue:
    """Einsum: operands are taken together from the left, letters summed as soon as no one needs them."""
    terms, output = _parse(site)
    total, *rest = terms
    for k, term in enumerate(rest):
        later = set(output).union(*(t.letters for t in rest[k + 1 :]))
        total = _product(site, total, term, later)
    total = _summed(site, total, set(output))
    return _transposed(site, total, output).value


def _parse(site: Site) -> tuple[list[Term], str]:
    equation = site.string("equation").replace(" ", "")
    left, arrow, output = equation.partition("->")
    inputs, operands = left.split(","), site.operands()
    if len(inputs) != len(operands):
        raise Mistake(f"expected {len(inputs)} operands for '{equation}', not {len(operands)}.", "E0228")
    spare = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" if c not in equation]
    terms, widest = [], ""
    for letters, value in zip(inputs, operands):
        extra = len(shape_of(value.type)) - len(letters.replace("...", ""))
        if extra < 0 or (extra and "..." not in letters):
            raise Mistake(
                f"expected an operand of rank {len(letters)} for '{letters}', not {len(shape_of(value.type))}.", "E0228"
            )
        dots = "".join(spare[:extra])[::-1]  # aligned at the right, as broadcasting is
        widest = max(widest, dots, key=len)
        terms.append(Term(value, letters.replace("...", dots)))
    terms = [_diagonal(site, t) for t in terms]
    if not arrow:
        every = "".join(t.letters for t in terms)
        output = "..." + "".join(sorted(c for c in set(every) if every.count(c) == 1 and c not in widest))
    output = output.replace("...", widest)
    _check_sizes(terms)
    return terms, output


def _diagonal(site: Site, term: Term) -> Term:
    """The term with each letter once: of dimensions with one letter the diagonal, every (n + 1)-th element of n * n."""
    twice = next((c for c in term.letters if term.letters.count(c) > 1), None)
    if twice is None:
        return term
    at = [k for k, c in enumerate(term.letters) if c == twice][:2]
    rest = [k for k in range(len(term.letters)) if k not in at]
    shape = shape_of(term.value.type)
    n = shape[at[0]]
    if shape[at[1]] != n:
        raise Mistake(f"expected one size for each letter, not {n} and {shape[at[1]]} for '{twice}'.", "E0228")
    lead = [shape[k] for k in rest]
    value = site.emit(TransposeOp, term.value, perm=(*rest, *at))
    value = reshaped(site, value, [*lead, n * n])
    start, step = (0,) * (len(lead) + 1), (*(1,) * len(lead), n + 1)
    value = site.emit(SliceOp, value, start=start, size=(*lead, n), step=step)
    return _diagonal(site, Term(value, "".join(term.letters[k] for k in rest) + twice))


def _check_sizes(terms: list[Term]) -> None:
    seen: dict[str, int] = {}
    for t in terms:
        for letter, n in t.sizes().items():
            if seen.setdefault(letter, n) != n:
                raise Mistake(f"expected one size for each letter, not {seen[letter]} and {n} for '{letter}'.", "E0228")


def _summed(site: Site, term: Term, kept: set[str]) -> Term:
    """The term with letters no one needs summed away."""
    axes = tuple(k for k, c in enumerate(term.letters) if c not in kept)
    if not axes:
        return term
    return Term(site.emit(ReduceSumOp, term.value, axes=axes), "".join(c for c in term.letters if c in kept))


def _transposed(site: Site, term: Term, letters: str) -> Term:
    if term.letters == letters:
        return term
    if set(term.letters) != set(letters) or len(letters) != len(term.letters):
        raise Mistake(f"expected output letters from '{term.letters}', not '{letters}'.", "E0228")
    perm = tuple(term.letters.index(c) for c in letters)
    return Term(site.emit(TransposeOp, term.value, perm=perm), letters)


def _product(site: Site, a: Term, b: Term, later: set[str]) -> Term:
    """Sum over the letters that a and b share and nobody needs later, as a batched matrix product."""
    a, b = _summed(site, a, later | set(b.letters)), _summed(site, b, later | set(a.letters))
    shared = [c for c in a.letters if c in b.letters]
    batch, inner = [c for c in shared if c in later], [c for c in shared if c not in later]
    rows = [c for c in a.letters if c not in shared]
    columns = [c for c in b.letters if c not in shared]
    sizes = {**a.sizes(), **b.sizes()}
    count = lambda letters: prod(sizes[c] for c in letters)  # noqa: E731
    left = _transposed(site, a, "".join(batch + rows + inner)).value
    right = _transposed(site, b, "".join(batch + inner + columns)).value
    lead = [sizes[c] for c in batch]
    left = reshaped(site, left, [*lead, count(rows), count(inner)])
    right = reshaped(site, right, [*lead, count(inner), count(columns)])
    letters = "".join(batch + rows + columns)
    return Term(reshaped(site, site.emit(MatmulOp, left, right), [sizes[c] for c in letters]), letters)

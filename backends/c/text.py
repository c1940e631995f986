"""C text: element types, names, index expressions and loop nests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import prod

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, SSAValue

from dnnc.ir.types import dtype, shape_of

C_TYPES = {
    "float32": "float",
    "float64": "double",
    "bool": "uint8_t",
    **{f"{u}int{n}": f"{u}int{n}_t" for u in ("", "u") for n in (8, 16, 32, 64)},
}

Bound = int | str
"""A loop bound or an index term: a number, or the C text of an `int32_t`."""


def numpy_type(value: SSAValue) -> np.dtype:
    """The numpy dtype of a tensor's elements."""
    assert isinstance(value.type, TensorType)
    return dtype(value.type.element_type)


def c_type(value: SSAValue) -> str:
    """The C type of a tensor's elements."""
    return C_TYPES[numpy_type(value).name]


def kind_of(dt: np.dtype) -> str:
    """The arithmetic an element type asks for: float, double or int."""
    return {"float32": "float", "float64": "double"}.get(dt.name, "int")


def size_of(type_: Attribute) -> int:
    """Number of elements of a tensor type."""
    return prod(shape_of(type_))


def bytes_of(value: SSAValue) -> int:
    """Bytes of a tensor in C, where a boolean takes one."""
    return size_of(value.type) * numpy_type(value).itemsize


def identifier(text: str) -> str:
    """A C identifier made of a name: letters, digits and underscores, not starting with a digit."""
    word = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_").lower()
    return word if word and not word[0].isdigit() else f"n_{word}"


def comment(text: str) -> str:
    """Text that is safe inside a C comment: printable ASCII without */, backslash and question marks."""
    safe = "".join(ch if " " <= ch <= "~" and ch not in "\\?" else "." for ch in text)
    return safe.replace("*/", "..").replace("/*", "..")


def quoted(text: str) -> str:
    """A C string literal of any text, as UTF-8."""
    safe = (chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in text.encode())
    return f'"{"".join(safe)}"'


def product(*factors: Bound) -> Bound:
    """The product of bounds, as a number when all are, else as C text."""
    number = prod(f for f in factors if isinstance(f, int))
    words = [f for f in factors if isinstance(f, str)]
    if not words or number == 0:
        return number
    return " * ".join(words + ([str(number)] if number != 1 else []))


def total(terms: Iterable[Bound]) -> Bound:
    """The sum of terms, as a number when all are, else as C text."""
    terms = list(terms)
    number = sum(t for t in terms if isinstance(t, int))
    words = [t for t in terms if isinstance(t, str) and t != "0"]
    if not words:
        return number
    return " + ".join(words) + (f" + {number}" if number > 0 else f" - {-number}" if number < 0 else "")


def index(variables: Sequence[Bound], strides: Sequence[int], offset: Bound = 0) -> str:
    """C text of offset + sum of variable * stride."""
    terms = [product(v if isinstance(v, int) else atom(v), s) for v, s in zip(variables, strides)]
    return str(total([*terms, offset]))


def shifted(pointer: str, place: str) -> str:
    """C text of a pointer moved by an index."""
    return pointer if place == "0" else f"{pointer} + {place}"


def atom(text: str) -> str:
    """An expression that can stand as a factor: in parentheses unless it is a word."""
    return text if re.fullmatch(r"\w+", text) else f"({text})"


def strides_to(shape: Sequence[int], target: Sequence[int]) -> tuple[int, ...]:
    """Element strides of a row-major array read in a nest over `target`, 0 where it is broadcast."""
    padded = (1,) * (len(target) - len(shape)) + tuple(shape)
    return tuple(0 if d == 1 else prod(padded[i + 1 :]) for i, d in enumerate(padded))


def collapse(bounds: Sequence[Bound], strides: Sequence[Sequence[int]]) -> tuple[list[Bound], list[tuple[int, ...]]]:
    """Merge neighbouring dimensions that every array walks as one and drop those of size 1.

    Takes and gives the loop bounds and, for each array, its strides. An inner bound must be a number to be merged.
    """
    dims = [(b, [s[i] for s in strides]) for i, b in enumerate(bounds) if b != 1]
    merged: list[tuple[Bound, list[int]]] = []
    for bound, steps in dims:
        if merged and isinstance(bound, int) and all(a == b * bound for a, b in zip(merged[-1][1], steps)):
            merged[-1] = (product(merged[-1][0], bound), steps)
        else:
            merged.append((bound, steps))
    return [b for b, _ in merged], [tuple(s[i] for _, s in merged) for i in range(len(strides))]


class Code:
    """Lines of C with their indentation."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._depth = 1

    def add(self, *lines: str) -> None:
        """Append lines at the current depth."""
        self.lines.extend("    " * self._depth + line for line in lines)

    @contextmanager
    def block(self, head: str, tail: str = "}") -> Iterator[None]:
        """`head {`, then what is added inside the `with`, then the closing brace."""
        self.add(f"{head} {{".lstrip())
        self._depth += 1
        yield
        self._depth -= 1
        self.add(tail)

    @contextmanager
    def loop(self, variable: str, bound: Bound, start: Bound = 0, step: int = 1) -> Iterator[str]:
        """`for (int32_t variable = start; variable < bound; variable += step)`."""
        advance = f"++{variable}" if step == 1 else f"{variable} += {step}"
        with self.block(f"for (int32_t {variable} = {start}; {variable} < {bound}; {advance})"):
            yield variable

    @contextmanager
    def nest_named(self, loops: Sequence[tuple[str, Bound]]) -> Iterator[None]:
        """One loop per (variable, bound), outermost first."""
        if not loops:
            yield
            return
        with self.loop(*loops[0]), self.nest_named(loops[1:]):
            yield

    @contextmanager
    def nest(self, bounds: Sequence[Bound], prefix: str = "i") -> Iterator[list[str]]:
        """One loop per bound; gives the variables, outermost first."""
        names = [f"{prefix}{d}" for d in range(len(bounds))]
        with self.nest_named(list(zip(names, bounds))):
            yield names


def table(name: str, values: Iterable[int], type_: str = "int32_t") -> list[str]:
    """A constant array inside a function, 16 values a line."""
    words = [str(int(v)) for v in values]
    rows = [", ".join(words[i : i + 16]) for i in range(0, len(words), 16)]
    return [f"static const {type_} {name}[{len(words)}] = {{", *(f"    {row}," for row in rows), "};"]

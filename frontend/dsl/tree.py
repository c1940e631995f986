"""What a .dnn text is made of, as plain data with its place in the text."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Span:
    """A stretch of one line: line and column count from 1."""

    line: int
    column: int
    width: int = 1


@dataclass(frozen=True)
class Expression:
    """Something with a value."""

    at: Span


@dataclass(frozen=True)
class Literal(Expression):
    """A number or a string."""

    value: int | float | str


@dataclass(frozen=True)
class Name(Expression):
    """A name: a value, an element type, or a word an operation knows."""

    text: str


@dataclass(frozen=True)
class Sequence(Expression):
    """`[a, b]`."""

    items: tuple[Expression, ...]


@dataclass(frozen=True)
class Binary(Expression):
    """`a + b` and the like."""

    sign: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Negative(Expression):
    """`-a`."""

    value: Expression


@dataclass(frozen=True)
class Quantized(Expression):
    """`q<i8, 0.1, 3>` or `q<i8, axis 0, [0.1, 0.2], [0, 0]>`; an element type."""

    storage: Name
    scales: Expression
    zeros: Expression | None
    axis: Expression | None


@dataclass(frozen=True)
class Shaped(Expression):
    """`f32[1, 3, 32, 32]`: the type of a tensor."""

    element: Name | Quantized
    dims: tuple[Expression, ...]


@dataclass(frozen=True)
class Keyword:
    """`name=value` in a call."""

    name: Name
    value: Expression


@dataclass(frozen=True)
class Call(Expression):
    """`conv(x, w, pad=1)`; `at` is the name."""

    name: str
    arguments: tuple[Expression | Keyword, ...]


@dataclass(frozen=True)
class Note:
    """`range=[-1, 1]` or `island`: what is known about a value, or wanted of an operation."""

    name: Name
    value: Expression | None


@dataclass(frozen=True)
class Node:
    """`{island} @ "Conv_3"`: notes, and the name something has outside of the text."""

    at: Span
    name: str | None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Statement:
    """A line of a file or of a function."""

    at: Span


@dataclass(frozen=True)
class Assign(Statement):
    """`y = relu(x) @ "Relu_1"`."""

    targets: tuple[Name, ...]
    value: Expression
    node: Node | None


@dataclass(frozen=True)
class Return(Statement):
    """`return y, z`."""

    values: tuple[Expression, ...]


@dataclass(frozen=True)
class Input(Statement):
    """`input x: f32[1, 4]`."""

    name: Name
    type: Shaped
    node: Node | None


@dataclass(frozen=True)
class Output(Statement):
    """`output y, z`."""

    results: tuple[tuple[Name, Node | None], ...]


@dataclass(frozen=True)
class Network(Statement):
    """`network lenet5`."""

    name: str


@dataclass(frozen=True)
class Import(Statement):
    """`import "blocks.dnn" as b`; `at` is the path."""

    path: str
    prefix: str | None


@dataclass(frozen=True)
class Weights(Statement):
    """`weights "lenet5.safetensors"`; `at` is the path."""

    path: str


@dataclass(frozen=True)
class Seed(Statement):
    """`seed 7`."""

    value: int


@dataclass(frozen=True)
class Alias(Statement):
    """`type act = q<i8, 0.1, 0>`; `at` is the name."""

    name: str
    element: Name | Quantized


@dataclass(frozen=True)
class Parameter:
    """`stride=1` in the head of a function."""

    name: Name
    default: Expression | None


@dataclass(frozen=True)
class Function(Statement):
    """`def block(x, filters, stride=1) { ... }`; `at` is the name."""

    name: str
    parameters: tuple[Parameter, ...]
    body: tuple[Assign | Return, ...]


@dataclass(frozen=True)
class Source:
    """A text and the name it is shown under in messages."""

    name: str
    text: str
    lines: list[str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lines", self.text.split("\n"))

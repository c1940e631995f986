"""What an instruction declares: its fields, engines, text and meaning."""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property


class Engine(IntEnum):
    """The four in-order queues, and the sequencer that feeds them."""

    LD = 0
    MM = 1
    PPU = 2
    ST = 3
    CTRL = 4


QUEUES = (Engine.LD, Engine.MM, Engine.PPU, Engine.ST)


@dataclass(frozen=True)
class Field:
    """`bits` bits that hold `value - base`; `names` gives the values words."""

    name: str
    bits: int
    doc: str
    base: int = 0
    signed: bool = False
    names: tuple[str, ...] = ()
    address: bool = False

    @property
    def low(self) -> int:
        """Least value the field holds."""
        return -(1 << self.bits - 1) if self.signed else self.base

    @property
    def high(self) -> int:
        """Greatest value the field holds."""
        return self.low + (1 << self.bits) - 1

    @property
    def default(self) -> int:
        """Value of state that was never set: all bits zero."""
        return self.base


@dataclass(frozen=True)
class Instruction:
    """One instruction: text name, op (and register, for SET), the engines it runs on, fields and meaning."""

    name: str
    op: int
    engines: tuple[Engine, ...]
    meaning: str
    fields: tuple[Field, ...] = ()
    register: int | None = None

    @cached_property
    def layout(self) -> dict[str, tuple[Field, int]]:
        """Field and position of its lowest payload bit, by name; SET's register comes first."""
        position, out = 0 if self.register is None else REGISTER.bits, {}
        for field in self.fields:
            out[field.name] = (field, position)
            position += field.bits
        return out

    @cached_property
    def defaults(self) -> dict[str, int]:
        """What each field holds unless it is given."""
        return {f.name: f.default for f in self.fields}

    @property
    def payload_bits(self) -> int:
        """Payload bits in use, of 96."""
        return (0 if self.register is None else REGISTER.bits) + sum(f.bits for f in self.fields)

    @property
    def addresses(self) -> tuple[Field, ...]:
        """The fields a STEP can advance, in the order of its slots."""
        return tuple(f for f in self.fields if f.address)


REGISTER = Field("register", 5, "which state")

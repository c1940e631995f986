"""What running in independent blocks does to the outputs of a network, kept with its module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xdsl.dialects.builtin import (
    DictionaryAttr,
    Float64Type,
    FloatAttr,
    IntegerAttr,
    ModuleOp,
    StringAttr,
    i64,
)
from xdsl.ir import Attribute

BLOCKED = "dnn.blocked"  # of a module


@dataclass(frozen=True)
class Blocked:
    """How many layers run in blocks of at least `pixels`, and how far the outputs are from those without, over `samples`.

    Without samples nothing is known of the outputs.
    `snr_db` is 10 log10(sum y^2 / sum e^2), none without an error; `cosine` none where one side is all zeros; `same_class`
    counts the samples whose largest output is the same one, none where outputs are no classes.
    """

    layers: int
    pixels: int
    samples: int
    source: str
    max_error: float | None
    snr_db: float | None
    cosine: float | None
    same_class: int | None

    def text(self) -> str:
        """One sentence."""
        layers, one = f"{self.layers} layer{'s' * (self.layers != 1)}", "s" * (self.layers == 1)
        changing = f"{layers} in blocks of at least {self.pixels} change{one} the outputs"
        if self.max_error is None:
            unknown = "some are not finite, on" if self.samples else "by how much is not known:"
            return f"{changing}, {unknown} {self.source}"
        if self.max_error == 0 and self.snr_db is None:
            return f"{layers} in blocks leave{one} the outputs as they were, on {self.source}"
        figures = [f"SNR {self.snr_db:.1f} dB"] if self.snr_db is not None else []
        figures.append(f"largest error {self.max_error:.4g}")
        figures += [f"cosine {self.cosine:.5f}"] if self.cosine is not None else []
        figures += [f"same class for {self.same_class} of {self.samples}"] if self.same_class is not None else []
        return f"{changing}: {', '.join(figures)}; on {self.source}"

    def attribute(self) -> DictionaryAttr:
        """The figures as an attribute of a module."""
        return DictionaryAttr({name: _attribute(value) for name, value in vars(self).items() if value is not None})


def blocked_of(module: ModuleOp) -> Blocked | None:
    """What is known of a module's blocks; None when none of its layers was put into blocks."""
    found = module.attributes.get(BLOCKED)
    if not isinstance(found, DictionaryAttr):
        return None
    return Blocked(**{name: _value(found.data.get(name)) for name in Blocked.__dataclass_fields__})


def blocked_notes(module: ModuleOp) -> tuple[str, ...]:
    """What a reader of a module's figures should know of its blocks."""
    blocked = blocked_of(module)
    return (f"{blocked.text()}.",) if blocked else ()


def _attribute(value: float | str) -> Attribute:
    if isinstance(value, int):
        return IntegerAttr(value, i64)
    return StringAttr(value) if isinstance(value, str) else FloatAttr(value, Float64Type())


def _value(attribute: Attribute | None) -> Any:
    match attribute:
        case IntegerAttr() | FloatAttr():
            return attribute.value.data
        case StringAttr():
            return attribute.data
        case _:
            return None

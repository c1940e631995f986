"""The accelerator: every fact about the hardware, read from TOML and carried on the module as `#arch.accelerator<...>`.

A table of the file is a frozen dataclass here; its fields carry the limits and the sentence for the reference page.
"""

from __future__ import annotations

import dataclasses
import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Data, Dialect
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer

from dnnc.ir.diagnostics import Collector, DnncError, Finding
from dnnc.ir.hashing import hash_once

ROLES = ("input", "weight", "output", "accumulator", "parameter")
"""What an on-chip memory may hold; each role lives in exactly one memory."""

REACH = {"parameter": 1 << 16, "accumulator": 1 << 22}
"""The first bytes of a memory that the addresses of these roles reach; those of other roles reach all of any memory."""

DECODERS = ("dense", "bitmask", "rle", "csr", "csc", "n:m", "packed", "rice", "huffman")
"""Storage encodings by the numbers of the instruction set's decoder field."""

DATAFLOWS = ("weight-stationary", "output-stationary", "adder-tree", "row-stationary")

MODULE_ATTRIBUTE = "arch.target"


def number(doc: str, low: float = 1, high: float = 1 << 40, default: float | None = None) -> Any:
    """A numeric field within [low, high]; one with a default may be left out of the file."""
    metadata = {"doc": doc, "low": low, "high": high}
    return field(metadata=metadata) if default is None else field(metadata=metadata, default=default)


def choice(doc: str, *choices: str) -> Any:
    """A string, or list of strings, out of `choices`; any text when none are given."""
    return field(metadata={"doc": doc, "choices": choices})


@dataclass(frozen=True)
class Array:
    """The matrix unit."""

    rows: int = number("processing elements along the reduction (input channels x kernel taps)", 1, 4096)
    columns: int = number("processing elements along the output channels", 1, 4096)
    depthwise_lanes: int = number("channels a depthwise convolution computes side by side", 1, 4096)
    dataflow: str = choice("which operand stays in the array", *DATAFLOWS)
    data_type: str = choice("operand type", "i8")
    accumulator_type: str = choice("partial sum type", "i32")
    pe_input_bytes: int = number(
        "row-stationary: inputs an element keeps; at least one row of taps fits", 0, 1 << 16, 0
    )
    pe_weight_bytes: int = number(
        "row-stationary: weights an element keeps; at least one row of taps fits", 0, 1 << 16, 0
    )
    pe_sum_bytes: int = number("row-stationary: sums an element keeps; at least one fits", 0, 1 << 16, 0)
    bits_per_cycle: int = number(
        "bits of packed binary or ternary values an element takes a cycle; 0 when none", 0, 8, 0
    )


@dataclass(frozen=True)
class Memory:
    """An on-chip memory; the memories are listed in the file as `[memory.<name>]`. Each role is held by exactly one of them.

    Instructions reach parameters in the first 65,536 bytes of theirs, accumulators in the first 4,194,304.
    """

    name: str = choice("name, from the key of the table")
    bytes: int = number("size in bytes", 1, 1 << 25)
    holds: tuple[str, ...] = choice("the roles it plays", *ROLES)
    read_bytes_per_cycle: int = number("width of the read port", 1, 1 << 16)
    write_bytes_per_cycle: int = number("width of the write port", 1, 1 << 16)
    byte_pj: float = number("energy of one byte read or written, in pJ", 0, 1e6)


@dataclass(frozen=True)
class Dma:
    """The engine between DRAM and on-chip memory.

    A transfer takes `setup + ceil(bytes in bursts / bytes per cycle)`, at least a cycle for each stretch of bytes on chip.
    Constants, which are weights, biases and tables, may have a bandwidth of their own.
    """

    channels: int = number("transfers in flight; 1 means that loads and stores share one engine", 1, 2)
    setup_cycles: int = number("cycles before the first byte of a transfer", 0, 1 << 16)
    burst_bytes: int = number("each contiguous run occupies whole bursts of this size", 1, 1 << 16)
    bytes_per_cycle: int = number("bandwidth", 1, 1 << 16)
    decoders: tuple[str, ...] = choice("storage encodings a load can expand; dnnc writes dense and rice", *DECODERS)
    constant_bytes_per_cycle: int = number(
        "bandwidth of constants that lie in a memory of their own, such as flash; 0 when they come as fast as the rest",
        0,
        1 << 16,
        0,
    )

    spill_bytes_per_cycle: int = number(
        "bandwidth of values spilled to DRAM where they have a memory of their own; 0 when they come as fast as the rest",
        0,
        1 << 16,
        0,
    )
    decoded_bytes_per_cycle: int = number("bytes that the decoder of packed constants gives a cycle", 1, 1 << 16, 8)

    @property
    def constant_bandwidth(self) -> int:
        """Bytes a cycle at which constants come."""
        return self.constant_bytes_per_cycle or self.bytes_per_cycle

    @property
    def spill_bandwidth(self) -> int:
        """Bytes a cycle at which spilled values move."""
        return self.spill_bytes_per_cycle or self.bytes_per_cycle


@dataclass(frozen=True)
class Ppu:
    """The post-processing unit."""

    lanes: int = number("channels processed side by side", 1, 4096)
    setup_cycles: int = number("cycles before the first element", 0, 1 << 16)


@dataclass(frozen=True)
class Queues:
    """The instruction queues and their tokens."""

    entries: int = number("instructions a queue holds before dispatch waits", 1, 1 << 16)
    token_depth: int = number("tokens an ordered pair of queues can hold before the signaller waits", 1, 1 << 16)
    dispatch_cycles: int = number("cycles to dispatch one instruction", 0, 64)


@dataclass(frozen=True)
class Dram:
    """The external memory."""

    bytes: int = number("size", 1, 1 << 40)
    arena_bytes: int = number(
        "size of a memory of its own for values between layers, such as an SRAM; what does not fit is spilled to DRAM; 0 when "
        "all of them lie in DRAM",
        0,
        1 << 40,
        0,
    )


@dataclass(frozen=True)
class Energy:
    """Energy per access, in pJ; that of an on-chip memory stands with the memory."""

    source: str = choice("where the figures are from")
    mac_pj: float = number("one multiply-accumulate", 0, 1e6)
    dram_byte_pj: float = number("one byte from or to DRAM", 0, 1e6)


@hash_once
@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """A target: all that passes, simulator and report know of the hardware."""

    name: str = choice("name of the target")
    description: str = choice("one line for listings")
    clock_mhz: int = number("clock frequency", 1, 100_000)
    array: Array
    memory: tuple[Memory, ...]
    dma: Dma
    ppu: Ppu
    queues: Queues
    dram: Dram
    energy: Energy

    def holding(self, role: str) -> Memory:
        """The memory that plays a role of `ROLES`."""
        return next(m for m in self.memory if role in m.holds)

    def resized(self, sizes: Mapping[str, int]) -> Accelerator:
        """The target with memories of other sizes, in bytes by name."""
        memories = (dataclasses.replace(m, bytes=sizes.get(m.name, m.bytes)) for m in self.memory)
        return dataclasses.replace(self, memory=tuple(memories))

    @property
    def digest(self) -> str:
        """sha256 of the canonical text: equal exactly when every fact is equal."""
        return hashlib.sha256(str(AcceleratorAttr(self)).encode()).hexdigest()


class _Reader:
    """Reads nested mappings into the dataclasses above and notes every problem with its key path."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems = Collector()

    def note(self, path: str, expected: str, got: object, todo: str, code: str = "E0606") -> None:
        self.problems.error(f"{self.source}: {path}", f"{expected} was expected, not {got}. {todo}", code)

    def record(self, cls: type, values: object, path: str, **given: object) -> Any:
        """An instance of `cls`, or None after noting why not."""
        if not isinstance(values, Mapping):
            return self.note(path or "the file", "a table", repr(values), f"Write [{path}] and its keys below it.")
        hints = get_type_hints(cls)
        fields = {f.name: f for f in dataclasses.fields(cls) if f.name not in given}
        for key in sorted(set(values) - set(fields)):
            near = get_close_matches(key, fields, 1)
            todo = f"Did you mean {near[0]!r}?" if near else "Remove it."
            self.note(_join(path, key), f"one of the keys {', '.join(fields)}", repr(key), todo, "E0604")
        found = dict(given)
        for name, f in fields.items():
            here = _join(path, name)
            if name in values:
                found[name] = self.value(hints[name], f.metadata, values[name], here)
            elif f.default is not dataclasses.MISSING:
                found[name] = f.default
            else:
                self.note(here, f"a value ({_doc(f)})", "nothing", f"Add `{name} = ...`.", "E0605")
        return cls(**found) if len(found) == len(fields) + len(given) else None

    def value(self, hint: Any, meta: Mapping[str, Any], got: object, path: str) -> Any:
        if dataclasses.is_dataclass(hint):
            return self.record(hint, got, path)  # pyright: ignore[reportArgumentType]
        if get_args(hint)[:1] == (Memory,):
            return self.memories(got, path)
        if get_origin(hint) is tuple:
            return self.names(meta, got, path)
        return self.text(meta, got, path) if hint is str else self.number(hint, meta, got, path)

    def number(self, hint: type, meta: Mapping[str, Any], got: object, path: str) -> Any:
        kinds = (int, float) if hint is float else int
        if isinstance(got, bool) or not isinstance(got, kinds) or not meta["low"] <= got <= meta["high"]:
            kind = "a number" if hint is float else "an integer"
            return self.note(path, f"{kind} in [{meta['low']}, {meta['high']}]", repr(got), f"It is: {meta['doc']}.")
        return hint(got)

    def text(self, meta: Mapping[str, Any], got: object, path: str) -> str | None:
        choices = meta["choices"]
        if not isinstance(got, str) or (choices and got not in choices):
            expected = f"one of {', '.join(choices)}" if choices else "a string"
            return self.note(path, expected, repr(got), f"It is: {meta['doc']}.")
        return got

    def names(self, meta: Mapping[str, Any], got: object, path: str) -> tuple[str, ...]:
        if not isinstance(got, list | tuple) or not got:
            self.note(path, "a list of strings with at least one entry", repr(got), f"It is: {meta['doc']}.")
            return ()
        return tuple(n for i, g in enumerate(got) if (n := self.text(meta, g, f"{path}[{i}]")) is not None)

    def memories(self, got: object, path: str) -> tuple[Memory, ...]:
        if not isinstance(got, Mapping) or not got:
            self.note(path, "at least one table [memory.<name>]", repr(got), "Describe each on-chip memory.")
            return ()
        found = [self.record(Memory, v, _join(path, k), name=k) for k, v in got.items()]
        for role in ROLES:
            holders = [m.name for m in found if m and role in m.holds]
            if len(holders) != 1 and None not in found:
                got_text = f"{len(holders)}" + (f" ({', '.join(holders)})" if holders else "")
                self.note(
                    path, f"exactly one memory that holds {role!r}", got_text, "Correct the `holds` lists.", "E0607"
                )
        return tuple(m for m in found if m)


def _doc(f: dataclasses.Field[Any]) -> str:
    return f.metadata.get("doc") or f"the table [{f.name}]"


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def from_mapping(values: Mapping[str, Any], source: str) -> Accelerator:
    """The accelerator described by nested mappings; DnncError lists every problem with its key path in `source`."""
    reader = _Reader(source)
    found = reader.record(Accelerator, values, "")
    reader.problems.raise_if_any()
    return found


def parse(text: str, source: str) -> Accelerator:
    """The accelerator described by TOML text."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DnncError(f"{source}: valid TOML was expected: {error}. Correct the file.", "E0603") from None
    return from_mapping(values, source)


def read(path: Path | str) -> Accelerator:
    """The accelerator described by a TOML file."""
    try:
        text = Path(path).read_text("utf-8")
    except UnicodeDecodeError as e:
        message = f"expected UTF-8 text, not the byte at {e.start}. Save the file as UTF-8."
        raise DnncError(Finding(str(path), message, "E0106")) from e
    return parse(text, str(path))


def to_mapping(accelerator: Accelerator) -> dict[str, Any]:
    """The nested mappings `from_mapping` reads back to an equal accelerator."""
    out = {f.name: _plain(getattr(accelerator, f.name)) for f in dataclasses.fields(accelerator)}
    out["memory"] = {m.pop("name"): m for m in out["memory"]}
    return out


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        held = {f.name: (getattr(value, f.name), f.default) for f in dataclasses.fields(value)}
        return {name: _plain(got) for name, (got, default) in held.items() if got != default}
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return dict(value) if isinstance(value, Mapping) else value


@irdl_attr_definition
class AcceleratorAttr(Data[Accelerator]):
    """`#arch.accelerator<{name = "edge", array = {rows = 16, ...}, ...}>`."""

    name = "arch.accelerator"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Accelerator:
        with parser.in_angle_brackets():
            return from_mapping(_parse_value(parser), "#arch.accelerator")

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(_text(to_mapping(self.data)))


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(k)} = {_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    # the lexer wants a point in every float
    text = repr(value)
    return text if isinstance(value, int) or "." in text else text.replace("e", ".0e")


def _parse_value(p: AttrParser) -> Any:
    if p.parse_optional_punctuation("{"):
        return dict(
            _parse_items(p, "}", lambda: (p.parse_str_literal(), p.parse_punctuation("="), _parse_value(p))[::2])
        )
    if p.parse_optional_punctuation("["):
        return list(_parse_items(p, "]", lambda: _parse_value(p)))
    text = p.parse_optional_str_literal()
    return p.parse_number() if text is None else text


def _parse_items(p: AttrParser, close: Any, item: Any) -> list[Any]:
    out = []
    while not p.parse_optional_punctuation(close):
        if out:
            p.parse_punctuation(",")
        out.append(item())
    return out


def of_module(module: ModuleOp) -> Accelerator:
    """The accelerator the module was compiled for; DnncError when it has none."""
    attribute = module.attributes.get(MODULE_ATTRIBUTE)
    if not isinstance(attribute, AcceleratorAttr):
        raise DnncError(
            f"module: an attribute '{MODULE_ATTRIBUTE}' was expected, not {attribute}. Choose a target with -t NAME.",
            "E0608",
        )
    return attribute.data


Arch = Dialect("arch", [], [AcceleratorAttr])

"""The program file `.npu`: a checked header, a table of sections, the sections; equal programs give equal bytes."""

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dnnc.backends.npu.encoding import Words
from dnnc.ir.arch import Accelerator
from dnnc.ir.diagnostics import Collector, DnncError, Finding
from dnnc.ir.sched import DRAM
from dnnc.ir.weights import atomic_file

# as in PNG: a text-mode copy or a cut high bit breaks the magic
MAGIC = b"\x89NPU\r\n\x1a\n"
VERSION = 1
ALIGN = 16

SECTIONS = ("text", "weights", "parameters", "debug", "symbols", "memory", "metadata")
CARRIED = ("network", "constants")
"""Sections of a file that keeps the network it was made of."""

_HEAD = struct.Struct("<8sII")
_ENTRY = struct.Struct("<16sQQI4x")
_CRC = struct.Struct("<I")

REGIONS = DRAM
"""The DRAM regions of a compiled program, in the order of their numbers; the first two come filled from the file."""

CONSTANT = (REGIONS.index("weights"), REGIONS.index("parameters"))
"""The numbers of the regions a program only reads."""

ARENA, SPILL = REGIONS.index("arena"), REGIONS.index("spill")


@dataclass(frozen=True)
class Region:
    """A stretch of DRAM that instructions address by its number."""

    name: str
    bytes: int


@dataclass(frozen=True)
class Symbol:
    """A tensor the host writes before or reads after the run; `type` is its IR text, with scale and zero point."""

    name: str
    direction: str
    region: int
    offset: int
    shape: tuple[int, ...]
    dtype: str
    type: str = ""

    @property
    def bytes(self) -> int:
        """Size in DRAM."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Tag:
    """What an instruction belongs to: layer, the user's node, tile coordinates; the stack the layer runs in, from 1, and
    the step of it, from 0.
    """

    layer: str
    node: str = ""
    tile: str = ""
    stack: int | None = None
    step: int | None = None

    def entry(self) -> list[str | int]:
        """What a file holds of it: no more than there is."""
        return [value for value in asdict(self).values() if value is not None]

    def __str__(self) -> str:
        tile = f" tile {self.tile}" if self.tile else ""
        step = f" step {self.step}" if self.step is not None else ""
        return f"{self.layer}{tile}" + (f" of stack {self.stack}{step}" if self.stack is not None else "")


@dataclass(frozen=True)
class Program:
    """A compiled network: instructions, constants, memory map, symbols and tags, for one target."""

    target: str
    digest: str
    text: Words
    weights: bytes = b""
    parameters: bytes = b""
    regions: tuple[Region, ...] = ()
    symbols: tuple[Symbol, ...] = ()
    tags: tuple[Tag, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    network: str = ""
    constants: bytes = b""

    def tag(self, number: int) -> Tag:
        """The tag of a number; instructions outside the debug section say so."""
        return self.tags[number] if number < len(self.tags) else Tag(f"tag {number}")

    def require(self, accelerator: Accelerator) -> None:
        """Raise DnncError unless the program was compiled for exactly this accelerator."""
        if self.digest != accelerator.digest:
            raise DnncError(
                f"program: one for target '{accelerator.name}' with hash {accelerator.digest[:16]} was expected, "
                f"not for '{self.target}' with hash {self.digest[:16]}. Give that target with -t, its name or its file, or "
                "compile the network again for this one.",
                "E0814",
            )

    def to_bytes(self) -> bytes:
        """The file's bytes."""
        sections: dict[str, bytes] = dict(zip(SECTIONS, self._sections()))
        if self.network:
            sections |= zip(CARRIED, (self.network.encode(), self.constants))
        return _pack(sections)

    def _sections(self) -> list[bytes]:
        tables = (
            [t.entry() for t in self.tags],
            [asdict(s) for s in self.symbols],
            [asdict(r) for r in self.regions],
            {"target": self.target, "digest": self.digest, "user": dict(self.metadata)},
        )
        texts = [json.dumps(t, sort_keys=True, separators=(",", ":")).encode() for t in tables]
        return [np.ascontiguousarray(self.text, "<u4").tobytes(), self.weights, self.parameters, *texts]

    def save(self, path: Path | str) -> None:
        """Write the file, whole or not at all."""
        with atomic_file(path) as f:
            f.write(self.to_bytes())


def load(path: Path | str) -> Program:
    """Read a program file; DnncError says where it is damaged."""
    return from_bytes(Path(path).read_bytes(), str(path))


def from_bytes(data: bytes, source: str = "program") -> Program:
    """The program in a file's bytes; every section is checked before any is used."""
    sections = _unpack(data, source)
    if len(sections["text"]) % 16:
        raise DnncError(
            f"{source}: section 'text': whole 16-byte instructions were expected, not {len(sections['text'])} bytes.",
            "E0812",
        )
    try:
        debug, symbols, memory, about = (json.loads(sections[name]) for name in SECTIONS[3:])
        network, constants = (sections.get(name, b"") for name in CARRIED)
        return Program(
            about["target"],
            about["digest"],
            np.frombuffer(sections["text"], "<u4").reshape(-1, 4).astype(np.uint32),
            sections["weights"],
            sections["parameters"],
            tuple(Region(**r) for r in memory),
            tuple(Symbol(**s | {"shape": tuple(s["shape"])}) for s in symbols),
            tuple(Tag(*t) for t in debug),
            about["user"],
            network.decode(),
            constants,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DnncError(
            f"{source}: sections as dnnc writes them were expected: {error!r}. Compile it again.", "E0812"
        ) from None


def inconsistencies(program: Program, accelerator: Accelerator) -> list[Finding]:
    """What in the memory map cannot be: constants or symbols outside their region, more DRAM than there is."""
    found = Collector()
    sizes, dram = [r.bytes for r in program.regions], accelerator.dram
    arena = sum(sizes[ARENA : ARENA + 1]) if dram.arena_bytes else 0
    if arena > dram.arena_bytes:
        found.error("memory map", f"at most {dram.arena_bytes} bytes of arena were expected, not {arena}.", "E0815")
    if sum(sizes) - arena > dram.bytes:
        found.error(
            "memory map", f"at most {dram.bytes} bytes of DRAM were expected, not {sum(sizes) - arena}.", "E0815"
        )
    for number, data in enumerate((program.weights, program.parameters)):
        if len(data) > (sizes[number] if number < len(sizes) else 0):
            found.error(
                f"section '{REGIONS[number]}'", f"a region of at least {len(data)} bytes was expected.", "E0815"
            )
    for s in program.symbols:
        if not 0 <= s.region < len(sizes) or s.offset < 0 or s.offset + s.bytes > sizes[s.region]:
            found.error(
                f"symbol {s.name!r}",
                f"{s.bytes} bytes within its region were expected, not from {s.offset} on.",
                "E0815",
            )
    return found.errors


def _pack(sections: Mapping[str, bytes]) -> bytes:
    start = _round_up(_HEAD.size + _ENTRY.size * len(sections) + _CRC.size)
    table, body = _HEAD.pack(MAGIC, VERSION, len(sections)), b""
    for name, data in sections.items():
        table += _ENTRY.pack(name.encode(), start + len(body), len(data), zlib.crc32(data))
        body += data.ljust(_round_up(len(data)), b"\0")
    return (table + _CRC.pack(zlib.crc32(table))).ljust(start, b"\0") + body


def _round_up(size: int) -> int:
    return -(-size // ALIGN) * ALIGN


def _unpack(data: bytes, source: str) -> dict[str, bytes]:
    entries = _table(data, source)
    out = {}
    for raw, offset, size, crc in entries:
        name = raw.rstrip(b"\0").decode("ascii", "replace")
        where = f"{source}: section {name!r} at byte {offset}"
        if offset + size > len(data):
            raise DnncError(
                f"{where}: {size} bytes were expected, not {max(0, len(data) - offset)}. "
                "The file is cut short; copy it again.",
                "E0812",
            )
        out[name] = data[offset : offset + size]
        if (found := zlib.crc32(out[name])) != crc:
            raise DnncError(
                f"{where}: checksum {crc:08x} was expected, not {found:08x}. The file is damaged; copy it again.",
                "E0812",
            )
    if len(data) != (end := max((_round_up(offset + size) for _, offset, size, _ in entries), default=len(data))):
        raise DnncError(
            f"{source}: a file of {end} bytes was expected, not of {len(data)}. It is cut short or has something behind it; "
            "copy it again.",
            "E0812",
        )
    if missing := [name for name in SECTIONS if name not in out]:
        raise DnncError(
            f"{source}: section {missing[0]!r} was expected, it is not in the file. Compile it again.", "E0812"
        )
    return out


def _table(data: bytes, source: str) -> list[tuple[bytes, int, int, int]]:
    if len(data) < _HEAD.size or data[: len(MAGIC)] != MAGIC:
        raise DnncError(
            f"{source}: a file that begins with {MAGIC!r} was expected, not {data[:8]!r}. Give a .npu program file.",
            "E0811",
        )
    _, version, count = _HEAD.unpack_from(data)
    if version != VERSION:
        raise DnncError(
            f"{source}: format version {VERSION} was expected, not {version}. Compile it again with this dnnc.", "E0813"
        )
    end = _HEAD.size + count * _ENTRY.size
    if count > 64 or len(data) < end + _CRC.size or _CRC.unpack_from(data, end)[0] != zlib.crc32(data[:end]):
        raise DnncError(
            f"{source}: a whole section table was expected in the first bytes. The file is damaged; copy it again.",
            "E0812",
        )
    return [_ENTRY.unpack_from(data, _HEAD.size + i * _ENTRY.size) for i in range(count)]

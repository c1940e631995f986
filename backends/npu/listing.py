"""A program as text: directives for its tables, then its instructions, each with the layer and buffer it is about.

`.target NAME`, `.region NAME BYTES`, `.symbol NAME input|output REGION OFFSET DTYPE SHAPE TYPE`, `.tag LAYER NODE TILE`
with the stack and its step behind it when there are any, words with blanks quoted as in a shell. Constants are not
text: `program` takes them from another program.
"""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from dnnc.backends.npu.asm import assemble, disassemble
from dnnc.backends.npu.encoding import decode, header
from dnnc.backends.npu.isa import LD, ST
from dnnc.backends.npu.levels import layer_named
from dnnc.backends.npu.program import Program, Region, Symbol, Tag
from dnnc.ir.arch import Accelerator
from dnnc.ir.diagnostics import Collector, DnncError, Finding

_DIRECTIVES = {"target": range(1, 2), "region": range(2, 3), "symbol": range(7, 8), "tag": range(3, 6)}
"""How many words each takes."""


def listing(program: Program, layer: str | None = None) -> str:
    """The annotated text of a program, or the instructions of one layer."""
    lines = [*_tables(program)] if layer is None else []
    names = list(dict.fromkeys(t.layer for t in program.tags))
    only = None if layer is None else layer_named(layer, names, "layer", "E0827")
    return "\n".join([*lines, *_code(program, only)]) + "\n"


def _tables(program: Program) -> Iterator[str]:
    yield f".target {_quoted(program.target)}"
    for r in program.regions:
        yield f".region {_quoted(r.name)} {r.bytes}"
    for s in program.symbols:
        shape = "x".join(map(str, s.shape)) or "scalar"
        region = program.regions[s.region].name
        words = (s.name, s.direction, region, str(s.offset), s.dtype, shape, s.type)
        yield f".symbol {' '.join(map(_quoted, words))}"
    for number, t in enumerate(program.tags):
        ran = [str(n) for n in (t.stack, t.step) if n is not None]
        yield f".tag {' '.join(map(_quoted, (t.layer, t.node, t.tile, *ran)))} ; {number}"


def _quoted(word: str) -> str:
    """A word as in a shell, between double quotes when it has single ones."""
    return f'"{word}"' if "'" in word and not set('"\\') & set(word) else shlex.quote(word)


def _code(program: Program, layer: str | None) -> Iterator[str]:
    tags, places = header(program.text, "tag").tolist(), _places(program)
    last = None
    for i, (line, number) in enumerate(zip(disassemble(program.text), tags)):
        tag = program.tag(number)
        if layer is not None and tag.layer != layer:
            continue
        if tag != last:
            yield f"\n; {tag}" + (f", {tag.node}" if tag.node else "")
            last = tag
        yield f"{line} ; {i}{places.get(i, '')}"


def _places(program: Program) -> dict[int, str]:
    """What each transfer reads or writes in DRAM: the symbol there, or region and offset."""
    found = {}
    decoded = decode(program.text)
    for name in (LD.name, ST.name):
        if name in decoded:
            d = decoded[name]
            for i, region, offset in zip(d.index.tolist(), d["region"].tolist(), d["offset"].tolist()):
                found[i] = f" {_place(program, region, offset)}"
    return found


def _place(program: Program, region: int, offset: int) -> str:
    for s in program.symbols:
        if s.region == region and s.offset <= offset < s.offset + s.bytes:
            return f"{s.name}+{offset - s.offset:#x}"
    name = program.regions[region].name if region < len(program.regions) else f"region {region}"
    return f"{name}+{offset:#x}"


@dataclass
class _Tables:
    """The tables of a text as its directives are read."""

    targets: list[str] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    symbols: list[Symbol] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)

    def add(self, line: str) -> None:
        """Read one directive."""
        name, *words = _words(line[1:])
        if name not in _DIRECTIVES:
            expected = ", ".join(f".{d}" for d in _DIRECTIVES)
            raise DnncError(f"one of {expected} was expected, not {line.split()[0]!r}. Correct it.", "E0816")
        if len(words) not in (counts := _DIRECTIVES[name]):
            expected = " to ".join(str(n) for n in dict.fromkeys((counts[0], counts[-1])))
            raise DnncError(
                f"{expected} words after .{name} were expected, not {len(words)}. Quote words with blanks.",
                "E0817",
            )
        getattr(self, f"_{name}")(*words)

    def _target(self, name: str) -> None:
        self.targets.append(name)

    def _region(self, name: str, size: str) -> None:
        self.regions.append(Region(name, _whole(size)))

    def _tag(self, layer: str, node: str, tile: str, *stack: str) -> None:
        self.tags.append(Tag(layer, node, tile, *map(_whole, stack)))

    def _symbol(self, name: str, way: str, region: str, offset: str, dtype: str, shape: str, type_: str) -> None:
        names = [r.name for r in self.regions]
        if region not in names or way not in ("input", "output"):
            expected = f"input or output and a region of {', '.join(names) or 'a .region line above'}"
            raise DnncError(f"{expected} was expected, not {way!r} and {region!r}. Correct it.", "E0817")
        sizes = () if shape == "scalar" else tuple(map(_whole, shape.split("x")))
        self.symbols.append(Symbol(name, way, names.index(region), _whole(offset), sizes, _dtype(dtype), type_))


def _words(text: str) -> list[str]:
    """The words of a line up to its comment; the first is there even when empty."""
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split, lexer.commenters = True, ";"
    return list(lexer) or [""]


def _whole(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise DnncError(f"an integer was expected, not {text!r}. Correct it.", "E0817") from None


def _dtype(text: str) -> str:
    try:
        return np.dtype(text).name
    except TypeError:
        raise DnncError(f"a type of numpy was expected, not {text!r}. Correct it.", "E0817") from None


def program(text: str, arch: Accelerator, like: Program | None = None, source: str = "asm") -> Program:
    """The program of a text for a target; constants and host functions are those of `like`."""
    tables, problems, code = _Tables(), Collector(), []
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.split(";")[0].strip()
        code.append("" if bare.startswith(".") else line)
        if bare.startswith("."):
            try:
                tables.add(line.strip())
            except (DnncError, ValueError) as error:
                found = (
                    error.findings if isinstance(error, DnncError) else [Finding("", f"{error}. Correct it.", "E0817")]
                )
                problems.errors += [Finding(f"{source}:{number}", f.message, f.code) for f in found]
    try:
        words = assemble("\n".join(code), source)
    except DnncError as error:
        problems.errors += error.findings
        words = np.zeros((0, 4), np.uint32)
    if tables.targets and tables.targets != [arch.name]:
        wrong = f"the target {arch.name!r} was expected, not {', '.join(tables.targets)}. Give it with -t."
        problems.error(source, wrong, "E0814")
    problems.raise_if_any()
    base = (
        replace(like, target=arch.name, digest=arch.digest, text=words)
        if like
        else Program(arch.name, arch.digest, words)
    )
    return replace(base, regions=tuple(tables.regions), symbols=tuple(tables.symbols), tags=tuple(tables.tags))

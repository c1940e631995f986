"""Assembler text, one instruction a line: `ld@ld region=1 offset=0x40 rows=4 wait=mm signal=mm,ppu tag=7 ; comment`.

Fields at their default are left out; `@engine` only where the kind runs on several. Disassembly assembles back to the
same words.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

import numpy as np

from dnnc.backends.npu.encoding import Words, decode, encode, unknown
from dnnc.backends.npu.isa import BY_NAME, QUEUES, Engine, Field, Instruction
from dnnc.ir.diagnostics import Collector, DnncError, Finding

_MASKS = ("wait", "signal")


def _queues(bits: int) -> str:
    return ",".join(q.name.lower() for q in QUEUES if bits >> q & 1)


def _value(field: Field, value: int) -> str:
    if field.name == "mask":
        return _queues(value)
    if 0 <= value < len(field.names):
        return field.names[value]
    return hex(value) if field.address else str(value)


def _line(instruction: Instruction, row: Mapping[str, int]) -> str:
    at = f"@{Engine(row['engine']).name.lower()}" if len(instruction.engines) > 1 else ""
    parts = [instruction.name + at]
    fields = (f for f in instruction.fields if row[f.name] != f.default)
    parts += [f"{f.name}={_value(f, row[f.name])}" for f in fields]
    parts += [f"{name}={_queues(row[name])}" for name in _MASKS if row[name]]
    parts += [f"tag={row['tag']}"] if row["tag"] else []
    return " ".join(parts)


def disassemble(words: Words) -> list[str]:
    """One line for each instruction; DnncError when a word is no instruction."""
    if len(bad := unknown(words)):
        raise DnncError(
            f"instruction {bad[0]}: a known op was expected, not the word {words[bad[0]]}. Rebuild the program.",
            "E0820",
        )
    lines = [""] * len(words)
    for decoded in decode(words).values():
        names, columns = list(decoded.columns), [c.tolist() for c in decoded.columns.values()]
        for i, row in zip(decoded.index.tolist(), zip(*columns)):
            lines[i] = _line(decoded.instruction, dict(zip(names, row)))
    return lines


def assemble(text: str, source: str = "asm") -> Words:
    """The words of a program text; DnncError lists every wrong line."""
    problems, words = Collector(), []
    for number, line in enumerate(text.splitlines(), 1):
        if code := line.split(";")[0].split():
            try:
                words.append(_assemble_line(code))
            except DnncError as error:
                problems.errors += [Finding(f"{source}:{number}", f.message, f.code) for f in error.findings]
    problems.raise_if_any()
    return np.concatenate(words) if words else np.zeros((0, 4), np.uint32)


def _assemble_line(code: list[str]) -> Words:
    name, _, at = code[0].partition("@")
    instruction = BY_NAME[_known(name, BY_NAME, "an instruction")]
    engines = {e.name.lower(): e for e in instruction.engines}
    engine = engines[_known(at, engines, f"an engine of {name}")] if at else instruction.engines[0]
    values: dict[str, int] = {}
    for part in code[1:]:
        key, _, text = part.partition("=")
        _known(key, [*instruction.layout, *_MASKS, "tag"], f"a field of {name}")
        if key in values:
            raise DnncError(f"{name}.{key}: one value was expected, not two. Remove one.", "E0816")
        values[key] = _number(instruction, key, text)
    return encode(instruction, engine, **values)


def _number(instruction: Instruction, key: str, text: str) -> int:
    if key in (*_MASKS, "mask"):
        names = {q.name.lower(): q for q in QUEUES}
        return sum({1 << names[_known(part, names, "a queue")] for part in text.split(",")})
    names = instruction.layout[key][0].names if key in instruction.layout else ()
    if text in names:
        return names.index(text)
    try:
        return int(text, 0)
    except ValueError:
        expected = f"one of {', '.join(names)}" if names else "an integer"
        raise DnncError(
            f"{instruction.name}.{key}: {expected} was expected, not {text!r}. Correct it.", "E0817"
        ) from None


def _known(name: str, names: Iterable[str], what: str) -> str:
    if name not in names:
        near = get_close_matches(name, list(names), 1) or sorted(names)
        raise DnncError(f"{what} was expected, not {name!r}. Write {' or '.join(near)}.", "E0816")
    return name

"""The sequencer: loops expanded into the straight instruction stream that the queues receive."""

from dataclasses import dataclass

import numpy as np

from dnnc.backends.npu.encoding import HEADER_BITS, Column, Words, decode, get_field, header, kind, set_field
from dnnc.backends.npu.isa import ENDLOOP, LOOP, STEP
from dnnc.ir.diagnostics import DnncError

MAX_DEPTH = 8
MAX_INSTRUCTIONS = 1 << 24


@dataclass(frozen=True)
class Stream:
    """Straight-line words, and for each the index it has in the program text."""

    words: Words
    origin: Column


def expand(text: Words) -> Stream:
    """Unroll every loop; DnncError on unmatched, misplaced or oversized loops."""
    op = header(text, "op")
    if not np.isin(op, (LOOP.op, ENDLOOP.op, STEP.op)).any():
        return Stream(text, np.arange(len(text)))
    words, origin, end = _block(text, op, 0, len(text), 0)
    if end != len(text):
        raise DnncError(
            f"instruction {end}: an open loop was expected before this endloop, not none. Remove it.", "E0819"
        )
    return Stream(words, origin)


def _block(text: Words, op: Column, begin: int, limit: int, depth: int) -> tuple[Words, Column, int]:
    """Expand from `begin` to the end of the text or the endloop that closes this block."""
    parts, origins, i = [np.zeros((0, 4), np.uint32)], [np.zeros(0, np.int64)], begin
    while i < limit and op[i] != ENDLOOP.op:
        if op[i] == LOOP.op:
            words, origin, i = _loop(text, op, i, limit, depth + 1)
        elif op[i] == STEP.op:
            raise DnncError(
                f"instruction {i}: a step directly after its loop was expected, not here. Move it.", "E0819"
            )
        else:
            stop = i + int(np.argmax(np.append(np.isin(op[i:limit], (LOOP.op, ENDLOOP.op, STEP.op)), True)))
            words, origin, i = text[i:stop], np.arange(i, stop), stop
        parts.append(words)
        origins.append(origin)
    return np.concatenate(parts), np.concatenate(origins), i


def _loop(text: Words, op: Column, at: int, limit: int, depth: int) -> tuple[Words, Column, int]:
    if depth > MAX_DEPTH:
        raise DnncError(f"instruction {at}: at most {MAX_DEPTH} nested loops were expected. Unroll one.", "E0819")
    begin = at + 1
    while begin < limit and op[begin] == STEP.op:
        begin += 1
    body, origin, end = _block(text, op, begin, limit, depth)
    if end == limit:
        raise DnncError(f"instruction {at}: an endloop for this loop was expected, the program ends. Add it.", "E0819")
    count = int(decode(text[at : at + 1])[LOOP.name]["count"][0])
    if count * len(body) > MAX_INSTRUCTIONS:
        raise DnncError(
            f"instruction {at}: at most {MAX_INSTRUCTIONS} instructions after expansion were expected.", "E0819"
        )
    words = np.tile(body, (count, 1))
    origins, trip = np.tile(origin, count), np.repeat(np.arange(count), len(body))
    for step in range(at + 1, begin):
        _advance(text, step, begin, words, origins, trip)
    return words, origins, end + 1


def _advance(text: Words, step: int, begin: int, words: Words, origins: Column, trip: Column) -> None:
    """Add trip * delta to the address field a STEP names, in every copy of its instruction."""
    row = decode(text[step : step + 1])[STEP.name]
    rows = np.flatnonzero(origins == begin + int(row["index"][0]))
    addresses = kind(words[rows[0]]).addresses if len(rows) else ()
    slot = int(row["slot"][0])
    if slot >= len(addresses):
        raise DnncError(
            f"instruction {step}: a step of an address field in its loop was expected, not slot {slot}. Correct it.",
            "E0819",
        )
    field, at = kind(words[rows[0]]).layout[addresses[slot].name]
    chosen = words[rows]
    value = get_field(chosen, field, HEADER_BITS + at) + trip[rows] * row["delta"]
    set_field(chosen, f"instruction {step}: step", field, HEADER_BITS + at, value)
    words[rows] = chosen

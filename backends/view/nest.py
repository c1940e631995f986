"""A schedule as an SVG picture: a card a layer, its loops as boxes in boxes, its buffers beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dnnc.backends.view.measure import fitted, si, width
from dnnc.backends.view.schedule import Buffer, Nest, Schedule, Step
from dnnc.backends.view.svg import document, heading, text

_MARGIN, _PAD, _ROW, _GAP = 24.0, 12.0, 24.0, 22.0
_LEFT, _RIGHT = 780.0, 470.0  # widths of the loops and of the buffers
_TAG = 74.0
_COLUMNS = (("buffer", 0.0, False), ("space", 190.0, False), ("offset", 340.0, True), ("bytes", 446.0, True))
_FAMILY = {"load": "movement", "store": "reduction", "compute": "contraction", "step": "elementwise"}
SIZE = 12.0


def picture(schedule: Schedule, title: str) -> str:
    """The schedule as an SVG document."""
    parts, y = heading(title, summary(schedule), (), _LEFT + _RIGHT)
    y = _notes(parts, y - 24, "before", schedule.before)
    for nest in schedule.layers:
        card, height = _card(nest, y)
        parts += card
        y += height + _GAP
    y = _notes(parts, y, "after", schedule.after)
    return document(title, (_LEFT + _RIGHT + 2 * _MARGIN, y), parts)


def _notes(parts: list[str], y: float, when: str, words: Iterable[str]) -> float:
    """What the host does, a line each; the place below them."""
    for word in words:
        y += _ROW
        line = f"host, {when} the program: {word}"
        parts.append(text("muted", _MARGIN, y - 8, fitted(line, _LEFT + _RIGHT, SIZE)))
    return y


def summary(schedule: Schedule) -> str:
    """The sums of a schedule in a line."""
    steps = [s for nest in schedule.layers for s in nest.walk()]
    moved = {kind: sum(s.bytes for s in steps if s.kind == kind) for kind in ("load", "store")}
    parts = [
        f"{len(schedule.layers)} layers",
        si(sum(s.macs for s in steps), "MACs"),
        f"{si(moved['load'], 'B')} loaded",
        f"{si(moved['store'], 'B')} stored",
    ]
    return ", ".join([*parts, f"{schedule.hidden} more layers are not shown"] if schedule.hidden else parts)


def _card(nest: Nest, y: float) -> tuple[list[str], float]:
    """A layer: its name, its steps on the left, its buffers on the right; with its height."""
    steps = _height(nest.steps)
    height = 40 + max(steps, _ROW * (len(nest.buffers) + 1)) + _PAD
    out = [
        f'<g class="node" data-id="{nest.id}" transform="translate({_MARGIN:g} {y:g})">',
        f'<rect class="box" width="{_LEFT + _RIGHT:g}" height="{height:g}" rx="8"/>',
        text("heading", _PAD, 26, fitted(nest.name, _LEFT - 2 * _PAD, 15, bold=True)),
    ]
    out += _nested(nest.steps, _PAD, 40.0, _LEFT - 2 * _PAD)
    out += _table(nest.buffers, _LEFT + _PAD, 40.0)
    return [*out, "</g>"], height


def _height(steps: Iterable[Step]) -> float:
    """The height of steps, those inside of loops included."""
    return sum(_ROW + (_height(s.body) + _PAD if s.kind == "loop" else 4) for s in steps)


def _nested(steps: Iterable[Step], x: float, y: float, wide: float) -> Iterator[str]:
    for step in steps:
        if step.kind == "loop":
            yield from _loop(step, x, y, wide)
        else:
            yield from _line(step, x, y, wide)
        y += _height([step])


def _loop(step: Step, x: float, y: float, wide: float) -> Iterator[str]:
    height = _height([step]) - 6
    yield f'<rect class="frame" x="{x:g}" y="{y:g}" width="{wide:g}" height="{height:g}" rx="6"/>'
    yield text("strong", x + 10, y + 16, f"for {step.text}")
    yield _right("muted", x + wide - 10, y + 16, f"{step.runs} times")
    yield from _nested(step.body, x + 10, y + _ROW, wide - 20)


def _line(step: Step, x: float, y: float, wide: float) -> Iterator[str]:
    amount = si(step.macs, "MACs") if step.kind == "compute" else si(step.bytes, "B")
    runs = "once" if step.runs == 1 else f"{step.runs} times"
    sums = f"{amount}, {runs}"
    yield f'<rect class="{_FAMILY[step.kind]}" x="{x:g}" y="{y + 2:g}" width="{_TAG:g}" height="18" rx="4"/>'
    yield text("op", x + 7, y + 15, step.kind)
    room = wide - _TAG - width(sums, SIZE) - 26
    yield text("type", x + _TAG + 8, y + 15, fitted(step.text, room, SIZE))
    yield _right("muted", x + wide - 4, y + 15, sums)


def _right(kind: str, x: float, y: float, content: str) -> str:
    return text(kind, x, y, content).replace("<text ", '<text text-anchor="end" ', 1)


def _table(buffers: Iterable[Buffer], x: float, y: float) -> Iterator[str]:
    """Buffers with space, offset and bytes, a line each."""
    for name, at, right in _COLUMNS:
        yield (_right if right else text)("muted", x + at, y + 15, name)
    for buffer in buffers:
        y += _ROW
        twice = f"{buffer.copies} x " if buffer.copies > 1 else ""
        cells = (
            fitted(buffer.label, 180, SIZE),
            buffer.space,
            "-" if buffer.offset is None else f"{buffer.offset:,}",
            twice + f"{buffer.bytes // buffer.copies:,}",
        )
        for cell, (_, at, right) in zip(cells, _COLUMNS):
            yield (_right if right else text)("type", x + at, y + 15, cell)

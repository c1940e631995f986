"""Work with a name: timed under -v, and shown on a terminal once it takes longer than a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock, Timer
from typing import TYPE_CHECKING, TypeVar

from dnnc import console

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")
PATIENCE = 1.0  # seconds before a display appears


class Display:
    """The one live display of the terminal, with a line for each piece of work that takes long."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.bar: Progress | None = None
        self.tasks: dict[int, int] = {}

    def add(self, work: Work) -> None:
        """Show a piece of work, unless it is done by now."""
        with self.lock:
            if work.done:
                return
            if self.bar is None:
                self.bar = _bar()
                self.bar.start()
            task = self.bar.add_task(work.what, total=work.total, completed=work.steps)
            self.tasks[id(work)] = task

    def update(self, work: Work) -> None:
        """Show how far it is."""
        if self.bar is not None and id(work) in self.tasks:
            self.bar.update(self.tasks[id(work)], completed=work.steps)  # pyright: ignore[reportArgumentType]

    def remove(self, work: Work) -> None:
        """Take a piece of work off, and the display with the last."""
        with self.lock:
            work.done = True
            task = self.tasks.pop(id(work), None)
            if self.bar is None or task is None:
                return
            self.bar.remove_task(task)  # pyright: ignore[reportArgumentType]
            if not self.tasks:
                self.bar.stop()
                self.bar = None


class Work:
    """A piece of work under way, and the steps of it that are done."""

    def __init__(self, what: str, total: int | None):
        self.what, self.total = what, total
        self.steps, self.done = 0, False

    def step(self) -> None:
        """One more of its steps is done."""
        self.steps += 1
        _display.update(self)


_display = Display()


def _bar() -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(24), MofNCompleteColumn())
    # stdout stays what it is: under redirection rich would send it to stderr too
    err = console.pretty(sys.stderr)
    return Progress(*columns, TimeElapsedColumn(), console=err, transient=True, redirect_stdout=False)


@contextmanager
def phase(what: str, total: int | None = None) -> Iterator[Callable[[], None]]:
    """A piece of work with a name; what it gives is called after each of its `total` steps."""
    begin, work = time.perf_counter(), Work(what, total)
    timer = Timer(PATIENCE, _display.add, [work])
    timer.daemon = True
    shown = not console.level.quiet and console.styled(sys.stderr) and sys.stderr.isatty()
    if shown:
        timer.start()
    try:
        yield work.step
    finally:
        timer.cancel()
        _display.remove(work)
    console.detail(f"{what}: {time.perf_counter() - begin:.3f} s")


def each(items: Sequence[T] | Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """The items one by one, each a step of a piece of work."""
    with phase(what, len(items) if isinstance(items, Sequence) else total) as step:
        for item in items:
            yield item
            step()

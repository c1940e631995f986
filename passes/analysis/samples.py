"""The unlabelled samples of a run, which passes measure with, and how far they are, for whoever shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np

from dnnc.ir.diagnostics import DnncError, Finding

T = TypeVar("T")
Sample = Sequence[np.ndarray]
Show = Callable[[Sequence[Any], str], Iterable[Any]]

_shown: ContextVar[Show | None] = ContextVar("shown", default=None)
_given: ContextVar[Callable[[], Sequence[Sample]] | None] = ContextVar("samples", default=None)


@contextmanager
def providing(make: Callable[[], Sequence[Sample]] | None) -> Iterator[None]:
    """While this lasts, `given_samples` gives what `make` makes."""
    token = _given.set(make)
    try:
        yield
    finally:
        _given.reset(token)


@contextmanager
def showing(show: Show) -> Iterator[None]:
    """While this lasts, `watched` goes through its items by `show`."""
    token = _shown.set(show)
    try:
        yield
    finally:
        _shown.reset(token)


def watched(items: Sequence[T], what: str) -> Iterable[T]:
    """The items one by one, each a step of long work with a name."""
    show = _shown.get()
    return items if show is None else show(items, what)


def offered_samples() -> Sequence[Sample] | None:
    """The samples of this run, if there are any."""
    make = _given.get()
    return None if make is None else make()


def given_samples(who: str) -> Sequence[Sample]:
    """The samples of this run; an error that names the pass when there are none."""
    samples = offered_samples()
    if samples is None:
        message = "expected unlabelled samples to measure with, not none. Give samples with --calibrate X.npz."
        raise DnncError(Finding(f"pass '{who}'", message, "E0704"))
    return samples

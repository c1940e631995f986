"""The unlabelled samples that passes measure with: those of a run, or those of a file that a pass names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from dnnc.ir.diagnostics import DnncError, Finding

Sample = Sequence[np.ndarray]

_given: ContextVar[Callable[[], Sequence[Sample]] | None] = ContextVar("samples", default=None)


@contextmanager
def providing(make: Callable[[], Sequence[Sample]] | None) -> Iterator[None]:
    """While this lasts, `given_samples` gives what `make` makes."""
    token = _given.set(make)
    try:
        yield
    finally:
        _given.reset(token)


def given_samples(who: str) -> Sequence[Sample]:
    """The samples of this run; an error that names the pass when there are none."""
    make = _given.get()
    if make is None:
        message = "expected unlabelled samples to measure with, not none. Give samples with --calibrate X.npz."
        raise DnncError(Finding(f"pass '{who}'", message, "E0704"))
    return make()

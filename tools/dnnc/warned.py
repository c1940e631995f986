"""Warnings of dnnc as lines on stderr, like every other message of the commands."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dnnc import console

TOLD = ("PluginWarning", "DataFreeWarning", "Remark")


@contextmanager
def warned(who: str) -> Iterator[None]:
    """While a command runs, what dnnc warns of is told as `dnnc: warning: <where>: <what> <remedy>`."""
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(message: Any, category: type[Warning], *place: Any, **more: Any) -> None:
            if category.__name__ in TOLD:  # by name: its module costs more than `--help` may
                console.error("warning", str(message), who)
            else:
                usual(message, category, *place, **more)

        warnings.showwarning = show
        warnings.filterwarnings("always", message=".*no samples are given")
        warnings.filterwarnings("always", message="block-convolution: ")
        warnings.filterwarnings("always", message="plug-in '")  # shown, and no error even under `python -W error`
        yield

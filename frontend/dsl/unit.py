"""What one file of the language gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from xdsl.ir import Attribute

from dnnc.frontend.dsl import tree as t

Arrays = dict[str, Callable[[], np.ndarray]]


@dataclass
class Unit:
    """One file: its text, its statements, and the names it gives to functions, types and arrays."""

    source: t.Source
    folder: Path
    statements: list[t.Statement] = field(default_factory=list)
    functions: dict[str, tuple[Unit, t.Function]] = field(default_factory=dict)
    aliases: dict[str, tuple[Unit, t.Alias, Attribute]] = field(default_factory=dict)
    arrays: Arrays = field(default_factory=dict)
    weights: list[str] = field(default_factory=list)  # files of arrays, as named in the text
    seed: int = 0

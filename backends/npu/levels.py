"""What instructions belong to, from coarse to fine: the stack, the layer, the step of the stack, the tile of the layer."""

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnnc.backends.npu.program import Tag
from dnnc.ir.diagnostics import DnncError, Finding, short

Label = dict[str, Any]

SHOWN = 8
"""Names an error lists."""

LEVELS: Mapping[str, Callable[[Tag], Label]] = {
    "stack": lambda t: {"stack": t.stack, "layers": _alone(t)},
    "layer": lambda t: {"stack": t.stack, "layer": t.layer},
    "step": lambda t: {"stack": t.stack, "step": t.step, "layers": _alone(t)},
    "tile": lambda t: {"stack": t.stack, "step": t.step, "layer": t.layer, "tile": t.tile},
}
"""The label of a tag at each level; a layer in no stack stands for itself."""


def _alone(tag: Tag) -> str:
    return tag.layer if tag.stack is None else ""


def labelled(tags: Sequence[Tag], level: str) -> tuple[list[Label], NDArray[np.int64]]:
    """The labels of a level in the order of the tags, with all the layers of each, and the number of each tag's."""
    found: dict[tuple[Any, ...], int] = {}
    labels: list[Label] = []
    layers: list[dict[str, None]] = []
    of_tag = []
    for tag in tags:
        label = LEVELS[level](tag)
        number = found.setdefault(tuple(label.values()), len(labels))
        if number == len(labels):
            labels.append(label)
            layers.append({})
        layers[number][tag.layer] = None
        of_tag.append(number)
    for label, names in zip(labels, layers):
        if "layers" in label:
            label["layers"] = ", ".join(names)
    return labels, np.array(of_tag, np.int64)


def layer_named(name: str, layers: Sequence[str], where: str, code: str) -> str:
    """The layer of a name, or of one cut short as tables show it: `...` stands for any text, if one layer alone fits."""
    pattern = ".*".join(map(re.escape, re.split(r"\.\.\.|…", name)))
    fit = [layer for layer in layers if re.fullmatch(pattern, layer)]
    if name in layers or len(fit) == 1:
        return name if name in layers else fit[0]
    near = fit or [layer for layer in layers if name and name in layer] or get_close_matches(name, layers, SHOWN)
    names = ", ".join(short(layer) for layer in (near or layers)[:SHOWN])
    more = f" and {rest} more" if (rest := len(near or layers) - SHOWN) > 0 else ""
    todo = f"Did you mean {names}{more}?" if near else f"They are {names}{more}."
    raise DnncError(Finding(where, f"expected the name of one of {len(layers)} layers, not '{name}'. {todo}", code))

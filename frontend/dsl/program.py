"""The program a .dnn text writes: the block of `main`, its constants, and the names of things."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from math import prod

import numpy as np
from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseIntOrFPElementsAttr,
    DictionaryAttr,
    FileLineColLoc,
    IntAttr,
    ModuleOp,
    NameLoc,
    StringAttr,
    TensorType,
)
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Region, SSAValue

from dnnc.frontend.dsl.tree import Source, Span
from dnnc.ir.dnn.attributes import Key
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.types import QuantType, type_name
from dnnc.ir.weights import WeightStore

_SMALL = 16  # initialised constants of up to this many elements are written in the IR's text
_WRITTEN = ("f16", "f32", "f64", "i1", "i8", "i16", "i32", "i64")  # elements whose values the IR's text holds


def hint(name: str) -> str | None:
    """The name of a value in IR text: `b1.conv` is b1_conv, `x.1` a second x, `_7` a value without a name."""
    if re.fullmatch(r"_\d*", name):
        return None
    text = re.sub(r"[^A-Za-z0-9_]", "_", re.sub(r"\.\d+$", "", name))
    return re.sub(r"_(\d+)$", r"n\1", text)  # xDSL takes a trailing number for its own


def located(name: str, source: Source, at: Span) -> NameLoc:
    """The location of a layer: its name, and where its text is."""
    return NameLoc(StringAttr(name), FileLineColLoc(StringAttr(source.name), IntAttr(at.line), IntAttr(at.column)))


class Program:
    """The body of `main` under construction."""

    def __init__(self, store: WeightStore, seed: int = 0):
        self.store = store
        self.seed = seed  # of initialisers that give none
        self.known = frozenset(store)  # keys that were there before
        self.block = Block()
        self.inputs: list[dict[str, Attribute]] = []
        self.unnamed: set[ConstOp] = set()  # constants that will bear the name of the layer that uses them first
        self.loaded: dict[tuple[str, str], str] = {}  # (folder, key in a file of weights) -> key in the store
        self.taken: set[str] = set()

    def unique(self, name: str) -> str:
        """A layer name not in use."""
        found, n = name, 1
        while found in self.taken:
            n += 1
            found = f"{name}{n}"
        self.taken.add(found)
        return found

    def argument(self, type_: TensorType, name: str, outside: str, notes: dict[str, Attribute]) -> SSAValue:
        """A new input."""
        self.inputs.append({"dnn.name": StringAttr(outside), **notes})
        value = self.block.insert_arg(type_, len(self.block.args))
        value.name_hint = hint(name)
        return value

    def append(self, op: DnnOp, names: Sequence[str]) -> tuple[SSAValue, ...]:
        """Add an operation and name its results."""
        self.block.add_op(op)
        for value, name in zip(op.results, names):
            value.name_hint = hint(name)
        layer = op.location
        for value in op.operands:
            if isinstance(value.owner, ConstOp) and value.owner in self.unnamed:
                self.unnamed.remove(value.owner)
                own = value.owner.location
                if isinstance(layer, NameLoc) and isinstance(own, NameLoc):
                    value.owner.location = NameLoc(layer.desc, own.location)
        return tuple(op.results)

    def constant(self, op: ConstOp, name: str, named: bool) -> SSAValue:
        """Add a constant; one without a node name of its own takes that of its first user."""
        (value,) = self.append(op, (name,))
        if not named:
            self.unnamed.add(op)
        return value

    def filled(self, make: Callable[[], np.ndarray], type_: TensorType, key: str, location: NameLoc) -> ConstOp:
        """A constant from an initialiser, drawn when it is first read."""
        if 0 < prod(type_.get_shape()) <= _SMALL:
            return ConstOp.of(make(), self.store, key, type_, location)
        return ConstOp.keyed(self.store.add(key, make), type_, location)

    def written(self, array: np.ndarray, type_: TensorType, key: str, location: NameLoc) -> ConstOp:
        """A constant whose values stand in the text; in the IR's text too, where that keeps their bits."""
        if not in_text(array, type_):
            return ConstOp.keyed(self.store.add(key, array), type_, location)
        values = [v.item() for v in array.reshape(-1)]
        dense = DenseIntOrFPElementsAttr.from_list(type_, values)  # pyright: ignore
        return ConstOp.create(result_types=[type_], properties={"value": dense}, location=location)

    def stored(
        self, array: np.ndarray | Callable[[], np.ndarray], type_: TensorType, place: str, key: str, location: NameLoc
    ) -> ConstOp:
        """A constant from a file of weights, under its key there."""
        if (place, key) not in self.loaded:
            self.loaded[place, key] = self.store.add(key, array)
        return ConstOp.create(result_types=[type_], properties={"key": Key(self.loaded[place, key])}, location=location)

    def module(self, results: Sequence[SSAValue], outputs: Sequence[str]) -> ModuleOp:
        """The module with the block as `main`."""
        self.block.add_op(ReturnOp(*results))
        types = [a.type for a in self.block.args], [r.type for r in results]
        arguments, named = _dictionaries(self.inputs), _dictionaries({"dnn.name": StringAttr(n)} for n in outputs)
        return ModuleOp([FuncOp("main", types, Region(self.block), arg_attrs=arguments, res_attrs=named)])


def in_text(array: np.ndarray, type_: TensorType) -> bool:
    """Whether the IR's text gives back the bits of an array."""
    element = type_.element_type
    if isinstance(element, QuantType) or type_name(element) not in _WRITTEN or not array.size:
        return False
    if array.dtype.kind in "ib":
        return True
    return bool(np.isfinite(array).all()) and not np.signbit(array[array == 0]).any()


def _dictionaries(entries: Iterable[dict[str, Attribute]]) -> ArrayAttr[DictionaryAttr]:
    return ArrayAttr([DictionaryAttr(e) for e in entries])

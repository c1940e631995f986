"""Operators whose result is known when the network is imported: constants, and what depends on shapes alone."""

from __future__ import annotations

from math import prod

import numpy as np
from xdsl.ir import SSAValue

from dnnc.frontend.onnx.site import Mistake, Refused, Site
from dnnc.frontend.onnx.tensors import Literal, UnsupportedType, dense, literal
from dnnc.ir.types import dtype, element_type, tensor

_LONGEST = 2**31  # elements of a range


def constant(site: Site) -> Literal:
    """Constant, in each of its forms."""
    name = site.node.outputs[0]
    given = [key for key in site.node.attributes if key.startswith("value") or key == "sparse_value"]
    if len(given) != 1:
        raise Mistake(f"expected one value, not {len(given)}.", "E0210")
    match given[0]:
        case "value":
            return _literal(site, name)
        case "sparse_value":
            return dense(site.sparse("sparse_value"), name)
        case "value_int":
            return Literal.of(np.array(site.int("value_int"), np.int64), name)
        case "value_ints":
            return Literal.of(np.array(site.ints("value_ints"), np.int64), name)
        case "value_float":
            return Literal.of(np.array(site.float("value_float"), np.float32), name)
        case "value_floats":
            return Literal.of(np.array(site.floats("value_floats"), np.float32), name)
        case other:
            raise Refused(f"expected numbers as the value, not '{other}'.", "E0206")


def _literal(site: Site, name: str) -> Literal:
    try:
        return literal(site.tensor("value"), site.importer.external, name)
    except UnsupportedType as e:
        raise Refused(f"expected a numeric element type, not {e}.", "E0216") from e


def constant_of_shape(site: Site) -> Literal:
    """ConstantOfShape: one value, not copied for each element."""
    shape = site.integers(0)
    if min(shape, default=0) < 0:
        raise Mistake(f"expected a shape without negative dimensions, not {list(shape)}.", "E0213")
    value = np.zeros(1, np.float32)
    if site.given("value"):
        value = _literal(site, "").load().reshape(-1)
    if value.size != 1:
        raise Mistake(f"expected one element as attribute 'value', not {value.size}.", "E0213")
    kind = tensor(element_type(value.dtype), shape)
    return Literal(kind, lambda: np.broadcast_to(value.reshape(()), shape), site.node.outputs[0])


def shape(site: Site) -> Literal:
    """Shape: shapes are static, so it is a constant."""
    start, end = site.int("start", 0), site.int("end", None)
    return Literal.of(np.array(site.shape()[slice(start, end)], np.int64), site.node.outputs[0])


def size(site: Site) -> Literal:
    """Size: the number of elements."""
    return Literal.of(np.array(prod(site.shape()), np.int64), site.node.outputs[0])


def range_(site: Site) -> Literal:
    """Range: start + i * delta for i below ceil((limit - start) / delta)."""
    site.ignore("stash_type")
    start, limit, delta = (site.one(i) for i in range(3))
    steps = (float(limit) - float(start)) / float(delta) if delta else float("nan")
    if not abs(steps) < _LONGEST:
        raise Mistake(f"expected a finite number of steps, not from {start} to {limit} by {delta}.", "E0213")
    count = max(0, int(np.ceil(steps)))
    kind = start.dtype
    wide = np.float32 if kind.itemsize < 4 and kind.kind not in "iu" else kind
    values = np.arange(count).astype(wide) * delta.astype(wide) + start.astype(wide)
    return Literal.of(values.astype(kind), site.node.outputs[0])


def eye_like(site: Site) -> Literal:
    """EyeLike: ones on a diagonal."""
    rows, columns = site.matrix()
    kind = dtype(site.element_type(site.int("dtype"))) if site.given("dtype") else site.dtype()
    return Literal.of(np.eye(rows, columns, site.int("k", 0)).astype(kind), site.node.outputs[0])


def non_zero(site: Site) -> Literal:
    """NonZero of a constant."""
    return Literal.of(np.array(np.nonzero(site.constant(0)), np.int64), site.node.outputs[0])


def dropout_mask(site: Site) -> Literal:
    """The mask of a Dropout in inference: everything is kept."""
    shape_ = site.shape()
    return Literal(
        tensor(element_type(np.bool_), shape_), lambda: np.broadcast_to(np.True_, shape_), site.node.outputs[1]
    )


def dropout(site: Site) -> list[SSAValue | Literal]:
    """Dropout in inference: the identity."""
    site.ignore("seed")
    ratio, training = site.known(1), site.optional_constant(2)
    if training is not None and training.any() and (ratio is None or ratio.any()):
        raise Refused("expected training_mode = 0, not 1. Export the model for inference.", "E0207")
    return [site.operand(0), *([dropout_mask(site)] if site.wants(1) else [])]

"""Resize: ONNX's many ways to state a size become one size and one scale for every axis."""

from __future__ import annotations

import numpy as np
from xdsl.ir import SSAValue

from dnnc.frontend.onnx.movement import axes_in
from dnnc.frontend.onnx.site import Mistake, Site
from dnnc.ir.dnn.resampling import ResizeOp


def resize(site: Site) -> SSAValue:
    """Resize (and Upsample, which `upgrade` rewrites)."""
    shape = site.shape()
    axes = axes_in(site.ints("axes"), len(shape)) if site.given("axes") else list(range(len(shape)))
    scales, sizes = _values(site, 2), _values(site, 3)
    policy = site.word("keep_aspect_ratio_policy", "stretch", "not_larger", "not_smaller")
    if (scales is None) == (sizes is None):
        raise Mistake("expected either scales or sizes, not both or none.", "E0230")
    given = scales if scales is not None else sizes
    assert given is not None
    if len(given) != len(axes):
        raise Mistake(f"expected {len(axes)} scales or sizes, not {len(given)}.", "E0230")
    if not all(np.isfinite(v) and v >= 0 for v in given):
        raise Mistake(f"expected scales or sizes of at least 0, not {given}.", "E0230")
    if sizes is not None and policy != "stretch":
        if any(shape[a] == 0 for a in axes):
            raise Mistake(f"expected axes with elements to keep the aspect ratio of, not {list(shape)}.", "E0230")
        pick = min if policy == "not_larger" else max
        factor = pick(n / shape[a] for a, n in zip(axes, sizes))
        # ONNX: scales are the common factor, sizes what it gives, rounded half up.
        scales, sizes = [factor] * len(axes), [int(np.floor(factor * shape[a] + 0.5)) for a in axes]
    size, scale = list(shape), [1.0] * len(shape)
    for k, a in enumerate(axes):
        size[a] = int(sizes[k]) if sizes is not None else int(np.floor(np.float32(shape[a]) * np.float32(given[k])))
        scale[a] = float(scales[k]) if scales is not None else float(np.float32(size[a]) / np.float32(shape[a] or 1))
    return site.emit(ResizeOp, site.operand(0), size=tuple(size), **_parameters(site, axes, size, scale))


def _values(site: Site, i: int) -> list[float] | None:
    """A constant input as a list, None when absent or empty."""
    values = site.optional_constant(i)
    return None if values is None or not values.size else values.reshape(-1).tolist()


def _parameters(site: Site, axes: list[int], size: list[int], scale: list[float]) -> dict[str, object]:
    shape, mode = site.shape(), site.word("mode", "nearest", "linear", "cubic")
    coordinates = site.string("coordinate_transformation_mode", "half_pixel")
    implied = [float(np.float32(n) / np.float32(d or 1)) for n, d in zip(size, shape)]
    rounding, cubic = site.string("nearest_mode", "round_prefer_floor"), site.float("cubic_coeff_a", -0.75)
    outside, antialias = site.flag("exclude_outside"), site.flag("antialias")
    extrapolation = site.float("extrapolation_value", 0.0)
    params: dict[str, object] = {"mode": mode, "coordinates": coordinates}
    if scale != implied:
        params["scale"] = tuple(scale)
    if mode == "nearest":
        params["rounding"] = rounding
    else:
        params.update(exclude_outside=outside, antialias=antialias)
    if mode == "cubic":
        params["cubic"] = cubic
    if coordinates == "tf_crop_and_resize":
        params.update(region=_region(site, axes), extrapolation=extrapolation)
    return params


def _region(site: Site, axes: list[int]) -> tuple[float, ...]:
    """Starts then ends for every axis, the whole where none is given."""
    rank, values = site.rank(), [float(v) for v in site.constant(1).reshape(-1)]
    if len(values) != 2 * len(axes):
        raise Mistake(f"expected {2 * len(axes)} values as input 'roi', not {len(values)}.", "E0230")
    region = [0.0] * rank + [1.0] * rank
    for k, a in enumerate(axes):
        region[a], region[rank + a] = values[k], values[len(axes) + k]
    return tuple(region)

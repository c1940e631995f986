"""Arguments of the command line as the Python API takes them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dnnc import api
from dnnc.arguments import RANGES
from dnnc.frontend.onnx import load
from dnnc.frontend.onnx.signature import real_inputs, symbols
from dnnc.ir.diagnostics import Collector, DnncError, Finding
from dnnc.passes.analysis.scheme import Scheme
from dnnc.passes.analysis.sources import chosen
from dnnc.passes.mixed_precision import MixedPrecisionPass
from dnnc.passes.pipeline import Pipeline, read
from dnnc.schemes import Asked


def network(args: Namespace, arrays: Mapping[str, np.ndarray] | None = None, weights: bool = True) -> api.Network:
    """The network named, its open dimensions bound by --dim, and the rest by the shapes of `arrays`."""
    dims = parse_dims(args.dim)
    if arrays is not None and args.model.endswith(".onnx") and Path(args.model).is_file():
        dims = sizes(args.model, arrays, dims) | dims
    loaded = api.load(args.model, dims, weights)
    loaded.asked = asked(args)
    return loaded


def asked(args: Namespace) -> Asked | None:
    """What the scheme of a run is to be, where the command line says something of it."""
    said = vars(args)
    found = Asked(_scheme(said), _budget(said), said.get("scheme_out"))
    return None if found == Asked() else found


def _scheme(said: Mapping[str, Any]) -> Scheme | None:
    if said.get("scheme") is None:
        return None
    scheme = Scheme.read(said["scheme"])
    own = said.get("passes") or said.get("pipeline_file")
    return replace(scheme, passes=()) if own else scheme


def _budget(said: Mapping[str, Any]) -> MixedPrecisionPass | None:
    kl, bits = said.get("budget_kl"), said.get("budget_bits")
    return None if kl is None and bits is None else MixedPrecisionPass(kl, bits)


def parse_dims(texts: Sequence[str]) -> dict[str, int]:
    """`["batch=1"]` as a mapping; all mistakes at once."""
    dims, findings = {}, []
    for t in texts:
        name, _, value = t.partition("=")
        if name and value.isdigit():
            dims[name] = int(value)
        else:
            findings.append(Finding("--dim", f"expected NAME=VALUE with a whole number, not '{t}'.", "E0107"))
    if findings:
        raise DnncError(findings)
    return dims


def pipeline(args: Namespace) -> str | Pipeline | None:
    """The passes asked for, if any were."""
    return Pipeline(read(args.pipeline_file)) if args.pipeline_file else args.passes


def calibration(args: Namespace) -> api.Calibration | None:
    """The samples asked for, if any were, and what is to be done with them."""
    if args.calibrate is not None:
        return api.Calibration(args.calibrate, args.preprocess or "", args.ranges)
    if alone := next(
        (n for n, given in (("--preprocess", args.preprocess), ("--ranges", args.ranges != RANGES)) if given), ""
    ):
        raise DnncError(Finding(alone, "expected samples to use it on, not none. Add --calibrate X.npz.", "E0108"))
    return None


def sizes(path: str, arrays: Mapping[str, np.ndarray], given: Mapping[str, int]) -> dict[str, int]:
    """What the shapes of arrays, by name or in order, say of the dimensions an ONNX model leaves open.

    An array with one axis more than its input is a stack of samples. DnncError where two arrays disagree.
    """
    graph = load.model(path).graph
    names = [i.name for i in real_inputs(graph)]
    found: dict[str, tuple[int, str]] = {}
    problems = Collector()
    for name, shape, x in zip(names, symbols(graph), chosen(names, arrays)):
        extra = x.ndim - len(shape)
        for dim, n in zip(shape, x.shape[max(extra, 0) :]):
            if isinstance(dim, int) or dim in given or extra not in (0, 1):
                continue
            before, other = found.setdefault(dim, (n, name))
            if before != n:
                message = f"expected {before} for dimension '{dim}', as '{other}' has, not {n}. Make the inputs fit."
                problems.error(f"input '{name}'", message, "E0122")
    problems.raise_if_any()
    return {dim: n for dim, (n, _) in found.items()}

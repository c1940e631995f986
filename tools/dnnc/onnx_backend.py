"""Runs ONNX models the way `onnx.backend.test` asks for: prepare once, then run on arrays."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx.backend.base import Backend, BackendRep

from dnnc import api
from dnnc.backends.c.target import compile_and_load, emit
from dnnc.frontend.onnx import import_onnx
from dnnc.frontend.onnx.signature import symbols
from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import DnncError, Finding, UnsupportedError
from dnnc.ir.interpret import evaluate
from dnnc.ir.weights import store_of
from dnnc.passes import pipeline

Run = Callable[[Sequence[np.ndarray]], list[np.ndarray]]


def prepare(model: onnx.ModelProto) -> Run:
    """Outputs of a model on the reference interpreter, as a function of its inputs.

    Dimensions the model leaves open take the size of the first inputs given, anew for each new set of sizes.
    UnsupportedError (a NotImplementedError) carries everything that is not supported.
    """
    return specialized(model, _interpreter)


def _interpreter(model: onnx.ModelProto, dims: dict[str, int]) -> Run:
    ctx = make_context()
    module = import_onnx(model, ctx, dims)
    module.verify()
    return lambda inputs: evaluate(module, [np.asarray(x) for x in inputs], store_of(ctx))


def prepare_c(model: onnx.ModelProto) -> Run:
    """Outputs of a model by generated C, compiled with the system's compiler, as a function of its inputs.

    Open dimensions as for `prepare`. UnsupportedError carries everything that cannot be imported or written as C.
    """
    return specialized(model, _compiled)


def _compiled(model: onnx.ModelProto, dims: dict[str, int]) -> Run:
    ctx = make_context()
    module = import_onnx(model, ctx, dims)
    pipeline.run(pipeline.parse("fuse"), module, ctx)
    program = compile_and_load(emit(module, ctx, "model"), flags=("-O2", "-march=native"))
    return lambda inputs: program(*map(np.asarray, inputs))


def prepare_npu(model: onnx.ModelProto, calibrate: api.Samples | None = None, target: str = api.DEFAULT_TARGET) -> Run:
    """Outputs of a model as a program on the simulator of a target, as a function of its inputs.

    A float model is quantized to int8 with the ranges of `calibrate`, unlabelled samples; without them it is refused, as
    is everything else the NPU does not run, by an UnsupportedError with all of it.
    """
    return specialized(model, lambda m, dims: _simulated(m, dims, calibrate, target))


def _simulated(model: onnx.ModelProto, dims: dict[str, int], calibrate: api.Samples | None, target: str) -> Run:
    network = api.load(model, dims)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", api.DataFreeWarning)
            program = api.compile(network, target, "npu", calibrate=calibrate)
    except api.DataFreeWarning as e:
        message = "expected calibrated ranges, not a network without any. Give samples as `calibrate`."
        raise UnsupportedError(Finding("main", message, "E0701")) from e
    except UnsupportedError:
        raise
    except DnncError as e:  # a network this backend cannot take as it is: not calibrated, or too large for the target
        raise UnsupportedError(e.findings) from e
    return lambda inputs: program.run(*map(np.asarray, inputs))


def specialized(model: onnx.ModelProto, build: Callable[[onnx.ModelProto, dict[str, int]], Run]) -> Run:
    """What `build` makes of a model: at once when all its dimensions are known, else for each set of sizes given."""
    shapes = symbols(model.graph)
    if not any(isinstance(d, str) for shape in shapes for d in shape):
        return build(model, {})
    ready: dict[tuple[tuple[str, int], ...], Run] = {}

    def run(inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        dims: dict[str, int] = {
            d: n
            for shape, x in zip(shapes, inputs)
            for d, n in zip(shape, getattr(x, "shape", ()))
            if isinstance(d, str)
        }
        key = tuple(sorted(dims.items()))
        if key not in ready:
            ready[key] = build(model, dims)
        return ready[key](inputs)

    return run


class DnncRep(BackendRep):
    """A prepared model."""

    def __init__(self, run: Run):
        self._run = run

    def run(self, inputs: Any, **kwargs: Any) -> tuple[np.ndarray, ...]:
        """Outputs for a list of arrays (or one array)."""
        given = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        return tuple(self._run(given))


class DnncBackend(Backend):
    """The reference interpreter behind ONNX's standard interface."""

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> DnncRep:  # pyright: ignore
        """A prepared model; only the device CPU exists."""
        return DnncRep(prepare(model))

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether a device exists."""
        return device == "CPU"

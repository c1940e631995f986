"""Which pipeline a network with its samples runs, and running it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from dnnc.ir.diagnostics import Collector, where
from dnnc.ir.interpret import main_function
from dnnc.ir.weights import store_of
from dnnc.network import Network
from dnnc.passes import PIPELINES
from dnnc.passes.analysis.integer_weights import layers
from dnnc.passes.analysis.samples import providing, showing
from dnnc.passes.analysis.sources import Samples as SampleSet
from dnnc.passes.analysis.sources import cut_samples, of_rows, samples_of
from dnnc.passes.analysis.staircases import arrives_quantized
from dnnc.passes.analysis.synthetic import WORD, is_data_free
from dnnc.passes.calibrate import RANGE, CalibratePass, Method, range_of
from dnnc.passes.pack_bits import PackBitsPass
from dnnc.passes.pipeline import Hook, Pipeline
from dnnc.passes.quantize import QuantizePass
from dnnc.passes.quantize_lower import QuantizeLowerPass
from dnnc.progress import each, phase
from dnnc.schemes import Schemed


@dataclass(frozen=True)
class Calibration:
    """Unlabelled samples, how pictures among them become inputs, and how ranges are chosen from the values they give.

    `samples` is a path to .npz or .npy, a folder of arrays or of pictures, arrays [N, ...], one for each input, or `data-free`
    (`data-free:0..255` when inputs lie between these): inputs made up, moved to what batch norms have stored; or `dynamic`: ranges
    are found at run time;
    `preprocess` a .toml file or its lines; `ranges` min-max, percentile, mse, entropy or aciq.
    """

    samples: str | Path | np.ndarray | Sequence[np.ndarray] | SampleSet
    preprocess: str = ""
    ranges: Method = "min-max"


class DataFreeWarning(UserWarning):
    """Nobody gave samples, so that ranges come from inputs that were made up."""


Samples = Calibration | str | Path | np.ndarray | Sequence[np.ndarray]

# The pipeline each kind of output runs unless another is given.
DEFAULT_PIPELINE = {"ir": "simplify", "report": "simplify", "c": "fuse", "npu": "npu"}
DYNAMIC = "dynamic"


def default_of(network: Network, emit: str, samples: Samples | None) -> str:
    """The pipeline of a kind of output: one that quantizes where samples or a scheme ask for it."""
    calibrated = samples is not None
    if is_dynamic(samples):
        return _dynamic(network, emit)
    if network.asked is not None and emit == "ir":
        return "int8"
    return default_pipeline(emit, network.module, calibrated or network.asked is not None)


def is_dynamic(samples: Samples | None) -> bool:
    """Whether ranges are those each inference has, instead of those of samples."""
    source = None if samples is None else _given(samples).samples
    return isinstance(source, str) and source == DYNAMIC


def _dynamic(network: Network, emit: str) -> str:
    """The pipeline of scales found at run time, which the accelerator has no form for: each layer is told."""
    report = Collector()
    for layer in layers(network.module) if emit == "npu" else ():
        message = (
            "expected scales that are known before it runs, not dynamic ones. Give samples, or compile to C: --emit c."
        )
        report.refuse(where(layer.location, layer.name), message, "E0717")
    report.raise_if_any()
    return DYNAMIC


def default_pipeline(emit: str, module: ModuleOp, calibrated: bool) -> str:
    """The pipeline of a kind of output.

    C and report of a network with samples to calibrate with are int8, C of one that comes quantized too, with floats where
    it has no integers.
    """
    if emit == "report" and calibrated:
        return "int8"
    if emit == "c" and (calibrated or arrives_quantized(module)):
        stated = {PackBitsPass.name: f"{PackBitsPass.name}{{any-target=true}}"}
        if arrives_quantized(module):
            stated[QuantizeLowerPass.name] = f"{QuantizeLowerPass.name}{{islands=true}}"
        return ",".join(stated.get(p.name, p.name) for p in PIPELINES["int8"])
    return DEFAULT_PIPELINE[emit]


def run_passes(
    network: Network, passes: Sequence[ModulePass] | Pipeline, samples: Samples | None = None, after: Hook | None = None
) -> None:
    """Run passes on a network in place; samples are recorded just before the first `quantize`.

    A float network that is quantized without samples or ranges is calibrated data-free, and a DataFreeWarning says so.
    """
    with ExitStack() as running:

        def begin(one: ModulePass, module: ModuleOp) -> None:
            running.enter_context(phase(f"pass {one.name}"))

        def end(one: ModulePass, module: ModuleOp) -> None:
            running.close()

        schemed = Schemed(network.asked, Pipeline(passes), store_of(network.ctx))
        hooks = [end, schemed.after, *([after] if after else [])]
        pipeline = Pipeline(schemed.passes, before=[schemed.before, begin], after=hooks)
        cut = next((i for i, p in enumerate(pipeline) if isinstance(p, QuantizePass)), 0)
        own = any(isinstance(p, CalibratePass) for p in pipeline)
        quantizes = any(isinstance(p, QuantizePass) for p in pipeline)
        given = settled(network, pipeline, samples)
        take = None if given is None else cache(lambda: as_samples(network, given))
        with showing(each), providing(take):
            pipeline[:cut].run(network, in_place=True)
            if given is not None and quantizes and not own:
                ranges = CalibratePass(method=given.ranges)
                schemed.note(network.module, ranges)
                ranges.apply(network.ctx, network.module)
            pipeline[cut:].run(network, in_place=True)
        network.asked, chosen = schemed.finish(network.name)
        network.scheme = chosen or network.scheme


def settled(network: Network, pipeline: Pipeline, samples: Samples | None) -> Calibration | None:
    """The samples of a pipeline: made up, while batch norms stand, where they are to be, or where it needs some and has none."""
    given = None if samples is None else _given(samples)
    quantizes = any(isinstance(p, QuantizePass) for p in pipeline) and not any(
        isinstance(p, CalibratePass) for p in pipeline
    )
    if given is None and quantizes and _wants_ranges(network.module):
        told = "no samples are given: ranges are data-free, from inputs made up. Give samples with --calibrate X.npz."
        warnings.warn(f"{network.name}: {told}", DataFreeWarning, stacklevel=3)
        given = Calibration(WORD)
    if given is not None and is_data_free(given.samples):
        return replace(given, samples=as_samples(network, given))
    return given


def _given(samples: Samples) -> Calibration:
    return samples if isinstance(samples, Calibration) else Calibration(samples)


def _wants_ranges(module: ModuleOp) -> bool:
    """Whether no value of a float network has a range."""
    inputs = main_function(module).body.block.args
    ranged = any(RANGE in op.attributes for op in module.walk()) or any(range_of(v) for v in inputs)
    return not ranged and not arrives_quantized(module)


def as_samples(network: Network, samples: Samples) -> SampleSet:
    """Samples from a file, a folder or arrays, as one list of inputs each."""
    given = _given(samples)
    function, source = main_function(network.module), given.samples
    if isinstance(source, SampleSet):
        return source
    if isinstance(source, (str, Path)):
        return samples_of(network.module, store_of(network.ctx), str(source), given.preprocess)
    arrays = [source] if isinstance(source, np.ndarray) else list(source)
    return of_rows(cut_samples(arrays, function.function_type.inputs.data, "calibration samples"))

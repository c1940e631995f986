"""IR to IR, one pass a file. This file is the registry: the pipelines, and from them every pass by name."""

from __future__ import annotations

from xdsl.passes import ModulePass

from dnnc.passes.adaround import AdaroundPass
from dnnc.passes.apply_scheme import ApplySchemePass
from dnnc.passes.block_convolution import BlockConvolutionPass
from dnnc.passes.calibrate import CalibratePass
from dnnc.passes.canonicalize import CanonicalizePass
from dnnc.passes.code_weights import CodeWeightsPass
from dnnc.passes.compose_norms import ComposeNormsPass
from dnnc.passes.correct_bias import CorrectBiasPass
from dnnc.passes.cse import CsePass
from dnnc.passes.dce import DcePass
from dnnc.passes.decompose import DecomposePass
from dnnc.passes.decompose_lrn import DecomposeLrnPass
from dnnc.passes.encode_weights import EncodeWeightsPass
from dnnc.passes.equalize import EqualizePass
from dnnc.passes.expand_weights import ExpandWeightsPass
from dnnc.passes.fit_layers import FitLayersPass
from dnnc.passes.fold_batch_norm import FoldBatchNormPass
from dnnc.passes.fold_constants import FoldConstantsPass
from dnnc.passes.fuse_groups import FuseGroupsPass
from dnnc.passes.fuse_layers import FuseLayersPass
from dnnc.passes.gptq import GptqPass
from dnnc.passes.keep_on_chip import KeepOnChipPass
from dnnc.passes.mixed_precision import MixedPrecisionPass
from dnnc.passes.order import OrderPass
from dnnc.passes.pack_bits import PackBitsPass
from dnnc.passes.plan_memory import PlanMemoryPass
from dnnc.passes.quantize import QuantizePass
from dnnc.passes.quantize_dynamic import QuantizeDynamicPass
from dnnc.passes.quantize_lower import QuantizeLowerPass
from dnnc.passes.quantize_weights import QuantizeWeightsPass
from dnnc.passes.recognize_quantizers import RecognizeQuantizersPass
from dnnc.passes.smooth import SmoothPass
from dnnc.passes.spill import SpillPass
from dnnc.passes.tile import TilePass
from dnnc.passes.widen_weights import WidenWeightsPass

SIMPLIFY: tuple[type[ModulePass], ...] = (
    FoldConstantsPass,  # shape arithmetic first: laws below read constants
    CanonicalizePass,
    FoldBatchNormPass,  # after canonicalize, so that nothing stands between a contraction and its batch norm
    CanonicalizePass,
    FoldConstantsPass,
    CsePass,
    DcePass,
)

INT8: tuple[type[ModulePass], ...] = (
    FoldConstantsPass,  # weights that the graph computes
    RecognizeQuantizersPass,  # before batch norms fold into weights on a grid
    *SIMPLIFY,
    # before ranges are recorded, so that what these make has one
    DecomposeLrnPass,
    ComposeNormsPass,
    QuantizePass,
    QuantizeLowerPass,
    WidenWeightsPass,  # neither backend reads weights of less than a byte
    CanonicalizePass,
    PackBitsPass,  # clips are bounds by now
    CsePass,
    DcePass,
    FuseGroupsPass,
)

DYNAMIC: tuple[type[ModulePass], ...] = (*SIMPLIFY, QuantizeDynamicPass, CsePass, DcePass, FuseGroupsPass)

PIPELINES: dict[str, tuple[type[ModulePass], ...]] = {
    "simplify": SIMPLIFY,
    "fuse": (*SIMPLIFY, ExpandWeightsPass, FuseGroupsPass),
    "int8": INT8,
    "dynamic": DYNAMIC,
    "npu": (
        *INT8,
        FuseLayersPass,
        FitLayersPass,
        KeepOnChipPass,
        TilePass,
        OrderPass,
        EncodeWeightsPass,
        SpillPass,
        PlanMemoryPass,
    ),
}

# Passes no pipeline runs by default.
OPTIONAL: tuple[type[ModulePass], ...] = (
    AdaroundPass,
    ApplySchemePass,
    BlockConvolutionPass,
    CalibratePass,
    CodeWeightsPass,
    CorrectBiasPass,
    DecomposePass,
    EqualizePass,
    GptqPass,
    MixedPrecisionPass,
    QuantizeWeightsPass,
    SmoothPass,
)

PASSES: dict[str, type[ModulePass]] = {
    p.name: p for p in sorted({*OPTIONAL, *(p for ps in PIPELINES.values() for p in ps)}, key=lambda p: p.name)
}

# Passes after which floats are equal only to rounding; NaN and infinities may then stand elsewhere.
ROUNDS: tuple[type[ModulePass], ...] = (FoldBatchNormPass, DecomposePass, DecomposeLrnPass, ComposeNormsPass)

# Passes meant to change results: what they give is what later passes must keep, after the second to every bit.
QUANTIZES: tuple[type[ModulePass], ...] = (
    QuantizePass,
    QuantizeLowerPass,
    QuantizeWeightsPass,
    GptqPass,
    AdaroundPass,
    QuantizeDynamicPass,
    CodeWeightsPass,
    CorrectBiasPass,
    BlockConvolutionPass,
)

# The stage (`dnnc.ir.stages`) a module has reached after a pass; checked whenever the pass has run.
REACHES: dict[type[ModulePass], str] = {
    QuantizeLowerPass: "quantized",
    FuseGroupsPass: "fused",
    TilePass: "tiled",
    PlanMemoryPass: "placed",
}

"""`python -m tools.bench`: dnnc against peers on the networks of the zoo. One thread each; ratios below 1 mean dnnc is faster."""

from __future__ import annotations

import argparse
import os
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from rich.console import Console
from rich.table import Table

from dnnc import api
from dnnc.backends.c.target import compile_and_load, emit
from dnnc.zoo import ZOO
from tools.bench.paired import Pair, compare

SMALL = ("lenet5", "resnet8", "ds_cnn", "mobilenet_v1_025", "toyadmos_autoencoder")
LARGE = ("googlenet", "resnet50")
FLAGS = ("-O3", "-march=native")


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """ONNX Runtime on the CPU with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def sample(model: onnx.ModelProto) -> np.ndarray:
    """A seeded input of the model's shape."""
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def c_against_onnxruntime(name: str) -> tuple[Pair, float]:
    """Generated C (gcc -O3 -march=native) against ONNX Runtime, both called from Python; and their relative difference."""
    model = ZOO[name]()
    x, peer = sample(model), session(model)
    network = api.compile(model, emit="ir", pipeline="fuse").network
    program = compile_and_load(emit(network.module, network.ctx, name), flags=FLAGS)
    feed = {model.graph.input[0].name: x}
    (want,), (got,) = peer.run(None, feed), program(x)
    difference = float(np.abs(got - np.asarray(want)).max() / np.abs(np.asarray(want)).max())
    return compare(lambda: program(x), lambda: peer.run(None, feed)), difference


def int8_c_against_float_and_onnxruntime(name: str) -> tuple[Pair, Pair]:
    """The C of the int8 network against the C of the float one, and against ONNX Runtime on a QDQ model of the same samples."""
    model = ZOO[name]()
    x = sample(model)
    feed = {model.graph.input[0].name: x}
    network = api.compile(model, emit="ir", pipeline="int8", calibrate=[x]).network
    program = compile_and_load(emit(network.module, network.ctx, name), flags=FLAGS)
    network = api.compile(model, emit="ir", pipeline="fuse").network
    real = compile_and_load(emit(network.module, network.ctx, name), flags=FLAGS)
    peer = session(quantized(model, feed))
    return compare(lambda: program(x), lambda: real(x)), compare(lambda: program(x), lambda: peer.run(None, feed))


class _Once(CalibrationDataReader):
    """One sample to calibrate with."""

    def __init__(self, feed: dict[str, np.ndarray]):
        self.left = [feed]

    def get_next(self) -> dict[str, np.ndarray]:
        return self.left.pop() if self.left else None  # pyright: ignore[reportReturnType]


def quantized(model: onnx.ModelProto, feed: dict[str, np.ndarray]) -> onnx.ModelProto:
    """ONNX Runtime's own int8 form: QDQ, unsigned activations, signed weights with a scale a channel."""
    with tempfile.TemporaryDirectory() as directory:
        source, target = f"{directory}/model.onnx", f"{directory}/int8.onnx"
        onnx.save(model, source)
        quantize_static(
            source, target, _Once(feed), QuantFormat.QDQ, activation_type=QuantType.QUInt8, per_channel=True
        )
        return onnx.load(target)


def interpreter_against_reference(name: str) -> Pair:
    """The reference interpreter against onnx.reference, on the network as imported."""
    model = ZOO[name]()
    x, network, peer = sample(model), api.load(model), ReferenceEvaluator(model)
    return compare(lambda: network.run(x), lambda: peer.run(None, {model.graph.input[0].name: x}), rounds=3)


def table(title: str, *headers: str) -> Table:
    """An empty table."""
    out = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for i, h in enumerate(headers):
        out.add_column(h, justify="right" if i else "left", no_wrap=True)
    return out


def main() -> None:
    """Entry point."""
    p = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    p.add_argument("--large", action="store_true", help=f"also {', '.join(LARGE)}")
    names = SMALL + (LARGE if p.parse_args().large else ())
    console = Console()
    t = table("C against onnxruntime, one thread", "network", "C us", "onnxruntime us", "ratio", "difference")
    for name in names:
        pair, difference = c_against_onnxruntime(name)
        t.add_row(name, f"{pair.a * 1e6:,.1f}", f"{pair.b * 1e6:,.1f}", f"{pair.ratio:.2f}", f"{difference:.1e}")
    console.print(t)
    t = table("int8 C", "network", "C us", "float C us", "ratio", "onnxruntime int8 us", "ratio")
    for name in SMALL:
        real, peer = int8_c_against_float_and_onnxruntime(name)
        us = [f"{s * 1e6:,.1f}" for s in (real.a, real.b, peer.b)]
        t.add_row(name, us[0], us[1], f"{real.ratio:.2f}", us[2], f"{peer.ratio:.2f}")
    console.print(t)
    t = table("interpreter against onnx.reference", "network", "dnnc ms", "onnx.reference ms", "ratio")
    for name in SMALL:
        pair = interpreter_against_reference(name)
        t.add_row(name, f"{pair.a * 1e3:,.2f}", f"{pair.b * 1e3:,.2f}", f"{pair.ratio:.2f}")
    console.print(t)


if __name__ == "__main__":
    main()

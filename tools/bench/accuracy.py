"""`python -m tools.bench.accuracy`: what quantization costs in accuracy, label-free, beside plain rounding.

Networks of digits are calibrated with images of the first 7000 and tested on the last 3000; drops are points of accuracy below the
float network, below 0 where the integers happen to be better. Plain rounding is `quantize-weights{scale=largest}`. Without
arguments only the LeNet-5 of tests/models is measured, on its own digits.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import onnx

from dnnc import api, pipelines
from dnnc.ir.interpret import main_function
from dnnc.ir.types import shape_of

TRAINED, SEEN = 7000, 1000  # images a network of digits was trained on, and those of them that calibrate it
COMMITTED = Path(__file__).parents[2] / "tests" / "models"
WAYS = {
    "rounded": "quantize-weights{{bits={} scale=largest}}",
    "least error": "quantize-weights{{bits={}}}",
    "GPTQ": "gptq{{bits={}}}",
    "GPTQ+BC": "gptq{{bits={}}},correct-bias",
    "AdaRound+BC": "adaround{{bits={}}},correct-bias",
}
SCHEMES: dict[str, tuple[str, str | None]] = {
    **{
        f"int8 {m}": (f"calibrate{{method={m}}},int8", None)
        for m in ("min-max", "percentile", "mse", "entropy", "aciq")
    },
    "int8 per tensor": ("calibrate,quantize{per-tensor},quantize-lower", None),
    "int8 equalized": ("equalize,calibrate,int8", None),
    "int8 dynamic": ("dynamic", "dynamic"),
    "int8 data-free": ("int8", "data-free"),
    "int8 data-free:0..1": ("int8", "data-free:0..1"),
    "int8 data-free, W8 BC": ("equalize,quantize-weights{bits=8},correct-bias,int8", "data-free"),
    **{f"W{bits} {how}": (passes.format(bits), None) for bits in (4, 3, 2) for how, passes in WAYS.items()},
    "W4 GPTQ+BC, int8": ("gptq{bits=4},correct-bias,calibrate,int8", None),
    "W3 GPTQ+BC, int8": ("gptq{bits=3},correct-bias,calibrate,int8", None),
}
MLPERF = [name for name in SCHEMES if "int8" in name and "W3" not in name]


@dataclass(frozen=True)
class Task:
    """A float network, samples without labels to calibrate it with, and labelled ones to test it."""

    name: str
    network: api.Network
    seen: np.ndarray
    x: np.ndarray
    labels: np.ndarray

    def scores(self, network: api.Network) -> np.ndarray:
        """Scores of every test sample, [N, classes]."""
        outputs = [network.run(x)[0] for x in self.x]
        return np.concatenate([o.reshape(-1, o.shape[-1]) for o in outputs])

    def right(self, network: api.Network) -> int:
        """How many test samples have their best score at the label."""
        return int((self.scores(network).argmax(1) == self.labels).sum())

    def quantized(self, passes: str, samples: str | None = None) -> api.Network:
        """The network after some passes, calibrated with the samples seen, or without any."""
        network = self.network.clone()
        pipelines.run_passes(network, api.Pipeline(f"simplify,{passes}"), self.seen if samples is None else samples)
        return network


def loaded(path: Path) -> api.Network:
    """A network with open dimensions bound to 1."""
    graph = onnx.load(path, load_external_data=False).graph
    dims = {d.dim_param for i in graph.input for d in i.type.tensor_type.shape.dim if d.dim_param}
    return api.load(path, dict.fromkeys(dims, 1))


def batched(network: api.Network, x: np.ndarray) -> np.ndarray:
    """Samples [N, ...] as [N / batch, batch, ...] in the layout of the network's input."""
    shape = shape_of(main_function(network.module).body.block.args[0].type)
    one, x = shape[1:], x.astype(np.float32)
    if x.shape[1:] != one and x.ndim == len(one) + 1 == 4 and (x.shape[3], *x.shape[1:3]) == one:
        x = x.transpose(0, 3, 1, 2)
    return x[: len(x) // shape[0] * shape[0]].reshape(-1, *shape)


def digits(path: Path, networks: Sequence[Path]) -> Iterator[Task]:
    """Networks trained on the first digits of a file."""
    with np.load(path) as file:
        x, y = file["x"].astype(np.float32)[:, None] / 255, file["y"]
    for one in networks:
        network = loaded(one)
        test = batched(network, x[TRAINED:])
        yield Task(one.stem, network, batched(network, x[:SEEN]), test, y[TRAINED : TRAINED + test[..., 0, 0, 0].size])


def committed() -> Task:
    """The LeNet-5 of the tests."""
    network = loaded(COMMITTED / "lenet5.onnx")
    with np.load(COMMITTED / "digits_test.npz") as test, np.load(COMMITTED / "digits_calibration.npz") as seen:
        return Task("lenet5 (tests)", network, batched(network, seen["x"]), batched(network, test["x"]), test["labels"])


def mlperf(models: Path, data: Path) -> Iterator[Task]:
    """MLPerf Tiny's float networks: image classification on 100 images of CIFAR-10, keywords and persons on ten samples."""
    for name, seen, test in (
        ("ic_resnet8", "mlperf_ic10", "cifar10_eran100"),
        ("kws_dscnn", "mlperf_kws10", "mlperf_kws10"),
        ("vww_mobilenet", "mlperf_vww10", "mlperf_vww10"),
    ):
        network = loaded(models / f"mlperf_{name}_fp32" / "model.onnx")
        with np.load(data / f"{seen}.npz") as calibration, np.load(data / f"{test}.npz") as file:
            yield Task(name, network, batched(network, calibration["x"]), batched(network, file["x"]), file["y"])


def drops(tasks: Sequence[Task]) -> Iterator[list[str]]:
    """Points of accuracy each scheme costs each network of digits, row by row."""
    yield ["drop in points of accuracy", *(t.name for t in tasks)]
    floats = [t.right(t.network) for t in tasks]
    yield ["float, %", *(f"{100 * right / len(t.labels):.2f}" for right, t in zip(floats, tasks))]
    for name, (passes, samples) in SCHEMES.items():
        lost = [right - t.right(t.quantized(passes, samples)) for right, t in zip(floats, tasks)]
        yield [name, *(f"{100 * n / len(t.labels):.2f}" for n, t in zip(lost, tasks))]


def counts(tasks: Sequence[Task]) -> Iterator[list[str]]:
    """Right answers of MLPerf Tiny's networks, and how many of theirs are those of float, row by row."""
    yield ["right / as in float", *(f"{t.name} of {len(t.labels)}" for t in tasks)]
    best = [t.scores(t.network).argmax(1) for t in tasks]
    yield ["float", *(str(int((b == t.labels).sum())) for b, t in zip(best, tasks))]
    for name in MLPERF:
        passes, samples = SCHEMES[name]
        found = [t.scores(t.quantized(passes, samples)).argmax(1) for t in tasks]
        yield [name, *(f"{(f == t.labels).sum()} / {(f == b).sum()}" for f, b, t in zip(found, best, tasks))]


def show(rows: Iterator[list[str]]) -> None:
    """Print rows as they come: some take minutes."""
    for first, *cells in rows:
        print(f"{first:30}", *(f"{c:>20}" for c in cells), flush=True)
    print()


def main() -> None:
    """Entry point."""
    p = argparse.ArgumentParser(prog="python -m tools.bench.accuracy", description=__doc__)
    p.add_argument("--digits", type=Path, help=".npz with x [N, 28, 28] of bytes and y [N]")
    p.add_argument(
        "--networks", type=Path, nargs="*", default=[], help="float networks trained on the first 7000 digits"
    )
    p.add_argument("--models", type=Path, help="folder with mlperf_*_fp32/model.onnx")
    p.add_argument("--data", type=Path, help="folder with mlperf_*10.npz and cifar10_eran100.npz")
    args = p.parse_args()
    show(drops([committed(), *(digits(args.digits, args.networks) if args.digits else ())]))
    if args.models and args.data:
        show(counts(list(mlperf(args.models, args.data))))


if __name__ == "__main__":
    main()

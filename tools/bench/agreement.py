"""`python -m tools.bench.agreement MODELS`: whether every executor gives the same bits, on networks from a folder and of the zoo.

A folder of MODELS has `model.onnx` and `input_*.npy`. Networks that come quantized run as they are; those of the zoo and of
docs/examples are made int8 on samples of normal numbers. The interpreter's outputs are compared with those of compiled C and
of the simulator, on each target and for each way the queues interleave. `-` is a refusal, told by name below the table.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console

from dnnc import api, given
from dnnc.backends.npu.target import Executable, assemble
from dnnc.differences import differing
from dnnc.ir.diagnostics import DnncError
from dnnc.ir.interpret import main_function
from dnnc.ir.stages import ISLAND
from dnnc.ir.types import shape_of
from dnnc.passes.analysis.integer_forms import comes_quantized
from dnnc.zoo import ZOO

TARGETS = ("edge", "eyeriss", "tiny", "u55-128")
SEEDS = (1, 2, 3)
LARGE = ("alexnet", "vgg16", "googlenet", "resnet50", "overfeat_fast")
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
LIBRARIES = ("layers",)

Sample = Sequence[np.ndarray]


@dataclass(frozen=True)
class Case:
    """A network to compare, its samples, and whether these calibrate it first."""

    name: str
    network: api.Network
    samples: Sequence[Sample]
    quantized: bool

    @property
    def calibration(self) -> list[np.ndarray] | None:
        """The samples as arrays, one an input; none for a network that comes quantized."""
        return None if self.quantized else [np.concatenate(x) for x in zip(*self.samples)]


@dataclass
class Row:
    """What was found of a network: differing elements by executor, None where it is refused, and the refusals."""

    case: Case
    elements: int = 0
    floats: bool = False
    differing: dict[str, int | None] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)

    def cells(self) -> list[str]:
        """The row of the table."""
        return [self.case.name, f"{self.elements:,}", *(_cell(n) for n in self.differing.values())]


def _cell(n: int | None) -> str:
    return "-" if n is None else f"{n:,}"


def of_folder(models: Path) -> Iterator[Case]:
    """The networks of a folder that come quantized, with the inputs beside them."""
    for path in sorted(models.glob("*/model.onnx")):
        try:
            case = stored(path)
        except DnncError:
            continue
        if case.quantized:
            yield case


def stored(path: Path) -> Case:
    """A model with its stored inputs, which also say its open dimensions."""
    inputs = [np.load(p) for p in sorted(path.parent.glob("input_[0-9].npy"))]
    arrays = {f"{i}": x for i, x in enumerate(inputs)}
    network = api.load(path, given.sizes(str(path), arrays, {}))
    return Case(path.parent.name, network, [inputs], comes_quantized(network.module))


def of_zoo(large: bool) -> Iterator[Case]:
    """The zoo and the examples, with two samples of normal numbers each."""
    for name, build in ZOO.items():
        if large or name not in LARGE:
            yield drawn(name, api.load(build(0)))
    for path in sorted(EXAMPLES.glob("*.dnn")):
        if path.stem not in LIBRARIES and (large or path.stem not in LARGE):
            yield drawn(f"{path.stem}.dnn", api.load(path))


def drawn(name: str, network: api.Network) -> Case:
    """A network with seeded samples."""
    rng = np.random.default_rng(0)
    shapes = [shape_of(a.type) for a in main_function(network.module).body.block.args]
    samples = [[rng.normal(0, 1, s).astype(np.float32) for s in shapes] for _ in range(2)]
    return Case(name, network, samples, comes_quantized(network.module))


def compare(case: Case, targets: Sequence[str] = TARGETS, seeds: Sequence[int] = SEEDS) -> Row:
    """Every executor against the interpreter."""
    row = Row(case)
    _try(row, "c", lambda: _c(case, row))
    graph: list[api.Network] = []
    for target in targets:
        _try(row, target, lambda target=target: _npu(case, graph, target, seeds))
    return row


def _try(row: Row, name: str, run: Callable[[], int]) -> None:
    row.differing[name] = None
    try:
        row.differing[name] = run()
    except DnncError as e:
        row.refusals[name] = str(e)


def _c(case: Case, row: Row) -> int:
    program = api.compile(case.network, emit="c", calibrate=case.calibration)
    network = program.network
    row.floats = any(ISLAND in op.attributes for op in network.module.walk())
    wrong = 0
    for sample in case.samples:
        want = network.run(*sample)
        row.elements += sum(a.size for a in want)
        wrong += _wrong(want, program.run(*sample))
    return wrong


def _npu(case: Case, made: list[api.Network], target: str, seeds: Sequence[int]) -> int:
    if not made:
        made.append(api.compile(case.network, emit="ir", pipeline="int8", calibrate=case.calibration).network)
    (graph,) = made
    tiled = api.compile(graph, target, "ir", "tile,plan-memory").network
    file = Executable(assemble(tiled.module, tiled.ctx), api.load_target(target))
    runs = [(seed, sample) for seed in seeds for sample in case.samples]
    return sum(_wrong(graph.run(*sample), file.run(sample, seed)[0]) for seed, sample in runs)


def _wrong(want: Sequence[np.ndarray], got: Sequence[np.ndarray]) -> int:
    found = [differing(a, b) for a, b in zip(want, got, strict=True)]
    return sum(a.size if n is None else n for a, n in zip(want, found))


def main() -> None:
    """Entry point."""
    p = argparse.ArgumentParser(prog="python -m tools.bench.agreement", description=__doc__)
    p.add_argument("models", nargs="?", type=Path, help="folder of folders with model.onnx and input_*.npy")
    p.add_argument("--large", action="store_true", help=f"also {', '.join(LARGE)}")
    p.add_argument("--only", default="", help="networks with this in their name")
    args = p.parse_args()
    console = Console(soft_wrap=True)
    console.print(f"{'network':34} {'elements':>9} {'C':>7} " + " ".join(f"{t:>7}" for t in TARGETS))
    rows = []
    for source in ([of_folder(args.models)] if args.models else []) + [of_zoo(args.large)]:
        for case in source:
            if args.only in case.name:
                rows.append(row := compare(case))
                name, *cells = row.cells()
                console.print(
                    f"{name + ('*' if row.floats else ''):34} {cells[0]:>9} " + " ".join(f"{c:>7}" for c in cells[1:])
                )
    console.print("\n* ends in floats")
    for row in rows:
        for executor, text in row.refusals.items():
            console.print(f"{row.case.name} on {executor}: {text}")


if __name__ == "__main__":
    main()

"""`python -m tools.bench.agreement MODELS`: whether every executor gives the same bits, on networks from a folder and of the zoo.

A folder of MODELS has `model.onnx` and `input_*.npy`. Networks that come quantized run as they are, inputs of whole numbers in
the range of these; recurrent ones are made int8 on their inputs, those of the zoo, of docs/examples and recurrent layers of every
kind and direction on samples of normal numbers. The interpreter's outputs
are compared with those of compiled C and of the simulator, on each target and for each way the queues interleave. `-` is a
refusal, told by name below the table.
A second table compares the integers of the folder's networks with another engine (`tools.bench.oracle`).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dnnc import api
from dnnc.backends.npu.target import Executable, assemble
from dnnc.differences import differing
from dnnc.ir.diagnostics import DnncError
from dnnc.ir.dnn.recurrent import ScanOp
from dnnc.ir.interpret import main_function
from dnnc.ir.types import shape_of
from dnnc.passes.analysis.integer_forms import comes_quantized
from dnnc.zoo import ZOO
from tools.bench import recurrent
from tools.bench.oracle import Sample, Stored, against

TARGETS = ("edge", "eyeriss", "tiny", "u55-128")
SEEDS = (1, 2, 3)
LARGE = ("alexnet", "vgg16", "googlenet", "resnet50", "overfeat_fast")
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
LIBRARIES = ("layers",)

Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Case:
    """A network to compare, and its samples, which calibrate what has no types of its own."""

    name: str
    network: api.Network
    samples: Sequence[Sample]

    @property
    def calibration(self) -> list[np.ndarray]:
        """The samples as arrays, one an input."""
        return [np.stack(x) for x in zip(*self.samples)]


@dataclass
class Row:
    """What was found of a network: differing elements by executor, None where it is refused, and the refusals."""

    case: Case
    elements: int = 0
    differing: dict[str, int | None] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    close: set[str] = field(default_factory=set)

    def cells(self) -> list[str]:
        """Differing elements as the table has them: `-` where refused, `~` where all are floats equal to 6 digits."""
        return [self._cell(e, n) for e, n in self.differing.items()]

    def _cell(self, executor: str, n: int | None) -> str:
        return "-" if n is None else f"~{n:,}" if n and executor in self.close else f"{n:,}"


def of_folder(models: Path, data: Path | None) -> list[Stored]:
    """The networks of a folder that are read, with the inputs beside them and those of files of samples."""
    more = sorted(data.glob("*.npz")) if data else []
    found = []
    for path in sorted(models.glob("*/model.onnx")):
        stored = Stored(path, more)
        try:
            if stored.network and stored.samples[0]:
                found.append(stored)
        except DnncError:
            continue
    return found


def of_zoo(large: bool) -> Iterator[Case]:
    """The zoo and the examples, with two samples of normal numbers each."""
    for name, build in ZOO.items():
        if large or name not in LARGE:
            yield drawn(name, api.load(build(0)))
    for path in sorted(EXAMPLES.glob("*.dnn")):
        if path.stem not in LIBRARIES and (large or path.stem not in LARGE):
            yield drawn(f"{path.stem}.dnn", api.load(path))


def of_recurrent() -> Iterator[Case]:
    """Recurrent layers of every kind and direction."""
    for name, model in recurrent.networks():
        yield drawn(name, api.load(model))


def loops(network: api.Network) -> bool:
    """Whether a network is recurrent."""
    return any(isinstance(op, ScanOp) for op in network.module.walk())


def drawn(name: str, network: api.Network) -> Case:
    """A network with seeded samples."""
    rng = np.random.default_rng(0)
    shapes = [shape_of(a.type) for a in main_function(network.module).body.block.args]
    samples = [[rng.normal(0, 1, s).astype(np.float32) for s in shapes] for _ in range(2)]
    return Case(name, network, samples)


def compare(case: Case, targets: Sequence[str] = TARGETS, seeds: Sequence[int] = SEEDS) -> Row:
    """Every executor against the interpreter."""
    row = Row(case)
    _try(row, "c", lambda: _c(case))
    graph: list[api.Network] = []
    for target in targets:
        _try(row, target, lambda target=target: _npu(case, graph, target, seeds))
    return row


def _try(row: Row, name: str, run: Callable[[], Iterator[Pair]]) -> None:
    row.differing[name] = None
    try:
        pairs = list(run())
    except DnncError as e:
        row.refusals[name] = str(e)
        return
    row.elements = max(row.elements, sum(want.size for want, _ in pairs))
    row.differing[name] = sum(want.size if n is None else n for (want, _), n in ((p, differing(*p)) for p in pairs))
    if all(want.dtype.kind == "f" and np.allclose(got, want, rtol=1e-6, atol=1e-6) for want, got in pairs):
        row.close.add(name)


def _c(case: Case) -> Iterator[Pair]:
    program = api.compile(case.network, emit="c", calibrate=case.calibration)
    for sample in case.samples:
        yield from zip(program.network.run(*sample), program.run(*sample), strict=True)


def _npu(case: Case, made: list[api.Network], target: str, seeds: Sequence[int]) -> Iterator[Pair]:
    if not made:
        made.append(api.compile(case.network, emit="ir", pipeline="int8", calibrate=case.calibration).network)
    (graph,) = made
    tiled = api.compile(graph, target, "ir", "tile,plan-memory").network
    file = Executable(assemble(tiled.module, tiled.ctx), api.load_target(target))
    for sample in case.samples:
        want = graph.run(*sample)
        for seed in seeds:
            yield from zip(want, file.run(sample, seed)[0], strict=True)


def main() -> None:
    """Entry point."""
    p = argparse.ArgumentParser(prog="python -m tools.bench.agreement", description=__doc__)
    p.add_argument("models", nargs="?", type=Path, help="folder of folders with model.onnx and input_*.npy")
    p.add_argument("--data", type=Path, help="folder of .npz with samples x for the models whose name begins as theirs")
    p.add_argument("--real", action="store_true", help="also the folder's float networks, int8 on their own inputs")
    p.add_argument("--large", action="store_true", help=f"also {', '.join(LARGE)}")
    p.add_argument("--only", default="", help="networks with this in their name")
    args = p.parse_args()
    found = [s for s in (of_folder(args.models, args.data) if args.models else []) if args.only in s.name]
    stored = [s for s in found if comes_quantized(s.network.module)]
    taken = found if args.real else [s for s in found if s in stored or loops(s.network)]
    cases = [Case(s.name, s.network, s.samples) for s in taken]
    cases += [c for c in (*of_recurrent(), *of_zoo(args.large)) if args.only in c.name]
    print_executors(cases)
    print_references(stored)


def print_executors(cases: Iterable[Case]) -> None:
    """The table of executors against the interpreter, and every refusal once."""
    print(f"{'differing elements':30} {'outputs':>9} {'C':>9} " + " ".join(f"{t:>9}" for t in TARGETS))
    refused: dict[str, list[str]] = {}
    for case in cases:
        row = compare(case)
        print(f"{row.case.name:30} {row.elements:>9,} " + " ".join(f"{c:>9}" for c in row.cells()), flush=True)
        for executor, text in row.refusals.items():
            refused.setdefault(f"{case.name}: {text}", []).append(executor)
    for text, executors in refused.items():
        print(f"refused on {', '.join(executors)}: {text}")


HEADS = ("network", "reference", "samples", "outputs differing", "most", "same class", "inside", "differing", "no tie")


def print_references(stored: Iterable[Stored]) -> None:
    """The table of integers against another engine: final outputs, and every layer fed with that engine's values."""
    widths = (30, 13, 7, 18, 6, 10, 11, 9, 6)
    print("\n" + " ".join(f"{h:{'<' if i < 2 else '>'}{w}}" for i, (h, w) in enumerate(zip(HEADS, widths))))
    for one in stored:
        cells = against(one).cells()
        print(" ".join(f"{c:{'<' if i < 2 else '>'}{w}}" for i, (c, w) in enumerate(zip(cells, widths))), flush=True)


if __name__ == "__main__":
    main()

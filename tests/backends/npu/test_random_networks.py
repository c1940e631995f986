"""Random networks on random targets with random options: interpreter, C and simulator agree in bits, schedule and run in counts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dnnc import api
from dnnc.backends.npu import listing
from dnnc.backends.npu.executed import by_layer, executed
from dnnc.backends.npu.verify import verify
from dnnc.ir.diagnostics import DnncError, InternalError
from dnnc.passes.analysis.traffic import Traffic, traffic_by_layer
from tests.random_nets import random_network, random_options, random_target

pytestmark = pytest.mark.filterwarnings("ignore::dnnc.ir.diagnostics.Remark", "ignore:block-convolution")


@dataclass
class Case:
    """A network with its inputs, a target and the passes before and after integers."""

    network: api.Network
    inputs: list[np.ndarray]
    samples: list[np.ndarray] | None
    target: str
    integers: str
    npu: str

    def compile(self, emit: str) -> api.Program:
        """The int8 network, or its C or program."""
        return api.compile(
            self.network, self.target, emit, self.npu if emit == "npu" else self.integers, calibrate=self.samples
        )


def drawn(seed: int, folder: Path) -> Case:
    """The case of a seed."""
    text, shapes, quantizers, rng = random_network(seed)
    (folder / "net.dnn").write_text(text)
    (folder / "random.toml").write_text(random_target(seed))
    draw = [[rng.normal(0, 1.2, s).astype(np.float32) for s in shapes] for _ in range(4)]
    samples = None if quantizers else [np.stack(x) for x in zip(*draw[1:])]
    passes = random_options(seed, quantizers)
    return Case(api.load(folder / "net.dnn"), draw[0], samples, str(folder / "random.toml"), *passes)


def equal(got: list[np.ndarray], wanted: list[np.ndarray]) -> bool:
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(got, wanted, strict=True))


def check(case: Case) -> bool:
    """Hold everything that is promised of a case; False where it is refused in words."""
    arch = api.load_target(case.target)
    try:
        wanted = case.compile("ir").run(*case.inputs)
        program = case.compile("npu")
    except InternalError:
        raise
    except DnncError as e:
        assert e.findings
        return False
    assert program.npu is not None
    arch = api.load_target(case.target)
    assert verify(program.npu, arch) == []
    assert equal(program.run(*case.inputs, check=True), wanted)
    outputs, run = program.executable().run(case.inputs)
    assert equal(outputs, wanted)
    for seed in (1, 2):
        assert equal(program.executable().run(case.inputs, seed)[0], wanted)
    layers = executed(program.npu, arch)
    assert layers == by_layer(program.npu, run) and sum(e.cycles for e in layers) == run.cycles
    moved = {e.layer: Traffic(e.dram_read, e.dram_write) for e in layers if e.dram_read + e.dram_write}
    assert moved == {
        k: t.traffic for k, t in traffic_by_layer(program.network.module).items() if t.traffic != Traffic()
    }
    assert min(line.recomputed or 0 for line in program.schedule_report().rows) >= 0
    again = listing.program(listing.listing(program.npu), arch, program.npu)
    assert again.to_bytes() == program.npu.to_bytes()
    return True


QUICK = (2, 12, 16, 18)
"""Seeds that are compiled and run in half a second each."""


@pytest.mark.parametrize(
    "seed", [*QUICK, *(pytest.param(s, marks=pytest.mark.full) for s in range(80) if s not in QUICK)]
)
def test_bits_and_counts(seed, tmp_path):
    assert check(drawn(seed, tmp_path)) or seed not in QUICK


@pytest.mark.full
@pytest.mark.parametrize("seed", range(80, 120))
def test_bits_of_c(seed, tmp_path):
    case = drawn(seed, tmp_path)
    try:
        wanted = case.compile("ir").run(*case.inputs)
        c = case.compile("c")
    except DnncError as e:
        assert {f.code[:3] for f in e.findings} <= {"E07", "E09"}
        return
    for a, b in zip(c.run(*case.inputs), wanted, strict=True):
        np.testing.assert_allclose(
            a, b, rtol=1e-6, atol=1e-6
        )  # a softmax in float rounds otherwise; integers have steps of 1e-2

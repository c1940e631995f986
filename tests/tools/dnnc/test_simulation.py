"""`dnnc run` on the simulator: other orders, timing alone, samples in parallel, stops, memories in files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnnc import api, cli
from dnnc.backends.npu import program as container
from dnnc.backends.npu import trace as traces
from dnnc.ir.diagnostics import DnncError

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module")
def here(lenet_in: Callable[[str], Path]) -> Path:
    """A network, its program, and three digits."""
    return lenet_in("simulation")


@pytest.fixture
def said(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs a line in the folder; what it prints as JSON."""
    monkeypatch.chdir(here)

    def run(line: str) -> dict[str, Any]:
        assert cli.run([*f"run {line}".split(), "--json"]) == 0, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def refused(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs a line in the folder; what it says in its error."""
    monkeypatch.chdir(here)

    def run(line: str) -> str:
        assert cli.run(f"run {line}".split()) != 0
        return capsys.readouterr().err

    return run


def test_every_store_of_all_samples_is_checked(said):
    plain = said("lenet5.onnx -i digits.npz --on npu --calibrate digits.npz")
    checked = said("lenet5.onnx -i digits.npz --on npu --calibrate digits.npz --check")
    stores = checked.pop("checked")
    assert checked == plain and stores and stores % 3 == 0


@pytest.fixture(scope="module")
def carrying(here: Path) -> Path:
    """The program with its network in it."""
    line = ["compile", str(here / "lenet5.onnx"), "--calibrate", str(here / "digits.npz"), "--with-network", "-o"]
    assert cli.run([*line, str(here / "whole.npu")]) == 0
    return here / "whole.npu"


def test_a_program_that_carries_its_network_is_checked_alone(said, carrying: Path):
    plain, checked = said("lenet5.npu -i digits.npz"), said("whole.npu -i digits.npz --check")
    stores = checked.pop("checked")
    assert checked == plain and stores and stores % 3 == 0


@pytest.mark.full
def test_processes_check_as_one_does(said, carrying: Path, here: Path):
    one, two = (said(f"whole.npu -i digits.npz --check --traces {n} --jobs {n}") for n in (1, 2))
    assert one.pop("traces") == "1" and two.pop("traces") == "2" and one == two
    assert (
        said("lenet5.onnx -i digits.npz --on npu --calibrate digits.npz --check --jobs 2")["checked"] == one["checked"]
    )
    names = sorted(p.name for p in (here / "1").iterdir())
    assert all((here / "1" / n).read_bytes() == (here / "2" / n).read_bytes() for n in names)


@pytest.mark.full
def test_processes_tell_the_first_wrong_tile(refused, carrying: Path, here: Path):
    program = container.load(carrying)
    parameters = bytearray(program.parameters)
    parameters[2] ^= 64
    replace(program, parameters=bytes(parameters)).save(here / "wrong.npu")
    one, two = (refused(f"wrong.npu -i digits.npz --check --jobs {n}") for n in (1, 2))
    assert one == two and "sample 0, instruction" in one and "was expected at [0, 0] of 'ip1'" in one and "E0833" in one


def test_a_program_without_its_network_says_what_to_give(refused):
    said = refused("lenet5.npu -i digits.npz --check")
    assert (
        said.startswith("dnnc: error: lenet5.npu: expected a program that carries the network")
        and "--with-network" in said
    )


def test_a_seed_gives_the_same_results_in_another_order(said, here: Path):
    plain = said("lenet5.npu -i digits.npz -o a.npz --trace a.trace")
    seeded = said("lenet5.npu -i digits.npz -o b.npz --trace b.trace --seed 5")
    assert plain["outputs"] == seeded["outputs"]
    with np.load(here / "a.npz") as a, np.load(here / "b.npz") as b:
        np.testing.assert_array_equal(a["ip2"], b["ip2"])
    a, b = (traces.load(here / f"{n}.trace") for n in "ab")
    assert sorted(a["index"]) == sorted(b["index"]) and list(a["index"]) != list(b["index"])


def test_timing_needs_no_inputs_and_is_that_of_the_run(said, here: Path):
    timed = said("lenet5.npu --timing-only --trace timed.trace")
    said("lenet5.npu -i digits.npz --trace run.trace")
    full, alone = traces.load(here / "run.trace"), traces.load(here / "timed.trace")
    assert timed["samples"] == 0 and timed["cycles"] == full.cycles == sum(layer["cycles"] for layer in timed["layers"])
    assert sum(layer["macs"] for layer in timed["layers"]) == int(full["macs"].sum())
    dram = sum(layer["dram_read"] + layer["dram_write"] for layer in timed["layers"])
    assert dram == int(full["bytes"].sum())
    for name in ("index", "start", "end", "stall"):
        np.testing.assert_array_equal(full[name], alone[name])
    of_network = said("lenet5.onnx --on npu --calibrate digits.npz --timing-only")
    assert of_network["layers"] == timed["layers"]


@pytest.mark.full
def test_processes_give_what_one_gives(said, here: Path):
    one = said("lenet5.npu -i digits.npz -o one.npz --traces one")
    two = said("lenet5.npu -i digits.npz -o two.npz --traces two --jobs 2")
    assert one["outputs"] == two["outputs"] and one["correct"] == two["correct"]
    assert (here / "one.npz").read_bytes() == (here / "two.npz").read_bytes()
    names = sorted(p.name for p in (here / "one").iterdir())
    assert names == ["0.trace", "1.trace", "2.trace"]
    assert all((here / "one" / n).read_bytes() == (here / "two" / n).read_bytes() for n in names)


def test_a_run_stops_at_a_layer_and_memory_is_written(said, here: Path):
    found = said(
        "lenet5.npu -i digits.npz --until layer=conv2 --dump scratchpad=chip.npy --dump arena=arena.bin --dump data=x.npy"
    )
    assert found["stopped"]["layer"] == "conv2" and found["outputs"] == []
    assert [d["bytes"] for d in found["dumps"]] == [262144, (here / "arena.bin").stat().st_size, 28 * 28]
    chip = np.load(here / "chip.npy")
    assert chip.dtype == np.uint8 and chip.any()
    assert np.load(here / "x.npy").shape == (1, 1, 28, 28)
    by_index = said(f"lenet5.npu -i digits.npz --until instruction={found['stopped']['instruction']}")
    assert by_index["stopped"] == found["stopped"]
    late = said("lenet5.npu -i digits.npz --until cycle=5000")["stopped"]
    assert late["start"] >= 5000


def test_what_is_stored_at_the_end_is_the_output(said, here: Path):
    found = said("lenet5.npu -i digits.npz --dump ip2=end.npy")
    program = api.compile(here / "lenet5.onnx", calibrate=here / "digits.npz")
    with np.load(here / "digits.npz") as d:
        sim = program.simulator(d["x"][:1])
        scores = program.run(d["x"][:1])[0]
    sim.finish()
    np.testing.assert_array_equal(np.load(here / "end.npy"), sim.read(sim.program.symbols[-1]))
    assert found["outputs"][0]["max"] == scores.max()


def test_stepping_from_python(here: Path):
    program = api.compile(here / "lenet5.onnx", calibrate=here / "digits.npz")
    with np.load(here / "digits.npz") as d:
        x = d["x"][:1]
    sim = program.simulator(x)
    first = sim.step()
    assert first is not None and first.start == 0
    event = sim.advance(layer="conv2")
    assert event is not None and "tag conv2" in sim.describe(event.index)
    assert sim.memory("input") is not None and sim.memory("scratchpad").base is sim.memory("input").base
    outputs, run = program.executable().finish(sim)
    np.testing.assert_array_equal(outputs[0], program.run(x)[0])
    assert run.cycles == program.trace().cycles
    with pytest.raises(DnncError, match="E0834"):
        sim.memory("scratchpat")
    with pytest.raises(DnncError, match="E0828"):
        program.simulator(timing_only=True).memory("scratchpad")


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        ("lenet5.onnx", ["E0108"]),
        ("lenet5.onnx -i digits.npz --seed 0 --check --timing-only", ["E0108"] * 4),
        ("lenet5.npu -i digits.npz --check", ["E0108"]),
        ("lenet5.npu --timing-only --dump arena=a.bin", ["E0108"]),
        ("lenet5.npu --timing-only -o y.npz", ["E0108"]),
        ("lenet5.npu -i digits.npz --until layer=conv2 --dump arena=a.bin -o y.npz", ["E0108"] * 2),
        ("lenet5.npu -i digits.npz --until layer=conv3", ["E0835"]),
        ("lenet5.npu -i digits.npz --until instruction=100000", ["E0835"]),
        ("lenet5.npu -i digits.npz --dump chip=a.bin", ["E0834"]),
    ],
)
def test_what_does_not_go_together_is_refused(line: str, codes: list[str], refused):
    assert [part[:5] for part in refused(line).split("[")[1:] if part.startswith("E0")] == codes


@pytest.mark.parametrize("place", ["conv1", "cycle=soon", "tile=3", "layer="])
def test_a_place_is_a_layer_an_instruction_or_a_cycle(place: str, capsys: pytest.CaptureFixture[str]):
    assert cli.run(["run", "lenet5.npu", "--until", place]) == 2
    assert f"expected layer=NAME, instruction=N or cycle=N, not '{place}'" in capsys.readouterr().err


def test_a_part_of_the_critical_path(said, capsys: pytest.CaptureFixture[str]):
    """Of a slice it is what the slice takes of the whole run's path."""
    said("lenet5.npu -i digits.npz --trace path.trace")

    def path(*options: str) -> list[dict[str, Any]]:
        assert cli.run(["trace", "path.trace", "path", "--json", *options]) == 0
        return json.loads(capsys.readouterr().out)

    whole = path()
    assert path("--layer", "conv2") == [row for row in whole if row["layer"] == "conv2"]
    assert sum(r["mm"] for r in path("--engine", "mm")) == sum(r["mm"] for r in whole)

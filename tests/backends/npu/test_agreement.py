"""Every store is compared with the interpreter's tensors, and a planted fault is found in the tile where it shows first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dnnc import api
from dnnc.backends.npu.agreement import WrongTile
from dnnc.backends.npu.encoding import HEADER_BITS, decode, set_field
from dnnc.backends.npu.isa import BY_NAME
from dnnc.backends.npu.program import Program, load
from dnnc.backends.npu.target import Executable
from dnnc.carried import carried
from dnnc.checked import Comparison
from dnnc.ir.diagnostics import DnncError
from dnnc.ir.dnn.structure import GroupOp
from dnnc.ir.fixed import RECORD
from dnnc.ir.sched import BufferOp
from dnnc.passes.schedule.units import is_stack

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module")
def digit() -> np.ndarray:
    with np.load(MODELS / "digits_test.npz") as d:
        return d["x"][:1]


@pytest.fixture(scope="module")
def lenet(digit: np.ndarray) -> api.Program:
    """Every layer's result stored."""
    return api.compile(MODELS / "lenet5.onnx", calibrate=digit, pipeline="npu{room=0}")


@pytest.fixture(scope="module")
def kept(digit: np.ndarray) -> api.Program:
    """Every result but the last on chip."""
    return api.compile(MODELS / "lenet5.onnx", calibrate=digit)


@contextmanager
def planted(program: api.Program, change: Callable[[Program], Program]) -> Iterator[api.Program]:
    """A program with a fault in it."""
    assert program.npu is not None
    yield replace(program, npu=change(program.npu))


def offset(program: api.Program, label: str) -> int:
    """Where a constant lies in its region."""
    buffers = (op for op in program.network.module.walk() if isinstance(op, BufferOp) and op.label.data == label)
    found = next(buffers).offset
    assert found is not None
    return found.data


def flipped(data: bytes, at: int, bits: int) -> bytes:
    changed = bytearray(data)
    changed[at] ^= bits
    return bytes(changed)


def moved(program: Program, store: int, by: int) -> Program:
    """A store of a program that goes some bytes further."""
    text, st = program.text.copy(), decode(program.text)["st"]
    at = st.index[store : store + 1]
    field, low = BY_NAME["st"].layout["offset"]
    word = text[at]
    set_field(word, "st", field, HEADER_BITS + low, st["offset"][store] + by)
    text[at] = word
    return replace(program, text=text)


def wrong(program: api.Program, change: Callable[[Program], Program], digit: np.ndarray) -> str:
    with planted(program, change) as faulty, pytest.raises(WrongTile) as caught:
        faulty.run(digit, check=True)
    return str(caught.value)


def test_every_store_of_a_right_program_agrees(lenet: api.Program, digit: np.ndarray):
    assert lenet.npu is not None
    found = Comparison(lenet).run([digit])
    assert found.stores == len(decode(lenet.npu.text)["st"].index)
    np.testing.assert_array_equal(found.outputs[0], lenet.run(digit)[0])


def test_planted_faults_are_named_by_tile_and_element(lenet: api.Program, digit: np.ndarray, golden):
    def weight(p: Program) -> Program:
        return replace(p, weights=flipped(p.weights, weights_of(lenet, (50, 20, 5, 5)) + 26 * 500 + 7, 64))

    def multiplier(p: Program) -> Program:
        record = RECORD.itemsize * 3 + RECORD.fields["multiplier"][1] + 3  # pyright: ignore[reportOptionalSubscript]
        return replace(p, parameters=flipped(p.parameters, offset(lenet, "conv1.post") + record, 32))

    faults: dict[str, Callable[[Program], Program]] = {
        "a bit of a weight": weight,
        "a bit of a multiplier": multiplier,
        "a store one byte further": lambda p: moved(p, 2, 1),
        "a store beyond its tensor": lambda p: moved(p, 4, 1000),
        "a bit of a bias of the last layer": lambda p: replace(
            p, parameters=flipped(p.parameters, offset(lenet, "ip2.post") + 2, 64)
        ),
    }
    golden.check("faults.txt", "".join(f"{name}\n  {wrong(lenet, f, digit)}\n" for name, f in faults.items()))


def test_a_fault_in_what_stays_on_chip_is_found_where_it_is_made(kept: api.Program, digit: np.ndarray, golden):
    assert kept.npu is not None and len(decode(kept.npu.text)["st"].index) == 1
    assert Comparison(kept).run([digit]).stores == 1

    def bias(p: Program) -> Program:
        return replace(p, parameters=flipped(p.parameters, offset(kept, "conv2.post") + 2, 64))

    golden.check("on-chip.txt", wrong(kept, bias, digit) + "\n")


def weights_of(program: api.Program, shape: tuple[int, ...]) -> int:
    """Where the weights of a shape lie."""
    for op in program.network.module.walk():
        if isinstance(op, BufferOp) and op.space.data == "weights" and op.result.type.get_shape() == shape:  # pyright: ignore
            return offset(program, op.label.data)
    raise AssertionError(shape)


def test_a_seed_finds_the_same_tile_or_another_of_the_layer(lenet: api.Program, digit: np.ndarray):
    def bias(p: Program) -> Program:
        return replace(p, parameters=flipped(p.parameters, offset(lenet, "conv1.post") + 2, 64))

    with planted(lenet, bias) as faulty:
        for seed in range(3):
            with pytest.raises(WrongTile, match=r"tag conv1 tile .* at \[0, 0, "):
                faulty.run(digit, check=True, seed=seed)


BRANCHES = """
input x: f32[1, 3, 9, 9]
a = conv(x, he(f32[4, 3, 3, 3]), pad=[1, 1, 1, 1])
b = relu(conv(a, he(f32[4, 4, 1, 1])))
c = relu(conv(a, he(f32[6, 4, 3, 3]), pad=[1, 1, 1, 1]))
j = concat(b, c, axis=1)
p = pad(j, before=[0, 0, 1, 1], after=[0, 0, 1, 1])
t = transpose(p, perm=[0, 1, 3, 2])
r = relu(conv(t, he(f32[4, 10, 3, 3])))
s = softmax(reshape(conv(r, he(f32[5, 4, 9, 9])), shape=[1, 5]), axis=1)
y = matmul(s, he(f32[5, 3]))
output y
"""


@pytest.mark.parametrize("target", ["edge", "tiny", "tpu-v1", "eyeriss"])
def test_fills_parts_and_moves_agree(target: str, tmp_path: Path):
    """Parts of a concatenation, what padding fills, packed copies and views are what the interpreter has."""
    path = tmp_path / "branches.dnn"
    path.write_text(BRANCHES)
    x = np.random.default_rng(0).normal(size=(2, 3, 9, 9)).astype(np.float32)
    program = api.compile(path, target, calibrate=x)
    for sample in x:
        program.run(sample[None], check=True)


HEADS = """
input x: f32[1, 3, 8, 8]
a = relu(conv(x, he(f32[4, 3, 3, 3])))
p = conv(a, he(f32[6, 4, 1, 1]))
q = conv(a, he(f32[6, 4, 1, 1]))
r = conv(a, he(f32[6, 4, 1, 1]))
s = reshape(transpose(p, perm=[0, 2, 3, 1]), shape=[1, 108, 2])
t = reshape(transpose(q, perm=[0, 2, 3, 1]), shape=[1, 108, 2])
u = reshape(transpose(r, perm=[0, 2, 3, 1]), shape=[1, 108, 2])
y = concat(s, t, u, axis=1)
output y, p, q, r
"""


def test_copies_that_follow_each_other_at_one_place_are_told_apart(tmp_path: Path):
    """Heads of a detector: each is brought into row-major order where the one before was, and moved into the whole."""
    path = tmp_path / "heads.dnn"
    path.write_text(HEADS)
    x = np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32)
    program = api.compile(path, calibrate=x)
    packed = {
        op.label.data: op.offset
        for op in program.network.module.walk()
        if isinstance(op, BufferOp) and ".packed" in op.label.data
    }
    assert len(packed) == 3 and len({at.data for at in packed.values() if at}) == 1
    program.run(x, check=True)


@pytest.mark.parametrize("target", ["edge", "u55-128"])
def test_a_file_that_carries_its_network_is_checked_like_the_network(target: str, tmp_path: Path):
    """Weights stand in a region as they are, or coded; what is wrong is told in the same words."""
    path, file = tmp_path / "branches.dnn", tmp_path / "branches.npu"
    path.write_text(BRANCHES)
    x = np.random.default_rng(0).normal(size=(1, 3, 9, 9)).astype(np.float32)
    program = api.compile(path, target, calibrate=x)
    program.save(file, with_network=True)
    alone = carried(Executable(load(file), api.load_target(target)), "file")
    assert program.npu is not None and Comparison(alone).run([x]).stores == Comparison(program).run([x]).stores
    parameters = flipped(program.npu.parameters, 2, 64)
    said = []
    for one in (replace(program, npu=replace(program.npu, parameters=parameters)), alone):
        if one is alone:
            one = replace(alone, file=Executable(replace(load(file), parameters=parameters), api.load_target(target)))
        with pytest.raises(WrongTile) as caught:
            Comparison(one).run([x])
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_a_damaged_network_is_refused(lenet: api.Program):
    program = lenet.carrying()
    assert len(program.constants) < len(program.weights) // 10  # biases and scales; weights stand in their region
    for text, code in (
        ('{"name": "x"}', "E0812"),
        ("[", "E0812"),
        (program.network.replace("dnn.conv", "dnn.cove"), "E0402"),
    ):
        with pytest.raises(DnncError, match=code):
            carried(Executable(replace(program, network=text)), "x.npu")


STACK = """
input x: f32[1, 8, 64, 64]
a = relu(conv(x, he(f32[16, 8, 3, 3]), pad=[1, 1, 1, 1]))
b = relu(conv(a, he(f32[8, 16, 3, 3]), pad=[1, 1, 1, 1]))
output b
"""


def test_layers_that_run_depth_first_agree(tmp_path: Path):
    """What never leaves the chip is not stored; the output of the stack is."""
    path = tmp_path / "stack.dnn"
    path.write_text(STACK)
    x = np.random.default_rng(0).normal(size=(1, 8, 64, 64)).astype(np.float32)
    program = api.compile(path, pipeline="npu{fuse-layers.slower=5}", calibrate=x)
    assert program.graph is not None and program.npu is not None
    assert any(isinstance(op, GroupOp) and is_stack(op) for op in program.graph.module.walk())
    assert Comparison(program).run([x]).stores == len(decode(program.npu.text)["st"].index)
    bad = replace(program.npu, parameters=flipped(program.npu.parameters, 2, 64))
    with pytest.raises(WrongTile, match=r"of 'b\.conv'"):
        replace(program, npu=bad).run(x, check=True)


def test_a_schedule_has_nothing_to_compare_with(lenet: api.Program, digit: np.ndarray):
    with pytest.raises(DnncError, match="E0108"):
        replace(lenet, graph=None).run(digit, check=True)
    with pytest.raises(DnncError, match="E0108"):
        api.compile(MODELS / "lenet5.onnx", emit="ir").run(digit, check=True)

"""Files changed at random (seeded): every command ends with a message and an exit code, never with a fault of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest

from dnnc import cli

EACH = 15  # changes of each kind of file
NET = """input x: f32[1, 1, 6, 6]
y = relu(conv(x, he(f32[2, 1, 3, 3]), pad=1))
p = max_pool(y, kernel=2, stride=2)
z = softmax(matmul(reshape(p, shape=[1, 18]), he(f32[18, 3])), axis=-1)
output z
"""
EDGE = (Path(__file__).parents[3] / "backends" / "npu" / "targets" / "edge.toml").read_text("utf-8")
MODEL = """<ir_version: 8, opset_import: ["" : 20]>
net (float[1,1,6,6] x, float[2,1,3,3] w) => (float[1,72] y)
{ a = Conv<pads=[1,1,1,1]>(x, w) b = Relu(a) y = Flatten(b) }"""

# The file that is changed, and the command that reads it.
READ = {
    "net.onnx": "check net.onnx",
    "net.dnn": "check net.dnn",
    "mine.toml": "report net.dnn -t mine.toml",
    "net.mlir": "run net.mlir -i in.npz",
    "net.safetensors": "run net.mlir -i in.npz",
    "in.npz": "run net.dnn -i in.npz",
    "net.npu": "run net.npu -i in.npz",
    "net.trace": "trace net.trace layers",
}


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """The bytes after one change: an end cut off, bytes set, a part left out, given twice, or moved elsewhere."""
    a, b = sorted(rng.integers(0, len(data) + 1, 2))
    b = min(b, a + 40)
    place = int(rng.integers(0, len(data)))
    changes = (
        lambda: data[:place],
        lambda: data[:place] + bytes(rng.integers(0, 256, int(rng.integers(1, 5)), np.uint8)) + data[place + 1 :],
        lambda: data[:a] + data[b:],
        lambda: data[:b] + data[a:],
        lambda: data[:place] + data[a:b] + data[place:],
        lambda: data[:place] + bytes([data[place] ^ (1 << int(rng.integers(0, 8)))]) + data[place + 1 :],
        lambda: (
            data[:place] + bytes(rng.choice(list(b"0123456789-.,:()[]{}\"'= \n\0"), 2).tolist()) + data[place + 1 :]
        ),
    )
    return changes[int(rng.integers(0, len(changes)))]()


def ended(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and output of a command run in this process."""
    code = cli.run(arguments)
    out, err = capsys.readouterr()
    return code, out + err


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a whole file of every kind."""
    here = tmp_path_factory.mktemp("made")
    net, samples = str(here / "net.dnn"), str(here / "in.npz")
    (here / "net.dnn").write_text(NET)
    (here / "mine.toml").write_text(EDGE)
    onnx.save(onnx.parser.parse_model(MODEL), here / "net.onnx")
    np.savez(samples, x=np.ones((2, 1, 6, 6), np.float32))
    for line in (
        ["compile", net, "--emit", "ir", "-o", str(here / "net.mlir")],
        ["compile", net, "--calibrate", samples, "-o", str(here / "net.npu")],
        ["run", str(here / "net.npu"), "-i", samples, "--trace", str(here / "net.trace")],
    ):
        assert cli.run(line) == 0
    return here


@pytest.mark.parametrize("name", READ)
def test_a_changed_file_never_makes_a_fault(name: str, made: Path, tmp_path, monkeypatch, capsys):
    whole = {p.name: p.read_bytes() for p in made.iterdir()}
    rng = np.random.default_rng([ord(c) for c in name])
    monkeypatch.setenv("NO_COLOR", "1")
    for i in range(EACH):
        here = tmp_path / str(i)
        here.mkdir()
        monkeypatch.chdir(here)
        for other, data in whole.items():
            (here / other).write_bytes(data)
        changed = damaged(whole[name], rng)
        file = f"mine{i}.toml" if name == "mine.toml" else name  # targets are kept by their path
        (here / file).write_bytes(changed)
        code, said = ended(READ[name].replace(name, file).split(), capsys)
        assert code in (0, 1, 2, 3), f"change {i}: exit code {code}\n{said}\n{changed[:2000]!r}"
        assert "Traceback" not in said, f"change {i}: {said}"

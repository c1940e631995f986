"""`python -m dnnc.zoo`."""

import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from dnnc.zoo import PUBLISHED, ZOO
from dnnc.zoo.__main__ import main


def test_writes_a_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "net.onnx"
    assert main(["lenet5", "-o", str(out), "--seed", "5"]) == 0
    assert onnx.load(out) == ZOO["lenet5"](seed=5)
    assert "lenet5, 1,72" in capsys.readouterr().out


def test_writes_shapes_only(tmp_path: Path):
    out = tmp_path / "net.onnx"
    assert main(["vgg16", "-o", str(out), "--shapes-only"]) == 0
    assert onnx.load(out) == ZOO["vgg16"](shapes_only=True)
    assert out.stat().st_size < 20_000


def test_list(capsys: pytest.CaptureFixture[str]):
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(PUBLISHED)
    assert "431,080" in lines[1] and "2,293,000" in lines[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lenet6", "-o", "x.onnx"], "lenet6"),
        (["lenet5"], "NAME and -o FILE.onnx are expected, or --list"),
        ([], "NAME and -o FILE.onnx are expected, or --list"),
        (["lenet5", "-o", "x.onnx", "--seed", "-1"], "--seed: a number of at least 0 is expected, not -1"),
        (["lenet5", "-o", "nowhere/x.onnx"], "nowhere/x.onnx: the folder nowhere does not exist"),
    ],
)
def test_wrong_use(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as exit:
        main(arguments)
    assert exit.value.code == 2
    assert message in capsys.readouterr().err


def test_import_is_cheap():
    heavy = "import dnnc.zoo, sys; print([m for m in ('torch', 'sklearn', 'onnxruntime') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

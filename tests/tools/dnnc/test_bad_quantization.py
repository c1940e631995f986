"""Networks that cannot become integers: each refused by the command, with what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dnnc

NETWORKS = {
    "overflow": "input x: f32[1, 70000] {range=[0, 1]}\ny = matmul(x, ones(f32[70000, 2])) {range=[0, 70000]}\noutput y\n",
    "no range": "input x: f32[1, 4]\ny = matmul(x, he(f32[4, 8]))\noutput y\n",
    "one range missing": (
        "input x: f32[1, 4] {range=[-1, 1]}\na = matmul(x, he(f32[4, 8]))\n"
        "y = matmul(a, he(f32[8, 2])) {range=[-2, 2]}\noutput y\n"
    ),
    "no integer form": (
        "input x: f32[1, 4] {range=[-1, 1]}\na = matmul(x, he(f32[4, 8])) {range=[-2, 2]}\n"
        "b = cum_sum(a, axis=1) {range=[-2, 2]}\ny = matmul(b, he(f32[8, 2])) {range=[-2, 2]}\noutput y\n"
    ),
    "unequal types": (
        "input x: f32[1, 4, 6, 6] {range=[-1, 1]}\na = conv(x, he(f32[4, 4, 3, 3])) {range=[-2, 2]}\n"
        "b = conv(x, he(f32[2, 4, 3, 3])) {range=[-1, 6]}\ny = concat(a, b, axis=1) {range=[-2, 6]}\noutput y\n"
    ),
}
COMMANDS = {
    "no range": "dnnc-opt net.dnn -p simplify,quantize",
    "unequal types": "dnnc compile net.dnn -p simplify,quantize{unify=false},quantize-lower,fuse-groups --emit ir",
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network(name: str, refused):
    refused(name, COMMANDS.get(name, "dnnc compile net.dnn"), {"net.dnn": NETWORKS[name]})


@pytest.mark.parametrize("ranges", [("[-2, 2]", "[-2, 2]"), ("[0, 6]", "[0, 6]")])
def test_equal_types_are_joined_either_way(ranges: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With one range for what is joined, `unify` changes no bit."""
    monkeypatch.chdir(tmp_path)
    text = NETWORKS["unequal types"].replace("[-2, 2]", ranges[0]).replace("[-1, 6]", ranges[1])
    Path("net.dnn").write_text(text)
    x = np.random.default_rng(0).uniform(-1, 1, (1, 4, 6, 6)).astype(np.float32)
    ways = ("quantize", "quantize{unify=false}")
    outputs = [dnnc.compile("net.dnn", emit="ir", pipeline=f"simplify,{w},quantize-lower").run(x)[0] for w in ways]
    np.testing.assert_array_equal(*outputs)

"""The tensor of each layer is read from the simulator before its bytes are used again."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dnnc import api
from dnnc.backends.npu.probe import Probe
from dnnc.backends.npu.target import Executable
from dnnc.ir.diagnostics import where
from dnnc.ir.dnn.structure import GroupOp
from dnnc.ir.interpret import evaluate
from dnnc.ir.weights import store_of

MODELS = Path(__file__).parents[2] / "models"


def test_each_layer_is_what_the_interpreter_computes():
    with np.load(MODELS / "digits_test.npz") as d:
        x = d["x"][:1]
    program = api.compile(MODELS / "lenet5.onnx", calibrate=x)
    assert program.graph is not None and program.npu is not None
    groups: list[np.ndarray] = []
    graph = program.graph
    evaluate(graph.module, [x], store_of(graph.ctx), lambda op, r: groups.extend(r if isinstance(op, GroupOp) else ()))
    seen: dict[str, np.ndarray] = {}
    watch = Probe(program.network.module, lambda node, y: seen.update({node: y}))
    Executable(program.npu, api.load_target("edge")).run([x], watch=watch)
    nodes = [where(op.location, "") for op in graph.module.walk() if isinstance(op, GroupOp)]
    assert list(seen) == nodes and len(nodes) == 4
    assert all(map(np.array_equal, seen.values(), groups))

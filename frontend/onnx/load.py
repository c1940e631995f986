"""Read a model file, or say in one sentence why it is none."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import GraphProto, NodeProto

from dnnc.frontend.onnx import wire
from dnnc.frontend.onnx.graph import Versions
from dnnc.frontend.onnx.upgrade import NEWEST
from dnnc.ir.diagnostics import DnncError, Finding, UnsupportedError

LOOKS = {
    b"version https://git-lfs": "a pointer to a file kept elsewhere. Fetch the file itself: git lfs pull.",
    b"<": "a page of HTML or XML. Download the file itself.",
    b"PK\x03\x04": "a zip archive. Unpack it; what torch.save wrote is exported with torch.onnx.export.",
    b"\x89HDF": "an HDF5 file. Export the Keras model with tf2onnx.",
}


def model(source: str | os.PathLike[str] | onnx.ModelProto) -> onnx.ModelProto:
    """The model at a path (its external data left where it is), or the model given."""
    if isinstance(source, onnx.ModelProto):
        proto, where = source, "model"
    else:
        proto, where = _read(Path(source)), str(source)
    if not proto.HasField("graph") or not (proto.graph.node or proto.graph.output):
        raise DnncError(Finding(where, "expected an ONNX model, not one without a graph. Export it again.", "E0202"))
    if not all(isinstance(text, str) for text in _texts(proto)):  # protobuf gives bytes for what is no UTF-8
        raise DnncError(
            Finding(where, "expected names in UTF-8, not other bytes. The file is damaged; export it again.", "E0201")
        )
    return proto


def _texts(proto: onnx.ModelProto) -> Iterator[str]:
    """Every name in a model."""
    for entry in proto.opset_import:
        yield entry.domain
    for f in proto.functions:
        yield from (f.name, f.domain, f.overload, *f.input, *f.output, *f.attribute)
        yield from (entry.domain for entry in f.opset_import)
        yield from _node_texts(f.node)
    yield from _graph_texts(proto.graph)


def _graph_texts(graph: GraphProto) -> Iterator[str]:
    for t in graph.initializer:
        yield t.name
        yield from (text for e in t.external_data for text in (e.key, e.value))
    yield from (t.values.name for t in graph.sparse_initializer)
    for v in (*graph.input, *graph.output, *graph.value_info):
        yield v.name
        yield from (d.dim_param for d in v.type.tensor_type.shape.dim)
    yield from _node_texts(graph.node)


def _node_texts(nodes: Iterable[NodeProto]) -> Iterator[str]:
    for n in nodes:
        yield from (n.name, n.op_type, n.domain, n.overload, *n.input, *n.output)
        for a in n.attribute:
            yield from (a.name, a.ref_attr_name)
            for g in (*((a.g,) if a.HasField("g") else ()), *a.graphs):
                yield from _graph_texts(g)


def _read(path: Path) -> onnx.ModelProto:
    try:
        return wire.read_model(path)
    except OSError as e:
        reason = (e.strerror or str(e)).lower()
        raise DnncError(
            Finding(
                str(path),
                f"expected a readable ONNX file, not '{reason}'. Check the path and its permissions.",
                "E0103",
            )
        ) from e
    except (wire.Damaged, DecodeError) as e:
        raise DnncError(Finding(str(path), f"expected an ONNX model, not {_mistaken(path)}", "E0201")) from e


def _mistaken(path: Path) -> str:
    """What a file that is no model looks like, and what to do."""
    with path.open("rb") as f:
        start = f.read(64)
    if not start:
        return "an empty file. Export it again."
    looks = (what for sign, what in LOOKS.items() if start.startswith(sign))
    text = "text. Give the file an exporter wrote." if start.isascii() and b"\0" not in start else None
    return next(looks, text) or "a file that is damaged or of another format. Export it again."


def check_versions(proto: onnx.ModelProto, versions: Versions) -> None:
    """Verify the stamps: IR version 3 or later needs an opset; none may be newer than what dnnc was written for."""
    if "" not in versions and proto.ir_version >= 3 and any(n.domain in ("", "ai.onnx") for n in proto.graph.node):
        raise DnncError(Finding("model", "expected an opset version, not none. Export the model again.", "E0203"))
    if versions.get("", 0) > NEWEST:
        got = f"opset {versions['']}"
        raise UnsupportedError(
            Finding("model", f"expected opset 1 to {NEWEST}, not {got}. Export with --opset {NEWEST}.", "E0204")
        )

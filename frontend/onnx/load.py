"""Read a model file, or say in one sentence why it is none."""

from __future__ import annotations

import os
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from dnnc.frontend.onnx import wire
from dnnc.frontend.onnx.graph import Versions
from dnnc.frontend.onnx.upgrade import NEWEST
from dnnc.ir.diagnostics import DnncError, Finding, UnsupportedError


def model(source: str | os.PathLike[str] | onnx.ModelProto) -> onnx.ModelProto:
    """The model at a path (its external data left where it is), or the model given."""
    if isinstance(source, onnx.ModelProto):
        proto, where = source, "model"
    else:
        proto, where = _read(Path(source)), str(source)
    if not proto.HasField("graph") or not (proto.graph.node or proto.graph.output):
        raise DnncError(Finding(where, "expected an ONNX model, not one without a graph. Export it again."))
    return proto


def _read(path: Path) -> onnx.ModelProto:
    try:
        return wire.read_model(path)
    except OSError as e:
        reason = (e.strerror or str(e)).lower()
        raise DnncError(Finding(str(path), f"expected a readable ONNX file, not '{reason}'.")) from e
    except (wire.Damaged, DecodeError) as e:
        message = "expected an ONNX model, not a file that is damaged or of another format. Export it again."
        raise DnncError(Finding(str(path), message)) from e


def check_versions(proto: onnx.ModelProto, versions: Versions) -> None:
    """Verify the stamps: IR version 3 or later needs an opset; none may be newer than what dnnc was written for."""
    if "" not in versions and proto.ir_version >= 3 and any(n.domain in ("", "ai.onnx") for n in proto.graph.node):
        raise DnncError(Finding("model", "expected an opset version, not none. Export the model again."))
    if versions.get("", 0) > NEWEST:
        got = f"opset {versions['']}"
        raise UnsupportedError(
            Finding("model", f"expected opset 1 to {NEWEST}, not {got}. Export with --opset {NEWEST}.")
        )

"""ONNX models become `dnn` programs."""

from dnnc.frontend.onnx.importer import import_onnx

__all__ = ["import_onnx"]

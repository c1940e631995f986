"""The .dnn language: networks as a small text."""

from dnnc.frontend.dsl.lower import parse_dnn, read_dnn
from dnnc.frontend.dsl.printer import dnn_text, save_dnn

__all__ = ["dnn_text", "parse_dnn", "read_dnn", "save_dnn"]

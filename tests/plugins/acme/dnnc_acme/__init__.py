"""What Acme adds to dnnc: operations, the ONNX operators of com.acme, passes and an accelerator."""

from pathlib import Path

ACME_ONE = Path(__file__).parent / "acme-one.toml"

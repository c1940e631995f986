from collections.abc import Callable

import pytest

from dnnc.backends.report import Report, report
from dnnc.ir import arch, text
from dnnc.ir.arch import Accelerator
from dnnc.ir.context import make_context

TINY = {
    "name": "toy",
    "description": "4 x 8 array for hand-computed figures",
    "clock_mhz": 100,
    "array": {
        "rows": 4,
        "columns": 8,
        "depthwise_lanes": 2,
        "dataflow": "weight-stationary",
        "data_type": "i8",
        "accumulator_type": "i32",
    },
    "memory": {
        name: {
            "bytes": size,
            "holds": holds,
            "read_bytes_per_cycle": 8,
            "write_bytes_per_cycle": 8,
            "byte_pj": 1.0,
        }
        for name, size, holds in (
            ("pad", 200, ["input", "weight", "output"]),
            ("sums", 56, ["accumulator", "parameter"]),
        )
    },
    "dma": {"channels": 2, "setup_cycles": 0, "burst_bytes": 1, "bytes_per_cycle": 2, "decoders": ["dense"]},
    "ppu": {"lanes": 4, "setup_cycles": 0},
    "queues": {"entries": 4, "token_depth": 1, "dispatch_cycles": 1},
    "dram": {"bytes": 4096},
    "energy": {"source": "none", "mac_pj": 1.0, "dram_byte_pj": 1.0},
}


@pytest.fixture(scope="session")
def toy() -> Accelerator:
    """32 MACs (8 depthwise) and 4 DRAM bytes a cycle, 256 bytes on chip, 100 MHz."""
    return arch.from_mapping(TINY, "toy")


@pytest.fixture
def reported() -> Callable[..., Report]:
    """The report of a function's body: `reported("%x: tensor<4xf32>", body, "%y: tensor<4xf32>")`."""

    def make(arguments: str, body: str, results: str, target: Accelerator | None = None, name: str = "net") -> Report:
        values, types = zip(*(r.split(": ") for r in results.split("; ")))
        source = (
            f"func.func @main({arguments}) -> ({', '.join(types)}) {{\n{body}\n"
            f"func.return {', '.join(values)} : {', '.join(types)}\n}}"
        )
        ctx = make_context()
        return report(text.parse(ctx, source), ctx, target, name)

    return make

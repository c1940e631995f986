"""The main job on a trained network: LeNet-5 to the interpreter, to C and to the simulator, with accuracy and cost.

Run from the project's root: `python -m dnnc.demo`. Each step is a `dnnc` command, printed before it runs.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

import numpy as np

from dnnc import cli


def steps(models: Path, out: Path) -> list[str]:
    """The commands of the demo."""
    model, digits, samples = models / "lenet5.onnx", models / "digits_test.npz", models / "digits_calibration.npz"
    return [
        f"dnnc run {model} -i {digits}",
        f"dnnc run {model} -i {digits} --on c",
        f"dnnc compile {model} --emit c -o {out}/lenet5.c",
        f"dnnc compile {model} --calibrate {samples} -o {out}/lenet5.npu",
        f"dnnc run {out}/lenet5.npu -i {digits} -o {out}/simulator.npz --trace {out}/lenet5.trace",
        f"dnnc compile {model} --emit ir -p int8 --calibrate {samples} -o {out}/lenet5.int8.mlir",
        f"dnnc run {out}/lenet5.int8.mlir -i {digits} -o {out}/interpreter.npz",
        f"dnnc report {out}/lenet5.int8.mlir -t edge",
        f"dnnc trace {out}/lenet5.trace layers",
    ]


def same_bits(out: Path) -> str:
    """Compare the int8 outputs of simulator and interpreter; SystemExit when a bit differs."""
    with np.load(out / "simulator.npz") as a, np.load(out / "interpreter.npz") as b:
        pairs = [(a[x], b[y]) for x, y in zip(a.files, b.files, strict=True)]
    if not all(x.tobytes() == y.tobytes() and x.shape == y.shape for x, y in pairs):
        sys.exit("simulator and interpreter differ: this is a fault of dnnc")
    return f"simulator = interpreter, bit for bit, on {sum(x.size for x, _ in pairs):,} outputs"


def main() -> None:
    """Entry point."""
    p = argparse.ArgumentParser(prog="python -m dnnc.demo", description=__doc__)
    p.add_argument("--models", type=Path, default=Path("tests/models"), help="folder of lenet5.onnx and its digits")
    p.add_argument("-o", "--output", type=Path, default=Path("build/demo"), help="folder for what is written")
    args = p.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    for command in steps(args.models, args.output):
        print(f"\n$ {command}", flush=True)
        code = cli.run(shlex.split(command)[1:])
        if code:
            sys.exit(code)
    print(f"\n{same_bits(args.output)}")
    files = sorted(f for f in args.output.iterdir() if f.is_file())
    print("files: " + ", ".join(f"{f} ({f.stat().st_size:,} bytes)" for f in files))


if __name__ == "__main__":
    main()

"""`python -m dnnc.zoo NAME -o FILE.onnx [--seed N] [--shapes-only]`, `python -m dnnc.zoo --list`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dnnc.zoo import PUBLISHED, ZOO


def main(arguments: Sequence[str] | None = None) -> int:
    """Write one network of the zoo as ONNX, or list them; the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.list:
        print(_listing())
    elif options.name is None or options.output is None:
        parser.error("NAME and -o FILE.onnx are expected, or --list")
    else:
        return _write(parser, options.name, options.output, options.seed, options.shapes_only)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dnnc.zoo", description="Write an example network as ONNX.")
    parser.add_argument("name", nargs="?", choices=ZOO, metavar="NAME", help="a network of --list")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.onnx", help="the file to write")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the weights (default 0)")
    parser.add_argument("--shapes-only", action="store_true", help="weights as ConstantOfShape: a file of a few KB")
    parser.add_argument("--list", action="store_true", help="list the networks with their published counts")
    return parser


def _write(parser: argparse.ArgumentParser, name: str, output: Path, seed: int, shapes_only: bool) -> int:
    if seed < 0:
        parser.error(f"--seed: a number of at least 0 is expected, not {seed}")
    if not output.parent.is_dir():
        parser.error(f"{output}: the folder {output.parent} does not exist. Make it first")
    model = ZOO[name](seed=seed, shapes_only=shapes_only)
    output.write_bytes(model.SerializeToString())
    print(f"{output}: {name}, {output.stat().st_size:,} bytes")
    return 0


def _listing() -> str:
    width = max(map(len, ZOO))
    lines = [f"{'network':<{width}} {'weights':>12} {'MACs':>15}  convention"]
    lines += [f"{n:<{width}} {p.weights:>12,} {p.macs:>15,}  {p.convention}" for n, p in PUBLISHED.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

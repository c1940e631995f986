"""The reference semantics: run a `dnn` program with numpy, one operation after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from threadpoolctl import threadpool_limits
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, StringAttr
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Operation, SSAValue

from dnnc.ir.diagnostics import DnncError, Finding, UnsupportedError, where
from dnnc.ir.dnn.base import DnnOp
from dnnc.ir.dnn.recurrent import ScanOp
from dnnc.ir.dnn.structure import ConstOp, GroupOp, YieldOp
from dnnc.ir.types import dtype, shape_of, tensor_text
from dnnc.ir.weights import WeightStore

Observer = Callable[[DnnOp, Sequence[np.ndarray]], None]


def main_function(module: ModuleOp) -> FuncOp:
    """The function `main` of a module, the program's entry."""
    for op in module.body.block.ops:
        if isinstance(op, FuncOp) and op.sym_name.data == "main":
            return op
    raise DnncError(Finding("module", "expected a function @main, found none.", "E0449"))


def input_names(function: FuncOp) -> list[str]:
    """Names of a function's inputs, in order; `input0` ... where they have none."""
    return _port_names(function.arg_attrs, "input", len(function.function_type.inputs.data))


def output_names(function: FuncOp) -> list[str]:
    """Names of a function's outputs, in order; `output0` ... where they have none."""
    return _port_names(function.res_attrs, "output", len(function.function_type.outputs.data))


def _port_names(attributes: ArrayAttr[DictionaryAttr] | None, kind: str, count: int) -> list[str]:
    given = [a.data.get("dnn.name") for a in attributes.data] if attributes is not None else [None] * count
    return [n.data if isinstance(n, StringAttr) else f"{kind}{i}" for i, n in enumerate(given)]


def evaluate(
    module: ModuleOp, inputs: Sequence[np.ndarray], store: WeightStore, observer: Observer | None = None
) -> list[np.ndarray]:
    """Outputs of @main on the inputs; `observer` sees every operation with its results, also inside groups."""
    function = main_function(module)
    block = function.body.block
    check_inputs(block, inputs)
    # One BLAS thread: the same sums on any machine, and no spinning against other processes over small products.
    with threadpool_limits(1, "blas"):
        return run_block(block, inputs, store, observer)


def check_inputs(block: Block, inputs: Sequence[np.ndarray]) -> None:
    """Verify number, shapes and types of the inputs; all problems at once."""
    if len(inputs) != len(block.args):
        raise DnncError(Finding("inputs", f"expected {len(block.args)} arrays, not {len(inputs)}.", "E0121"))
    findings = []
    for i, (arg, x) in enumerate(zip(block.args, inputs)):
        want = dtype(arg.type.element_type)  # pyright: ignore[reportAttributeAccessIssue]
        if x.shape != shape_of(arg.type) or x.dtype != want:
            got = f"{'x'.join(map(str, x.shape)) or 'scalar'} {x.dtype}"
            findings.append(Finding(f"input {i}", f"expected {tensor_text(arg.type)} ({want}), not {got}.", "E0121"))
    if findings:
        raise DnncError(findings)


def run_block(
    block: Block, inputs: Sequence[np.ndarray], store: WeightStore, observer: Observer | None = None
) -> list[np.ndarray]:
    """Run a block's operations in order; a value is dropped after its last use."""
    values: dict[SSAValue, np.ndarray] = dict(zip(block.args, map(in_rows, inputs)))
    dying = last_uses(block)
    for op in block.ops:
        if isinstance(op, (ReturnOp, YieldOp)):
            return [values[v] for v in op.operands]
        results = run_op(op, [values[v] for v in op.operands], store, observer)
        values.update(zip(op.results, results))
        for v in dying.get(op, ()):
            del values[v]
    raise DnncError(Finding("module", "expected a block that ends in a return, not an open one.", "E0412"))


def in_rows(x: np.ndarray) -> np.ndarray:
    """Real numbers in row-major order: how numpy rounds exponentials and sums depends on the layout."""
    return np.asarray(x, order="C") if x.dtype.kind == "f" else x


def run_op(
    op: Operation, operands: Sequence[np.ndarray], store: WeightStore, observer: Observer | None = None
) -> list[np.ndarray]:
    """Results of one operation."""
    if not isinstance(op, DnnOp):
        place = where(op.location, op.name)
        raise UnsupportedError(Finding(place, f"expected an operation of the dnn dialect, not '{op.name}'.", "E0451"))
    if isinstance(op, ConstOp):
        return [op.array(store)]
    if isinstance(op, GroupOp):
        results = run_block(op.body.block, operands, store, observer)
    elif isinstance(op, ScanOp):
        results = op.loop(operands, lambda values: run_block(op.body.block, values, store, observer))
    else:
        try:
            results = [in_rows(r) for r in op.run(operands)]
        except IndexError as e:  # an index among the data, of a gather or scatter, that its operand does not have
            raise DnncError(
                Finding(where(op.location, op.name), f"expected indices inside the operand: {e}.", "E0452")
            ) from e
    if observer is not None:
        observer(op, results)
    return results


def last_uses(block: Block) -> dict[Operation, list[SSAValue]]:
    """For each operation the values nobody needs after it."""
    last: dict[SSAValue, Operation] = {}
    for op in block.ops:
        last.update((r, op) for r in op.results)
        last.update((v, op) for v in op.operands)
    dying: dict[Operation, list[SSAValue]] = {}
    for v, op in last.items():
        dying.setdefault(op, []).append(v)
    return dying

"""The programs of the `.mlir` files beside this one mean the same before and after their pass."""

from pathlib import Path

import numpy as np
import pytest

from dnnc.ir.context import make_context
from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.rewriting import apply_laws
from dnnc.ir.text import parse
from dnnc.ir.types import QuantType, dtype, integer_range, shape_of
from dnnc.ir.weights import store_of
from dnnc.passes import PASSES, canonicalize, decompose, fold_batch_norm

HERE = Path(__file__).parent
EXACT = ("canonicalize", "cse", "dce", "fold-constants", "fuse-groups")
ROUNDED = ("decompose", "fold-batch-norm", "compose-norms")
SPECIAL = (np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-40)


def chunks(name: str) -> list[str]:
    return (HERE / f"{name}.mlir").read_text().split("// -----")


def cases(names: tuple[str, ...]) -> list[tuple[str, int]]:
    return [(name, i) for name in names for i in range(len(chunks(name)))]


def random_array(type_, rng: np.random.Generator, special: bool = False) -> np.ndarray:
    element, shape = type_.element_type, shape_of(type_)
    kind = dtype(element)
    if np.issubdtype(kind, np.integer):
        low, high = integer_range(element.storage) if isinstance(element, QuantType) else (-50, 50)
        return rng.integers(low, high, shape, endpoint=True).astype(kind)
    x = rng.normal(size=shape).astype(kind)
    if special and x.size:
        x.reshape(-1)[: len(SPECIAL)] = SPECIAL[: x.size]
    return x


def program_of(text: str):
    """Module, context and inputs; keys the text refers to hold random values."""
    ctx = make_context()
    module = parse(ctx, text)
    rng = np.random.default_rng(7)
    for op in module.walk():
        if isinstance(op, ConstOp) and op.key is not None and op.key.data not in store_of(ctx):
            assert store_of(ctx).add(op.key.data, random_array(op.result.type, rng)) == op.key.data
    types = [a.type for a in main_function(module).body.block.args]
    plain = [[random_array(t, rng) for t in types] for _ in range(2)]
    return module, ctx, [*plain, [random_array(t, rng, special=True) for t in types]]


def outputs(module, ctx, inputs):
    with np.errstate(all="ignore"):
        return [evaluate(module, x, store_of(ctx)) for x in inputs]


@pytest.mark.parametrize(("name", "i"), cases(EXACT))
def test_exact(name: str, i: int):
    module, ctx, inputs = program_of(chunks(name)[i])
    before = outputs(module, ctx, inputs)
    PASSES[name]().apply(ctx, module)
    for old, new in zip(before, outputs(module, ctx, inputs)):
        for a, b in zip(old, new):
            np.testing.assert_array_equal(a, b)
            if np.issubdtype(a.dtype, np.floating):
                np.testing.assert_array_equal(np.signbit(a)[~np.isnan(a)], np.signbit(b)[~np.isnan(b)])


@pytest.mark.parametrize(("name", "i"), cases(ROUNDED))
def test_equal_to_rounding(name: str, i: int):
    module, ctx, inputs = program_of(chunks(name)[i])
    inputs = inputs[:2]
    before = outputs(module, ctx, [[np.abs(x) for x in one] for one in inputs])  # variances are not negative
    PASSES[name]().apply(ctx, module)
    after = outputs(module, ctx, [[np.abs(x) for x in one] for one in inputs])
    for old, new in zip(before, after):
        for a, b in zip(old, new):
            np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6)


def test_every_canonical_law_fires():
    fired = set()
    for text in chunks("canonicalize"):
        module, ctx, _ = program_of(text)
        fired |= set(apply_laws(module, canonicalize.laws(store_of(ctx))))
    assert fired == {type(law).__name__ for law in canonicalize.laws(store_of(make_context()))}


def test_every_batch_norm_law_fires():
    text = (HERE / "fold-batch-norm.mlir").read_text()
    laws = ("BatchNormIntoContraction", "ScaleIntoContraction", "BatchNormAsScaleAndShift")
    assert all(f"// {law}:" in text and hasattr(fold_batch_norm, law) for law in laws)


def test_every_composite_law_has_a_program():
    names = {op.name for text in chunks("decompose") for op in program_of(text)[0].walk()}
    assert {kind.name for kind in decompose.LAWS} <= names

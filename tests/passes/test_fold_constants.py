"""What is folded at once, what when it is first read, what not at all."""

import numpy as np

from dnnc.ir.dnn.structure import ConstOp
from dnnc.ir.interpret import evaluate, main_function
from dnnc.ir.weights import WeightStore, store_of
from dnnc.passes.dce import DcePass
from dnnc.passes.fold_constants import FoldConstantsPass


def folded(program, shape: tuple[int, int], options: dict | None = None):
    n, m = shape
    store = WeightStore()
    store.add("w", np.arange(n * m, dtype=np.float32).reshape(n, m))
    text = f"""func.func @main() -> tensor<{m}x{n}xf32> {{
  %w = dnn.const key = "w" : () -> tensor<{n}x{m}xf32>
  %t = dnn.transpose %w perm = [1, 0] : (tensor<{n}x{m}xf32>) -> tensor<{m}x{n}xf32>
  %y = dnn.neg %t : (tensor<{m}x{n}xf32>) -> tensor<{m}x{n}xf32>
  func.return %y : tensor<{m}x{n}xf32>
}}"""
    module, ctx = program(text, store)
    FoldConstantsPass(**(options or {})).apply(ctx, module)
    DcePass().apply(ctx, module)
    return module, ctx


def test_large_results_are_computed_when_first_read(program):
    module, ctx = folded(program, (100, 50))
    ops = list(main_function(module).body.block.ops)
    assert isinstance(ops[0], ConstOp) and len(ops) == 2
    assert callable(store_of(ctx)._entries[ops[0].key.data])
    np.testing.assert_array_equal(evaluate(module, [], store_of(ctx))[0], -store_of(ctx)["w"].T)
    assert not callable(store_of(ctx)._entries[ops[0].key.data])


def test_small_results_are_there(program):
    module, ctx = folded(program, (10, 20))
    const = main_function(module).body.block.first_op
    assert const.key.data == "w.folded.folded"
    np.testing.assert_array_equal(store_of(ctx)["w.folded.folded"], -store_of(ctx)["w"].T)


def test_nothing_outgrows_its_operands(program):
    text = """func.func @main() -> tensor<600x1000xf32> {
  %w = dnn.const key = "w" : () -> tensor<1x1000xf32>
  %y = dnn.expand %w shape = [600, 1000] : (tensor<1x1000xf32>) -> tensor<600x1000xf32>
  func.return %y : tensor<600x1000xf32>
}"""
    for growth, left in ((2, ["dnn.const", "dnn.expand"]), (600, ["dnn.const", "dnn.const"])):
        store = WeightStore()
        store.add("w", np.ones((1, 1000), np.float32))
        module, ctx = program(text, store)
        FoldConstantsPass(growth=growth).apply(ctx, module)
        assert [op.name for op in main_function(module).body.block.ops][:-1] == left

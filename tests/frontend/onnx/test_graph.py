"""Graphs as people write them: order, names, functions, branches, constants in every form."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from xdsl.dialects.func import FuncOp

from dnnc.frontend.onnx import import_onnx
from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import DnncError, where
from dnnc.ir.interpret import main_function
from dnnc.ir.text import parse
from dnnc.ir.weights import store_of


def program(proto, dims=None):
    """The imported module, its `main`, its weights."""
    ctx = make_context()
    module = import_onnx(proto, ctx, dims)
    module.verify()
    return module, main_function(module), store_of(ctx)


def names(function: FuncOp, which: str):
    """The names of inputs or outputs."""
    return [d.data["dnn.name"].data for d in getattr(function, which)]


def ops(function: FuncOp):
    """Names of the operations but for the return."""
    return [op.name for op in function.body.block.ops][:-1]


def test_what_a_module_looks_like(models):
    body = """
      [conv] h = Conv(x, w)
      y = Relu(h)"""
    proto = models.of(14, "float[1,1,3,3] x, float[2,1,3,3] w => float[1,2,1,1] y", body)
    proto.graph.initializer.append(numpy_helper.from_array(np.ones((2, 1, 3, 3), np.float32), "w"))
    proto.graph.node[0].name = "conv/1"
    module, main, _ = program(proto)
    assert str(module) == (
        "builtin.module {\n"
        '  func.func @main(%x: tensor<1x1x3x3xf32> {dnn.name = "x"}) -> (tensor<1x2x1x1xf32> {dnn.name = "y"}) {\n'
        '    %w = dnn.const key = "w" : () -> tensor<2x1x3x3xf32>\n'
        "    %h = dnn.conv %x, %w window = <[3, 3]> : (tensor<1x1x3x3xf32>, tensor<2x1x3x3xf32>) -> tensor<1x2x1x1xf32>\n"
        "    %y = dnn.relu %h : (tensor<1x2x1x1xf32>) -> tensor<1x2x1x1xf32>\n"
        "    func.return %y : tensor<1x2x1x1xf32>\n"
        "  }\n"
        "}"
    )
    assert [where(op.location) for op in main.body.block.ops][1:3] == ["node 'conv/1'", "node 'y'"]
    assert str(parse(make_context(), str(module))) == str(module)


def test_an_input_that_has_an_initializer_is_a_constant(models):
    proto = models.of(14, "float[2] x, float[2] c => float[2] y", "y = Add(x, c)", ir=3)
    proto.graph.initializer.append(numpy_helper.from_array(np.array([1, 2], np.float32), "c"))
    _, main, _ = program(proto)
    assert names(main, "arg_attrs") == ["x"]
    models.agree(models.run(proto, [np.zeros(2, np.float32)]), [np.array([1, 2], np.float32)])


def test_nodes_in_any_order(models):
    forward = models.of(14, "float[2,3] x => float[2,3] y", "a = Relu(x) b = Exp(a) c = Add(a, b) y = Neg(c)")
    backward = onnx.ModelProto()
    backward.CopyFrom(forward)
    del backward.graph.node[:]
    backward.graph.node.extend(reversed(forward.graph.node))
    assert str(program(backward)[0]) == str(program(forward)[0])


def test_a_long_chain_in_reverse_order(models):
    proto = models.of(14, "float[2] x => float[2] y", "y = Relu(x)")
    del proto.graph.node[:]
    n = 3000
    edges = ["x", *(f"t{i}" for i in range(n - 1)), "y"]
    proto.graph.node.extend(helper.make_node("Relu", [edges[i]], [edges[i + 1]]) for i in reversed(range(n)))
    assert len(ops(program(proto)[1])) == n


def test_a_cycle_is_named(models):
    proto = models.of(14, "float[2] x => float[2] y", "a = Add(x, c) b = Relu(a) c = Relu(b) y = Relu(c)")
    with pytest.raises(DnncError) as error:
        import_onnx(proto, make_context())
    assert str(error.value) == "graph: expected a graph without cycles, not one where 'a' -> 'c' -> 'b' -> 'a'. [E0219]"


def test_names_that_repeat_or_are_missing(models):
    body = """
      [same] a = Relu(x)
      [same] b = Exp(a)
      y = Neg(b)"""
    _, main, _ = program(models.of(14, "float[2] x => float[2] y", body))
    assert [where(op.location) for op in main.body.block.ops][:-1] == ["node 'a'", "node 'b'", "node 'y'"]


def test_names_no_value_can_have(models):
    proto = models.of(14, "float[2] x => float[2] y", "y = Relu(x)")
    proto.graph.input[0].name = proto.graph.node[0].input[0] = "0:scope/x.1"
    proto.graph.output[0].name = proto.graph.node[0].output[0] = "//"
    module, main, _ = program(proto)
    assert names(main, "arg_attrs") == ["0:scope/x.1"] and names(main, "res_attrs") == ["//"]
    assert "%v0_scope_xn1" in str(module)
    parse(make_context(), str(module))


def test_functions(models):
    functions = """
      <domain: "local", opset_import: ["" : 11, "local" : 1]>
      scaled<alpha: float=2.0, axis>(a, b) => (c) {
        k = Constant<value_float: float=@alpha>()
        m = Mul(a, k)
        s = Softmax<axis: int=@axis>(m)
        c = twice(s)
      }
      <domain: "local", opset_import: ["" : 18]>
      twice(a) => (c) { c = Add(a, a) }"""
    functions = functions.replace("c = twice(s)", "c = local.twice(s)")
    body = "[first] p = local.scaled<axis=1>(x, x) [second] y = local.scaled<alpha=0.5, axis=0>(p, )"
    proto = models.of(18, "float[2,3,4] x => float[a,b,c] y", body, functions, imports=', "local" : 1')
    (x,) = arrays = models.inputs(proto)

    def scaled(v, alpha, axis):  # opset 11: softmax over everything from `axis` on
        flat = (alpha * v).reshape(int(np.prod(v.shape[:axis])), -1)
        e = np.exp(flat - flat.max(1, keepdims=True))
        return (2 * e / e.sum(1, keepdims=True)).reshape(v.shape).astype(np.float32)

    models.agree(models.run(proto, arrays), [scaled(scaled(x, 2.0, 1), 0.5, 0)])
    _, main, _ = program(proto)
    assert where(main.body.block.last_op.prev_op.location) == "node 'second/c/c'"


def test_a_function_that_calls_itself(models):
    functions = '<domain: "local", opset_import: ["local" : 1]> f(a) => (b) { b = local.f(a) }'
    proto = models.of(18, "float[2] x => float[2] y", "y = local.f(x)", functions, imports=', "local" : 1')
    with pytest.raises(DnncError) as error:
        import_onnx(proto, make_context())
    assert str(error.value) == "node 'y/b': local.f: expected a function that does not call itself. [E0220]"


def test_a_branch_with_a_constant_condition(models):
    info = helper.make_tensor_value_info
    then = helper.make_graph([helper.make_node("Relu", ["x"], ["t"])], "then", [], [info("t", 1, [3])])
    other = helper.make_graph([helper.make_node("Exp", ["x"], ["e"])], "else", [], [info("e", 1, [3])])
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Equal", ["s", "three"], ["c"]),
        helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other),
    ]
    constants = [numpy_helper.from_array(np.array([3]), "three")]
    graph = helper.make_graph(nodes, "g", [info("x", 1, ["n"])], [info("y", 1, [3])], constants)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)])
    assert ops(program(proto, {"n": 3})[1]) == ["dnn.relu"]
    assert ops(program(proto, {"n": 4})[1]) == ["dnn.exp"]


def test_shapes_computed_in_the_graph_leave_nothing(models):
    body = """
      s = Shape(x)
      i = Constant<value_int=0>()
      n = Gather(s, i)
      z = Constant<value_ints=[0]>()
      u = Unsqueeze(n, z)
      m = Constant<value_ints=[-1]>()
      t = Concat<axis=0>(u, m)
      y = Reshape(x, t)"""
    _, main, store = program(models.of(14, "float[2,3,4] x => float[a,b] y", body))
    assert ops(main) == ["dnn.reshape"]
    assert list(store) == []


CONSTANTS = {
    "value=float[2]{1.0,2.0}": np.array([1, 2], np.float32),
    "value=int8{-3}": np.array(-3, np.int8),
    "value=bool[2]{1,0}": np.array([True, False]),
    "value_int=7": np.array(7, np.int64),
    "value_ints=[1,2]": np.array([1, 2], np.int64),
    "value_float=0.5": np.array(0.5, np.float32),
    "value_floats=[0.5,1.5]": np.array([0.5, 1.5], np.float32),
}


@pytest.mark.parametrize("form", CONSTANTS)
def test_constants(models, form):
    value = CONSTANTS[form]
    kind = {"float32": "float", "bool": "bool"}.get(value.dtype.name, value.dtype.name)
    dims = f"[{','.join(map(str, value.shape))}]" if value.shape else ""
    proto = models.of(14, f"{kind}{dims} x => {kind}{dims} y", f"y = Constant<{form}>()")
    models.agree(models.run(proto, [np.zeros_like(value)]), [value])


@pytest.mark.parametrize("indices", [[1, 4], [[0, 1], [1, 1]]])
def test_sparse_constants(models, indices):
    values = numpy_helper.from_array(np.array([5, 6], np.float32), "v")
    sparse = helper.make_sparse_tensor(values, numpy_helper.from_array(np.array(indices), "i"), [2, 3])
    info = helper.make_tensor_value_info("y", 1, [2, 3])
    node = helper.make_node("Constant", [], ["y"], sparse_value=sparse)
    proto = helper.make_model(helper.make_graph([node], "g", [], [info]), opset_imports=[helper.make_opsetid("", 14)])
    expected = np.zeros((2, 3), np.float32)
    expected[(0, 1), (1, 1)] = 5, 6
    models.agree(models.run(proto, []), [expected])


def test_a_filled_constant_is_not_copied(models):
    body = "s = Constant<value_ints=[1000,1000]>() y = ConstantOfShape<value=float[1]{0.5}>(s)"
    _, _, store = program(models.of(14, "float[2] x => float[a,b] y", body))
    array = store["y"]
    assert array.shape == (1000, 1000) and array.strides == (0, 0) and array[7, 7] == np.float32(0.5)


def test_empty_and_rank_0_tensors(models):
    proto = models.of(14, "float[0,3] x, float[2,3] z, float c => float[a,b] y, float d",
                      "y = Concat<axis=0>(x, z) d = Neg(c)")  # fmt: skip
    z = np.ones((2, 3), np.float32)
    models.agree(models.run(proto, [np.zeros((0, 3), np.float32), z, np.float32(2)]), [z, np.float32(-2)])


def test_an_output_that_is_an_input_or_a_constant(models):
    proto = models.of(14, "float[2] x => float[2] x, float[2] c", "c = Constant<value_floats=[1.0,2.0]>()")
    x = np.zeros(2, np.float32)
    models.agree(models.run(proto, [x]), [x, np.array([1, 2], np.float32)])


def test_dimensions_by_name(models):
    proto = models.of(14, "float[batch,3] x, float[batch,n] z => float[batch,m] y", "y = Concat<axis=1>(x, z)")
    _, main, _ = program(proto, {"batch": 2, "n": 5})
    assert [str(t) for t in main.function_type.outputs] == ["tensor<2x8xf32>"]


def test_identity_and_whole_slices_leave_nothing(models):
    body = """
      a = Identity(x)
      p = Constant<value_ints=[0,0]>()
      b = Pad(a, p)
      s = Constant<value_ints=[0]>()
      e = Constant<value_ints=[9]>()
      c = Slice(b, s, e)
      d = Transpose<perm=[0]>(c)
      y = Relu(d)"""
    assert ops(program(models.of(14, "float[3] x => float[3] y", body))[1]) == ["dnn.relu"]


def test_stored_weights_stay_integers(models):
    body = "w = DequantizeLinear<axis=0>(q, s, z) y = MatMul(x, w)"
    proto = models.of(13, "float[1,2] x => float[a,b] y", body)
    q, z = np.arange(40, dtype=np.uint8).reshape(2, 20), np.array([1, 2], np.uint8)
    s = np.array([0.5, 0.25], np.float32)
    for name, array in (("q", q), ("s", s), ("z", z)):
        proto.graph.initializer.append(numpy_helper.from_array(array, name))
    _, main, _ = program(proto)
    assert ops(main) == ["dnn.const", "dnn.dequantize", "dnn.matmul"]
    models.check(proto)


def test_types_no_program_has():
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "g",
        [info("x", TensorProto.COMPLEX64, [2])],
        [info("y", TensorProto.COMPLEX64, [2])],
    )
    with pytest.raises(NotImplementedError) as error:
        import_onnx(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)]), make_context())
    assert (
        str(error.value)
        == "input 'x': expected a tensor of a numeric element type, not COMPLEX64. Convert it in the model. [E0216]"
    )

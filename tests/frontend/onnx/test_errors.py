"""What a user is told: whole texts."""

import numpy as np
import onnx
import pytest
from onnx import helper

from dnnc.frontend.onnx import import_onnx
from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import DnncError, UnsupportedError

MISTAKES = {
    "node 'y': Conv: expected weights with 3/1 input channels, not 2. [E0419]": (
        "float[1,3,5,5] x, float[4,2,3,3] w => float[n,c,h,w] y", "y = Conv(x, w)"),
    "node 'y': Conv: expected a kernel_shape of [3, 3] as in the weights, not [5, 5]. [E0421]": (
        "float[1,3,5,5] x, float[4,3,3,3] w => float[n,c,h,w] y", "y = Conv<kernel_shape=[5,5]>(x, w)"),
    "node 'y': MaxPool: expected an input that holds the window of extent [7, 7], not [5, 5] padded by [0, 0, 0, 0]. [E0417]": (
        "float[1,3,5,5] x => float[n,c,h,w] y", "y = MaxPool<kernel_shape=[7,7]>(x)"),
    "node 'y': MatMul: expected operands that share the inner dimension, not 2x3 f32 and 2x3 f32. [E0425]": (
        "float[2,3] x, float[2,3] z => float[a,b] y", "y = MatMul(x, z)"),
    "node 'y': Add: expected operands of shapes that broadcast, not 2x3 f32 and 2 f32. [E0426]": (
        "float[2,3] x, float[2] z => float[a,b] y", "y = Add(x, z)"),
    "node 'y': Add: expected operands of one element type f32, not i32. [E0427]": (
        "float[2] x, int32[2] z => float[a] y", "y = Add(x, z)"),
    "node 'y': Add: expected 2 inputs, not 1. [E0209]": ("float[2] x => float[a] y", "y = Add(x)"),
    "node 'y': Reshape: expected a shape of 6 elements like [2, 3], not [4, -1]. [E0435]": (
        "float[2,3] x => float[a,b] y", "s = Constant<value_ints=[4,-1]>() y = Reshape(x, s)"),
    "node 'y': Split: expected 2 sizes that sum to 3, not [1, 1]. [E0438]": (
        "float[2,3] x => float[a] y, float[b] z",
        "s = Constant<value_ints=[1,1]>() y, z = Split<axis=1>(x, s)"),
    "node 'y': Concat: expected an attribute 'axis', not none. [E0210]": ("float[2,3] x => float[a,b] y", "y = Concat(x, x)"),
    "node 'y': Softmax: expected an integer as attribute 'axis', not 1.5. [E0211]": (
        "float[2,3] x => float[a,b] y", "y = Softmax<axis=1.5>(x)"),
    "node 'y': Relu: expected the name of a tensor, not 'z', which nothing makes. [E0217]": (
        "float[2,3] x => float[a,b] y", "y = Relu(z)"),
    "output 'w': expected the name of a tensor, not 'w', which nothing makes. [E0217]": (
        "float[2,3] x => float[a,b] w", "y = Relu(x)"),
    "node 'a': Relu: expected a new name for its output, not 'a', which another tensor has. [E0218]": (
        "float[2,3] x => float[a,b] a", "a = Relu(x) a = Relu(x)"),
}  # fmt: skip


@pytest.mark.parametrize("text", MISTAKES)
def test_a_wrong_model(models, text):
    signature, body = MISTAKES[text]
    with pytest.raises(DnncError) as error:
        import_onnx(models.of(20, signature, body), make_context())
    assert not isinstance(error.value, UnsupportedError)
    assert str(error.value) == text


REFUSED = {
    "node 'y': Det (opset 14): the operator is not supported. [E0205]": (
        14, "float[3,2,2] x => float[a] y", "y = Det(x)"),
    "node 'y': com.example.Fancy (opset 1): operators of the domain 'com.example' are not supported. "
    "A plug-in may add them (docs/plugins.md). [E0205]": (
        14, "float[3] x => float[3] y", "y = com.example.Fancy(x)"),
    "node 'y': Reshape (opset 14): expected a constant as input 'shape', not 's', which is computed at run time. [E0212]": (
        14, "float[6] x, int64[2] s => float[a,b] y", "y = Reshape(x, s)"),
    "node 'y': Relu (opset 14): expected no attribute 'colour', which dnnc does not know here. Export without it. [E0206]": (
        14, "float[3] x => float[3] y", "y = Relu<colour=3>(x)"),
    "node 'y': BatchNormalization (opset 14): expected training_mode = 0, not 1. Export the model for inference. [E0207]": (
        14, "float[2,3,4] x, float[3] s => float[a,b,c] y", "y = BatchNormalization<training_mode=1>(x, s, s, s, s)"),
    "node 'y': Erf (opset 14): expected floats, not i32. Cast the operand first. [E0428]": (
        14, "int32[3] x => int32[3] y", "y = Erf(x)"),
    "node 'y': Pad (opset 19): expected 'mode' to be one of constant, reflect, edge, wrap, not 'magic'. [E0207]": (
        19, "float[3] x => float[a] y", 'p = Constant<value_ints=[1,1]>() y = Pad<mode="magic">(x, p)'),
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_supported(models, text):
    opset, signature, body = REFUSED[text]
    imports = ', "com.example" : 1' if "com.example" in body else ""
    with pytest.raises(UnsupportedError) as error:
        import_onnx(models.of(opset, signature, body, imports=imports), make_context())
    assert str(error.value).splitlines()[2] == text


def test_everything_is_reported_at_once(models):
    signature = "float[3,2,2] x, string[2] t => float[a,b,c,d] y, float[3] z, int64[2] q"
    body = """
      h = Det(x)
      a = Relu(h)
      [second] i = Det(x)
      b = Cosine(i)
      s = Cast<to=7>(x)
      c = Reshape(a, s)
      y = Add(b, c)
      z = Relu<mood="good">(x)
      q = Identity(t)"""
    with pytest.raises(UnsupportedError) as error:
        import_onnx(models.of(14, signature, body), make_context())
    assert isinstance(error.value, NotImplementedError)
    assert str(error.value) == (
        "7 unsupported things:\n"
        "model: 5 of 9 nodes are not supported: Det (2), Cosine (1), Reshape (1), Relu (1)."
        " Export the model without them; docs/reference/onnx.md lists what is. [E0200]\n"
        "input 't': expected a tensor of a numeric element type, not STRING. Convert it in the model. [E0216]\n"
        "node 'h': Det (opset 14): the operator is not supported. [E0205]\n"
        "node 'second': Det (opset 14): the operator is not supported. [E0205]\n"
        "node 'b': Cosine (opset 14): the operator is not supported. Did you mean 'Cos'? [E0205]\n"
        "node 'c': Reshape (opset 14): expected a constant as input 'shape', not 's', which is computed at run time. [E0212]\n"
        "node 'z': Relu (opset 14): expected no attribute 'mood', which dnnc does not know here. Export without it. [E0206]"
    )


def test_mistakes_come_before_what_is_unsupported(models):
    body = "a = Sine(x) y = Add(x, z)"
    with pytest.raises(DnncError) as error:
        import_onnx(models.of(14, "float[2] x, float[3] z => float[a] y", body), make_context())
    assert str(error.value) == (
        "node 'y': Add: expected operands of shapes that broadcast, not 2 f32 and 3 f32. [E0426]\n"
        "model: 1 of 2 nodes are not supported: Sine (1)."
        " Export the model without them; docs/reference/onnx.md lists what is. [E0200]\n"
        "node 'a': Sine (opset 14): the operator is not supported. Did you mean 'Sin'? [E0205]"
    )


def test_an_index_outside_a_constant(models):
    body = "s = Shape(x) i = Constant<value_ints=[7]>() d = Gather(s, i) y = Reshape(x, d)"
    with pytest.raises(DnncError) as error:
        import_onnx(models.of(14, "float[2,3] x => float[a] y", body), make_context())
    text = "node 'd': expected indices inside the operand: index 7 is out of bounds for axis 0 with size 2. [E0452]"
    assert str(error.value) == text


def test_dimensions_without_a_value(models):
    proto = models.of(14, "float[batch,3,n] x, float[2,batch] z => float[a,b] y", "y = Relu(x)")
    with pytest.raises(DnncError) as error:
        import_onnx(proto, make_context(), {"n": 4})
    assert str(error.value) == (
        "input 'z': expected a value for dimension 'batch', not none. Give it with --dim batch=VALUE. [E0214]"
    )
    with pytest.raises(DnncError) as error:
        import_onnx(proto, make_context(), {"n": 4, "batch": 2, "m": 1})
    assert str(error.value) == "model: expected the name of a dimension, not 'm'. The model has batch, n. [E0215]"


def test_a_dimension_without_a_name(models):
    proto = models.of(14, "float[2,3] x => float[a,b] y", "y = Relu(x)")
    del proto.graph.input[0].type.tensor_type.shape.dim[1]
    proto.graph.input[0].type.tensor_type.shape.dim.add()
    with pytest.raises(DnncError) as error:
        import_onnx(proto, make_context())
    assert str(error.value) == (
        "input 'x': expected a value for dimension 'x.1', not none. Give it with --dim x.1=VALUE. [E0214]"
    )
    models.agree(models.run(proto, [np.ones((2, 5), np.float32)], {"x.1": 5}), [np.ones((2, 5), np.float32)])


@pytest.mark.parametrize(
    "opset,text",
    [
        (0, "model: expected an opset version, not none. Export the model again. [E0203]"),
        (29, "model: expected opset 1 to 28, not opset 29. Export with --opset 28. [E0204]"),
    ],
)
def test_stamps(models, opset, text):
    proto = models.of(14, "float[2,3] x => float[a,b] y", "y = Relu(x)")
    del proto.opset_import[:]
    if opset:
        proto.opset_import.append(helper.make_opsetid("", opset))
    with pytest.raises(DnncError) as error:
        import_onnx(proto, make_context())
    assert str(error.value) == text


def test_not_a_model():
    with pytest.raises(DnncError) as error:
        import_onnx(onnx.ModelProto(), make_context())
    assert str(error.value) == "model: expected an ONNX model, not one without a graph. Export it again. [E0202]"


def test_the_file_is_named(models, tmp_path):
    path = tmp_path / "net.onnx"
    onnx.save(models.of(14, "float[2] x, float[3] z => float[a] y", "y = Add(x, z)"), path)
    with pytest.raises(DnncError) as error:
        import_onnx(path, make_context())
    assert str(error.value).startswith("net.onnx: node 'y': Add: expected")


def test_shapes_that_rest_on_an_unbound_dimension_prove_nothing(models):
    body = "w = Constant<value = float[4,1,3] {1,1,1,1,1,1,1,1,1,1,1,1}>() y = Conv(x, w)"
    model = models.of(14, "float[1,1,length] x => float[a,b,c] y", body)
    with pytest.raises(DnncError) as error:
        import_onnx(model, make_context())
    want = "input 'x': expected a value for dimension 'length', not none. Give it with --dim length=VALUE. [E0214]"
    assert str(error.value) == want
    import_onnx(model, make_context(), {"length": 8})
    with pytest.raises(DnncError, match=r"node 'y': Conv: expected an input that holds the window of extent \[3\]"):
        import_onnx(model, make_context(), {"length": 2})

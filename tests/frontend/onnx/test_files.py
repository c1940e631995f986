"""Model files: weights stay where they are, and what is damaged or missing is said in a sentence."""

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from dnnc.frontend.onnx import import_onnx
from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import DnncError
from dnnc.ir.interpret import evaluate
from dnnc.ir.weights import ABSENT, store_of

SHAPE = (64, 100)


def weighted(models, raw=True):
    """x @ w with a w of 25,600 bytes."""
    proto = models.of(14, "float[1,64] x => float[1,100] y", "[product] y = MatMul(x, w)")
    w = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    tensor = numpy_helper.from_array(w, "w")
    if not raw:
        tensor = onnx.helper.make_tensor("w", TensorProto.FLOAT, SHAPE, w.reshape(-1).tolist())
    proto.graph.initializer.append(tensor)
    return proto, w


def waiting(store):
    """Keys of the entries nobody has read."""
    return [key for key, entry in store._entries.items() if callable(entry)]


@pytest.mark.parametrize("raw", [True, False])
def test_weights_are_read_when_used(models, tmp_path, raw):
    proto, w = weighted(models, raw)
    onnx.save(proto, tmp_path / "net.onnx")
    x = np.ones((1, 64), np.float32)
    for source in (proto, tmp_path / "net.onnx"):
        ctx = make_context()
        module = import_onnx(source, ctx)
        module.verify()
        assert waiting(store_of(ctx)) == ["w"]
        (y,) = evaluate(module, [x], store_of(ctx))
        np.testing.assert_allclose(y, x @ w, rtol=1e-5)
        assert waiting(store_of(ctx)) == [] and not store_of(ctx)["w"].flags.writeable


def test_weights_in_the_model_file_are_mapped(models, tmp_path):
    proto, w = weighted(models)
    onnx.save(proto, tmp_path / "net.onnx")
    ctx = make_context()
    import_onnx(tmp_path / "net.onnx", ctx)
    array = store_of(ctx)["w"]
    assert array.tobytes() == w.tobytes()
    if array.base is not None and array.flags.aligned:
        assert not array.flags.owndata


def external(models, folder, **entries):
    """A model whose w lies in weights.bin."""
    proto, w = weighted(models)
    onnx.save(proto, folder / "net.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    light = onnx.load(folder / "net.onnx", load_external_data=False)
    for entry in light.graph.initializer[0].external_data:
        if entry.key in entries:
            entry.value = entries[entry.key]
    (folder / "net.onnx").write_bytes(light.SerializeToString())
    return folder / "net.onnx", w


def test_weights_that_say_they_are_in_the_model(models, tmp_path):
    """A tensor whose data_location is stated, after its data."""
    proto, w = weighted(models)
    proto.graph.initializer[0].data_location = TensorProto.DEFAULT
    assert proto.graph.initializer[0].HasField("data_location")
    onnx.save(proto, tmp_path / "net.onnx")
    ctx = make_context()
    import_onnx(tmp_path / "net.onnx", ctx)
    np.testing.assert_array_equal(store_of(ctx)["w"], w)


def test_external_data_is_mapped(models, tmp_path):
    path, w = external(models, tmp_path)
    ctx = make_context()
    import_onnx(path, ctx)
    assert waiting(store_of(ctx)) == ["w"]
    array = store_of(ctx)["w"]
    assert array.tobytes() == w.tobytes() and not array.flags.owndata


MISSING = {
    "location": ("elsewhere.bin", "expected its data in the file 'elsewhere.bin', which does not exist. "
                                  "Put the file beside the model. [E0221]"),
    "length": ("12", "expected 25600 bytes from byte 0 of 'weights.bin', not 12. Export the model again. [E0223]"),
    "offset": ("x", "expected whole numbers for offset and length, not invalid literal for int() with base 10: 'x'. "
                    "Export the model again. [E0223]"),
}  # fmt: skip


@pytest.mark.parametrize("entry", MISSING)
def test_external_data_that_is_not_there(models, tmp_path, entry):
    value, text = MISSING[entry]
    path, _ = external(models, tmp_path, **{entry: value})
    with pytest.raises(DnncError) as error:
        import_onnx(path, make_context())
    assert str(error.value) == f"net.onnx: tensor 'w': {text}"


def test_external_data_outside_the_folder(models, tmp_path):
    path, _ = external(models, tmp_path, location="../weights.bin")
    with pytest.raises(DnncError) as error:
        import_onnx(path, make_context())
    text = "expected external data inside the model's folder, not at '../weights.bin'. [E0222]"
    assert str(error.value) == f"net.onnx: tensor 'w': {text}"


def test_external_data_of_a_model_in_memory(models, tmp_path):
    path, _ = external(models, tmp_path)
    with pytest.raises(DnncError) as error:
        import_onnx(onnx.load(path, load_external_data=False), make_context())
    assert str(error.value) == (
        "tensor 'w': expected its data in the model, not in the external file 'weights.bin'. "
        "Import the model by its path, so that its folder is known. [E0221]"
    )


def test_four_bits_a_number(models, tmp_path):
    proto = models.of(21, "float[2] x => int4[a] y", "y = Identity(w)")
    values = np.arange(-8, 8).repeat(200)
    proto.graph.initializer.append(onnx.helper.make_tensor("w", TensorProto.INT4, [3200], values))
    onnx.save(proto, tmp_path / "net.onnx")
    ctx = make_context()
    module = import_onnx(tmp_path / "net.onnx", ctx)
    (y,) = evaluate(module, [np.zeros(2, np.float32)], store_of(ctx))
    assert y.dtype.name == "int4" and (y.astype(np.int64) == values).all()


def test_data_that_is_too_short(models):
    proto, _ = weighted(models)
    proto.graph.initializer[0].raw_data = proto.graph.initializer[0].raw_data[:100]
    ctx = make_context()
    module = import_onnx(proto, ctx)
    with pytest.raises(DnncError) as error:
        evaluate(module, [np.ones((1, 64), np.float32)], store_of(ctx))
    assert str(error.value).startswith("tensor 'w': expected data of shape [64, 100], not 100 bytes")


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b"not a model at all", b"\xff" * 100, b"PK\x03\x04" * 50])
def test_other_files(tmp_path, content):
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(DnncError) as error:
        import_onnx(path, make_context())
    assert str(error.value) in (
        f"{path}: expected an ONNX model, not a file that is damaged or of another format. Export it again. [E0201]",
        f"{path}: expected an ONNX model, not an empty file. Export it again. [E0201]",
        f"{path}: expected an ONNX model, not text. Give the file an exporter wrote. [E0201]",
        f"{path}: expected an ONNX model, not a zip archive. Unpack it; what torch.save wrote is exported with "
        "torch.onnx.export. [E0201]",
        f"{path}: expected an ONNX model, not one without a graph. Export it again. [E0202]",
    )


def test_no_file(tmp_path):
    with pytest.raises(DnncError) as error:
        import_onnx(tmp_path / "none.onnx", make_context())
    assert str(error.value) == (
        f"{tmp_path / 'none.onnx'}: expected a readable ONNX file, not 'no such file or directory'. "
        "Check the path and its permissions. [E0103]"
    )
    with pytest.raises(DnncError):
        import_onnx(tmp_path, make_context())


@pytest.fixture(scope="module")
def intact(models, tmp_path_factory):
    """The bytes of a model with a convolution, weights, a function-like shape computation; and a place to write."""
    body = """
      h = Conv<pads=[1,1,1,1]>(x, w)
      s = Constant<value_ints=[1,-1]>()
      r = Reshape(h, s)
      y = Softmax<axis=-1>(r)"""
    proto = models.of(14, "float[1,4,6,6] x => float[a,b] y", body)
    proto.graph.initializer.append(numpy_helper.from_array(np.ones((32, 4, 3, 3), np.float32), "w"))
    return proto.SerializeToString(), tmp_path_factory.mktemp("damaged") / "net.onnx"


def imports_or_explains(path):
    """An import ends well or in a DnncError, never in another exception."""
    try:
        ctx = make_context()
        module = import_onnx(path, ctx)
        module.verify()
    except DnncError as e:
        assert str(e)


@given(cut=st.floats(0, 1))
def test_truncated_files(intact, cut):
    data, path = intact
    path.write_bytes(data[: int(cut * len(data))])
    imports_or_explains(path)


@given(at=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_damaged_files(intact, at, flip):
    data, path = intact
    head = [i for i in range(len(data)) if i < 300 or i > len(data) - 300]  # not the weights between
    changed = bytearray(data)
    changed[head[int(at * len(head))]] ^= flip
    path.write_bytes(bytes(changed))
    imports_or_explains(path)


def test_absent_weights_are_enough_to_count_by_shapes(tmp_path):
    w = np.ones((4, 3), np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], "mm")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(w, "w")],
    )
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    (tmp_path / "w.bin").unlink()
    with pytest.raises(DnncError, match="which does not exist"):
        import_onnx(path, make_context())
    module = import_onnx(path, make_context(), weights=False)
    assert [f.data for f in module.attributes[ABSENT]] == ["w.bin"]

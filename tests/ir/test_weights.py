"""The weight store: every type bit for bit, files others can read, damaged files told apart, nothing made before it is read."""

import json
import os
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import safetensors
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

from dnnc.ir.context import make_context
from dnnc.ir.diagnostics import DnncError
from dnnc.ir.text import parse, save
from dnnc.ir.weights import WeightStore, atomic_file, read_safetensors, write_safetensors

NATIVE = [
    np.dtype(n)
    for n in [
        "float64",
        "float32",
        "float16",
        "int64",
        "int32",
        "int16",
        "int8",
        "uint64",
        "uint32",
        "uint16",
        "uint8",
        "bool",
    ]
]
OTHER = [
    np.dtype(t)
    for t in (ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, ml_dtypes.int4, ml_dtypes.uint4)
]
SHAPES = [(), (1,), (3,), (2, 3), (0,), (4, 0, 2), (5, 1, 2, 3)]


def random_bits(kind: np.dtype, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Every bit pattern of a type, NaNs with payloads among them."""
    count = int(np.prod(shape)) * kind.itemsize
    raw = rng.integers(0, 256, count, np.uint8)
    if kind.name in ("int4", "uint4"):
        return raw.astype(np.int64).__mod__(8).astype(kind).reshape(shape)
    return (raw % 2).astype(bool).reshape(shape) if kind == np.bool_ else raw.view(kind).reshape(shape)


def bits_of(a: np.ndarray) -> bytes:
    return np.ascontiguousarray(a).tobytes()


@pytest.mark.parametrize("kind", [*NATIVE, *OTHER], ids=str)
def test_every_type_and_shape_reads_back(kind: np.dtype, tmp_path: Path):
    rng = np.random.default_rng(5)
    store = WeightStore()
    arrays = {store.add(f"x{i}", a): a for i, a in enumerate(random_bits(kind, s, rng) for s in SHAPES)}
    store.save(tmp_path / "w.safetensors")
    again = WeightStore.load(tmp_path / "w.safetensors")
    assert sorted(again) == sorted(arrays)
    for key, a in arrays.items():
        assert again[key].dtype == kind and again[key].shape == a.shape
        assert bits_of(again[key]) == bits_of(a)


def test_the_file_is_one_the_safetensors_library_reads(tmp_path: Path):
    rng = np.random.default_rng(6)
    arrays = {f"{kind}{s}": random_bits(kind, s, rng) for kind in [*NATIVE, *OTHER] for s in SHAPES}
    write_safetensors(tmp_path / "w.safetensors", arrays, {"note": "text"})
    entries = dict(safetensors.deserialize((tmp_path / "w.safetensors").read_bytes()))
    assert {name: bytes(e["data"]) for name, e in entries.items()} == {n: bits_of(a) for n, a in arrays.items()}
    native = {n: a for n, a in arrays.items() if a.dtype in NATIVE}
    write_safetensors(tmp_path / "n.safetensors", native)
    for name, a in load_file(tmp_path / "n.safetensors").items():
        assert bits_of(a) == bits_of(native[name]) and a.dtype == native[name].dtype


def test_metadata_reads_back(tmp_path: Path):
    four_bits = np.array([-8, 7], ml_dtypes.int4)
    write_safetensors(tmp_path / "w", {"a": four_bits}, {"opset": "21", "b": "x"})
    arrays, metadata = read_safetensors(tmp_path / "w")
    assert metadata == {"opset": "21", "b": "x"} and arrays["a"].dtype == four_bits.dtype


def test_keys_are_never_reused():
    store = WeightStore()
    keys = [store.add(hint, np.zeros(1)) for hint in ("w", "w", "w.1", "w", "", "")]
    assert keys == ["w", "w.1", "w.1.1", "w.2", "const", "const.1"]
    assert "w" in store and "v" not in store


def test_values_cannot_be_changed():
    store, mine = WeightStore(), np.zeros(3)
    key = store.add("w", mine)
    with pytest.raises(ValueError, match="read-only"):
        store[key][0] = 1
    mine[1] = 1  # the caller's own array stays writable


def test_entries_are_made_when_first_read():
    store, calls = WeightStore(), []
    key = store.add("w", lambda: calls.append(1) or np.ones(2))
    assert not calls
    assert store[key] is store[key] and calls == [1]


def test_what_is_saved_is_what_was_asked_for(tmp_path: Path):
    store = WeightStore()
    for name in "abc":
        store.add(name, np.full(2, ord(name)))
    store.save(tmp_path / "w", ["c", "a", "a"])
    assert list(WeightStore.load(tmp_path / "w")) == ["a", "c"]


def test_broadcast_and_strided_arrays_are_written_whole(tmp_path: Path):
    base = np.arange(6, dtype=np.float32).reshape(2, 3)
    arrays = {"t": base.T, "b": np.broadcast_to(base[0], (4, 3)), "s": np.broadcast_to(np.float32(2), ())}
    write_safetensors(tmp_path / "w", arrays)
    for name, a in read_safetensors(tmp_path / "w")[0].items():
        np.testing.assert_array_equal(a, arrays[name])


def whole_file(tmp_path: Path) -> Path:
    path = tmp_path / "w.safetensors"
    write_safetensors(path, {"a": np.arange(10, dtype=np.int16), "b": np.ones((2, 2))}, {"k": "v"})
    return path


def with_header(path: Path, header: object, data: bytes = b"\0" * 64) -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "header",
    [
        b"\xff\xfe{}",
        b"not json",
        b"[" * 100_000,
        [],
        "text",
        None,
        {"a": 3},
        {"a": {}},
        {"a": ENTRY | {"dtype": "F3"}},
        {"a": ENTRY | {"shape": [3]}},
        {"a": ENTRY | {"shape": [1]}},
        {"a": ENTRY | {"shape": [-2]}},
        {"a": ENTRY | {"shape": "x"}},
        {"a": ENTRY | {"shape": [2.5]}},
        {"a": ENTRY | {"data_offsets": [0, 80]}},
        {"a": ENTRY | {"data_offsets": [-8, 0]}},
        {"a": ENTRY | {"data_offsets": [8, 0]}},
        {"a": ENTRY | {"data_offsets": [8]}},
        {"a": ENTRY | {"data_offsets": ["0", "8"]}},
        {"__metadata__": 3, "a": ENTRY},
        {"__metadata__": {"dtype:a": "I5"}, "a": ENTRY | {"dtype": "U8", "shape": [8]}},
    ],
    ids=lambda h: str(h)[:60],
)
def test_damaged_headers_are_told(header, tmp_path: Path):
    path = tmp_path / "w.safetensors"
    with_header(path, header)
    with pytest.raises(DnncError) as e:
        read_safetensors(path)
    assert str(e.value).startswith(f"{path}: expected a whole safetensors file, not a damaged one (")
    assert str(e.value).endswith(". Write it again. [E0117]")


@given(st.data())
def test_truncated_and_flipped_files_raise_nothing_else(tmp_path_factory, data):
    path = whole_file(tmp_path_factory.mktemp("w"))
    raw = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        raw = raw[: data.draw(st.integers(0, len(raw) - 1))]
    else:
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    try:
        read_safetensors(path)
    except DnncError as e:
        assert "expected a whole safetensors file" in str(e)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "w"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), atomic_file(path) as f:
        f.write(b"new")
        raise RuntimeError
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_mapped_file_is_not_copied(tmp_path: Path):
    path = tmp_path / "w"
    write_safetensors(path, {"a": np.zeros(1 << 20, np.float32)})
    array = read_safetensors(path)[0]["a"]
    base = array
    while not isinstance(base, np.memmap):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    assert not array.flags.writeable


def test_a_device_is_written_to_and_stays_one(tmp_path: Path):
    """`-o /dev/null` and pipes: shown with a named pipe, so that a fault could replace nothing of the machine's."""
    pipe = tmp_path / "out.mlir"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with atomic_file(pipe) as f:
        f.write(b"whole")
    assert os.read(reader, 9) == b"whole" and pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]
    os.close(reader)


def test_no_weights_beside_a_device(tmp_path: Path):
    pipe = tmp_path / "out.mlir"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    store = WeightStore()
    key = store.add("w", np.zeros(100, np.float32))
    ctx = make_context(store)
    text = f'func.func @main() -> tensor<100xf32> {{\n  %w = dnn.const key = "{key}" : () -> tensor<100xf32>\n'
    save(parse(ctx, text + "  func.return %w : tensor<100xf32>\n}"), ctx, pipe)
    assert os.read(reader, 99).startswith(b"builtin.module") and list(tmp_path.iterdir()) == [pipe]
    os.close(reader)

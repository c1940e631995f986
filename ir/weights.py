"""Constants by key, outside the IR text: memory-mapped, immutable, saved as a safetensors file beside the program."""

from __future__ import annotations

import errno
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from xdsl.context import Context
from xdsl.dialect_interfaces import DialectInterface

from dnnc.ir.diagnostics import DnncError, Finding

ABSENT = "dnn.absent"  # attribute of a module counted without its weights: the files that were not there

Source = np.ndarray | Callable[[], np.ndarray]

# safetensors dtype names (format specification, github.com/huggingface/safetensors).
_TAG = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn, "F8_E5M2": ml_dtypes.float8_e5m2,
    "I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8,
    "U64": np.uint64, "U32": np.uint32, "U16": np.uint16, "U8": np.uint8, "BOOL": np.bool_,
}  # fmt: skip
_TAG_OF = {np.dtype(v): k for k, v in _TAG.items()}
# Types safetensors has no name for are stored as bytes, their name kept in the file's metadata.
_AS_BYTES = {
    "I4": np.dtype(ml_dtypes.int4), "U4": np.dtype(ml_dtypes.uint4),
    "I2": np.dtype(ml_dtypes.int2), "U2": np.dtype(ml_dtypes.uint2),
    "F4": np.dtype(ml_dtypes.float4_e2m1fn),
    "F8_E4M3FNUZ": np.dtype(ml_dtypes.float8_e4m3fnuz), "F8_E5M2FNUZ": np.dtype(ml_dtypes.float8_e5m2fnuz),
}  # fmt: skip
_AS_BYTES_OF = {v: k for k, v in _AS_BYTES.items()}


class WeightStore(DialectInterface):
    """Arrays named by immutable keys; a pass that changes data adds a new key.

    An entry is an array or a function that makes it on first use, so that importing a network copies nothing.
    """

    def __init__(self) -> None:
        self._entries: dict[str, Source] = {}
        self._serial: dict[str, int] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __getitem__(self, key: str) -> np.ndarray:
        entry = self._entries[key]
        if callable(entry):
            entry = self._entries[key] = _frozen(entry())
        return entry

    def add(self, hint: str, source: Source) -> str:
        """Store an array under a new key made from `hint`; return the key."""
        key = hint or "const"
        n = self._serial.get(key, 0)
        while key in self._entries:
            n += 1
            key = f"{hint or 'const'}.{n}"
        self._serial[hint or "const"] = n
        self._entries[key] = source if callable(source) else _frozen(source)
        return key

    def save(self, path: str | os.PathLike[str], keys: Iterable[str] | None = None) -> None:
        """Write the named entries (all by default) as one safetensors file, atomically and without copying them all."""
        names = sorted(self._entries if keys is None else set(keys))
        write_safetensors(path, {name: self[name] for name in names})

    @staticmethod
    def load(path: str | os.PathLike[str]) -> WeightStore:
        """Map a safetensors file; pages are read when an entry is used."""
        store = WeightStore()
        arrays, _ = read_safetensors(path)
        for key, array in arrays.items():
            store.add(key, array)
        return store


def _frozen(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


def store_of(ctx: Context) -> WeightStore:
    """The weight store of a context made by `dnnc.ir.context.make_context`."""
    store = ctx.get_dialect("dnn").get_interface(WeightStore)
    assert store is not None
    return store


def write_safetensors(
    path: str | os.PathLike[str], arrays: dict[str, np.ndarray], metadata: dict[str, str] | None = None
) -> None:
    """Write arrays (and string metadata) as a safetensors file: to a temporary file beside it, then rename."""
    header: dict[str, object] = {}
    meta = dict(metadata or {})
    offset = 0
    for name, a in arrays.items():
        size = a.size * a.dtype.itemsize
        if a.dtype in _AS_BYTES_OF:
            meta[f"dtype:{name}"] = _AS_BYTES_OF[a.dtype]
        tag = "U8" if a.dtype in _AS_BYTES_OF else _TAG_OF[a.dtype]
        header[name] = {"dtype": tag, "shape": list(a.shape), "data_offsets": [offset, offset + size]}
        offset += size
    if meta:
        header = {"__metadata__": dict(sorted(meta.items())), **header}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with atomic_file(path) as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for a in arrays.values():
            # A broadcast array is written row by row so that it is never materialised whole.
            for part in a if a.ndim and not a.flags.c_contiguous else (a,):
                f.write(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)


def read_safetensors(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays (read-only, memory-mapped) and metadata of a safetensors file; a located error when it is damaged."""
    try:
        size = os.path.getsize(path)
        with open(path, "rb") as f:
            length = int.from_bytes(f.read(8), "little")
            if size < 8 or length > size - 8:
                raise ValueError(f"header of {length} bytes in a file of {size}")
            header = json.loads(f.read(length))
        meta = header.pop("__metadata__", {}) if isinstance(header, dict) else None
        if not isinstance(meta, dict):
            raise ValueError("no table of tensors in its header")
        raw = np.memmap(path, np.uint8, "r", offset=8 + length) if size > 8 + length else np.empty(0, np.uint8)
        arrays = {name: _mapped(name, entry, meta, raw) for name, entry in header.items()}
        return arrays, {k: v for k, v in meta.items() if not k.startswith("dtype:")}
    except (ValueError, KeyError, TypeError, RecursionError) as e:
        message = f"expected a whole safetensors file, not a damaged one ({e}). Write it again."
        raise DnncError(Finding(str(path), message, "E0117")) from e


def _mapped(name: str, entry: dict[str, Any], meta: dict[str, str], raw: np.ndarray) -> np.ndarray:
    """One tensor of a file's data, as a view; errors when its entry does not describe exactly its bytes."""
    tag, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
    kind = _AS_BYTES[meta[f"dtype:{name}"]] if f"dtype:{name}" in meta and tag == "U8" else np.dtype(_TAG[tag])
    if not 0 <= begin <= end <= raw.size:
        raise ValueError(f"tensor '{name}' at bytes {begin} to {end} of {raw.size}")
    if math.prod(shape) * kind.itemsize != end - begin or min(shape, default=0) < 0:
        raise ValueError(f"tensor '{name}' of shape {shape} and type {kind} in {end - begin} bytes")
    return np.ndarray(shape, kind, raw[begin:end].data)


class atomic_file:
    """A binary file that appears under its name only when written whole: `with atomic_file(path) as f`.

    A device or a pipe (/dev/null, /dev/stdout) is written to as it is, never replaced.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)

    def __enter__(self):
        self.direct = is_device(self.path)
        with blamed(self.path):
            self.temporary = self._opened()
        return self.temporary

    def _opened(self):
        if self.path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if self.direct:
            return open(self.path, "wb")
        return tempfile.NamedTemporaryFile(dir=self.path.parent, prefix=f".{self.path.name}.", delete=False)

    def __exit__(self, kind, value, traceback):
        if isinstance(value, OSError) and value.filename is None:
            value.filename = str(self.path)
        with blamed(self.path):
            self._close(kind is None)

    def _close(self, whole: bool) -> None:
        try:
            self.temporary.close()
            if whole and not self.direct:
                os.chmod(self.temporary.name, 0o644)
                os.replace(self.temporary.name, self.path)
        finally:
            if not self.direct:
                Path(self.temporary.name).unlink(missing_ok=True)


@contextmanager
def blamed(path: Path) -> Iterator[None]:
    """Whatever the operating system refuses inside names this path, not that of a temporary file."""
    try:
        yield
    except OSError as e:
        e.filename = str(path)
        raise


def is_device(path: Path) -> bool:
    """Whether a path is there and is neither a file nor a folder, so that nothing may be put in its place or beside it."""
    return path.exists() and not (path.is_file() or path.is_dir())

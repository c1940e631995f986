"""Unlabelled samples of a file, a folder or arrays, in an order that is always the same, read when they are asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import overload
from zipfile import BadZipFile

import numpy as np
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute

from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.ir.interpret import input_names, main_function
from dnnc.ir.types import dtype, shape_of, tensor_text
from dnnc.ir.weights import WeightStore
from dnnc.passes.analysis.images import ENDINGS, Preprocessing, read_image, read_preprocessing
from dnnc.passes.analysis.samples import Sample
from dnnc.passes.analysis.synthetic import is_data_free, stated, synthesize

ARRAYS = (".npy", ".npz")


@dataclass(frozen=True)
class Samples(Sequence[Sample]):
    """Samples read one at a time; `parts` are the bytes that tell this set from others."""

    size: int
    read: Callable[[int], Sample]
    parts: Callable[[], Sequence[bytes]]
    made: str = ""  # how, where nobody gave them

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, at: int) -> Sample: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Sample]: ...
    def __getitem__(self, at: int | slice) -> Sample | Sequence[Sample]:
        if isinstance(at, slice):
            return [self.read(i) for i in range(*at.indices(self.size))]
        if not -self.size <= at < self.size:
            raise IndexError(at)
        return self.read(at % self.size)

    def told(self) -> str:
        """What they are, in words."""
        plural = "s" if len(self) != 1 else ""
        return f"data-free: {self.made}" if self.made else f"{len(self)} sample{plural}, sha256 {self.digest()}"

    def digest(self) -> str:
        """The SHA-256 of the samples in their order: of the bytes of arrays, of the names and bytes of files."""
        state = sha256()
        for part in self.parts():
            state.update(len(part).to_bytes(8, "little") + part)
        return state.hexdigest()


def of_rows(rows: Sequence[Sample], made: str = "") -> Samples:
    """Samples in memory."""
    parts = lambda: [np.ascontiguousarray(x).tobytes() for row in rows for x in row]  # noqa: E731
    return Samples(len(rows), rows.__getitem__, parts, made)


def samples_of(module: ModuleOp, store: WeightStore, source: str, preprocess: str = "") -> Samples:
    """The samples of a path, or those that `data-free` makes up; `preprocess` says how pictures become inputs."""
    if preprocess and not Path(source).is_dir():
        message = f"expected a folder of pictures to prepare, not {source}. Leave --preprocess out."
        raise DnncError(Finding("--preprocess", message, "E0128"))
    if is_data_free(source):
        made = synthesize(module, store, stated(source))
        return of_rows(made.samples, made.how)
    how = read_preprocessing(preprocess) if preprocess else None
    return samples_at(Path(source), main_function(module), how)


def samples_at(path: Path, function: FuncOp, preprocessing: Preprocessing | None = None) -> Samples:
    """The samples of a folder, one a file, or of one .npz or .npy file."""
    return of_folder(path, function, preprocessing) if path.is_dir() else of_rows(load_samples(path, function))


def of_folder(folder: Path, function: FuncOp, preprocessing: Preprocessing | None) -> Samples:
    """A sample for each file of a folder, by name: .npy of the one input, .npz of every input, or pictures."""
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in (*ARRAYS, *ENDINGS))
    kinds = {f.suffix.lower() in ENDINGS for f in files}
    if len(kinds) != 1:
        got = "both" if kinds else "none"
        message = (
            f"expected arrays (.npy, .npz) or pictures ({', '.join(ENDINGS)}), not {got}. Give a folder of one kind."
        )
        raise DnncError(Finding(str(folder), message, "E0129"))
    types = function.function_type.inputs.data
    if kinds == {True}:
        prepared = _stated(preprocessing, folder, types)
        read = lambda i: [_picture(files[i], prepared, types[0])]  # noqa: E731
    elif preprocessing is not None:
        message = "expected pictures to prepare with --preprocess, not arrays, which are inputs already. Leave it out."
        raise DnncError(Finding(str(folder), message, "E0128"))
    else:
        read = lambda i: _arrays(files[i], function)  # noqa: E731
    return Samples(len(files), read, lambda: [part for f in files for part in (f.name.encode(), f.read_bytes())])


def _stated(preprocessing: Preprocessing | None, folder: Path, types: Sequence[Attribute]) -> Preprocessing:
    """The preprocessing of pictures, which nobody can guess, for a network that reads one of them."""
    if len(types) != 1:
        message = f"expected a network of one input for pictures, not of {len(types)}. Give arrays as .npz files."
        raise DnncError(Finding(str(folder), message, "E0129"))
    if preprocessing is None:
        message = (
            "expected how pictures become inputs, not pictures alone. Say it: --preprocess 'resize=256, crop=224, ...'."
        )
        raise DnncError(Finding(str(folder), message, "E0128"))
    return preprocessing


def _picture(path: Path, preprocessing: Preprocessing, type_: Attribute) -> np.ndarray:
    assert isinstance(type_, TensorType)
    x = read_image(path, preprocessing)
    want = shape_of(type_)
    if x.shape not in (want, want[1:]):
        got = "x".join(map(str, x.shape))
        message = (
            f"expected a picture that becomes {tensor_text(type_)}, not {got}. Change resize, crop, channels or layout."
        )
        raise DnncError(Finding(str(path), message, "E0112"))
    return x.reshape(want).astype(dtype(type_.element_type))


def _arrays(path: Path, function: FuncOp) -> Sample:
    """One sample from a file of its own, where a first axis of 1 may be left out."""
    given = inputs_of(input_names(function), read_arrays(path), str(path))
    return [_shaped(x, type_, path) for x, type_ in zip(given, function.function_type.inputs.data)]


def _shaped(x: np.ndarray, type_: Attribute, path: Path) -> np.ndarray:
    want = shape_of(type_)
    if x.shape != want and (1, *x.shape) != want:
        got = "x".join(map(str, x.shape)) or "a scalar"
        message = (
            f"expected one sample of {tensor_text(type_)}, not {got}. A stack of samples is given as the file itself."
        )
        raise DnncError(Finding(str(path), message, "E0112"))
    return x.reshape(want)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Arrays of an .npz file by name, or the one of an .npy file; a located error for anything else."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {path.stem: loaded}
        with loaded:
            return {k: loaded[k] for k in loaded.files}
    except FileNotFoundError as e:
        message = "expected an .npz or .npy file, found nothing there. Check the path."
        raise DnncError(Finding(str(path), message, "E0101")) from e
    except (ValueError, OSError, EOFError, KeyError, BadZipFile, NotImplementedError) as e:
        reason = str(e).split(". ")[0]
        message = f"expected an .npz or .npy file with numeric arrays, not this ({reason}). Write it with numpy.savez."
        raise DnncError(Finding(str(path), message, "E0110")) from e


def chosen(names: Sequence[str], arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The arrays of a file for these inputs: by name, else in order where no array has a name or there is one of each.

    Nothing when neither holds. `arr_0`, `arr_1`, .. are the names numpy.savez gives to arrays without one.
    """
    if set(names) <= set(arrays):
        return [arrays[n] for n in names]
    unnamed = all(re.fullmatch(r"arr_\d+", n) for n in arrays)
    return list(arrays.values()) if unnamed or len(names) == len(arrays) == 1 else []


def inputs_of(names: Sequence[str], arrays: Mapping[str, np.ndarray], source: str) -> list[np.ndarray]:
    """The array of each input, as `chosen`; DnncError where one has none."""
    found = chosen(names, arrays)
    if len(found) < len(names):
        message = f"expected arrays for the inputs {', '.join(names)}, not {', '.join(arrays) or 'none'}."
        raise DnncError(Finding(source, message, "E0115"))
    return found[: len(names)]


def load_samples(path: Path, function: FuncOp) -> list[list[np.ndarray]]:
    """Samples of an .npz or .npy file, its arrays taken as `chosen` says: [N, ...] is cut into N of the input's shape."""
    names, arrays = input_names(function), read_arrays(path)
    if "labels" not in names:
        arrays.pop("labels", None)
    inputs = inputs_of(names, arrays, str(path))
    return cut_samples(inputs, function.function_type.inputs.data, str(path))


def cut_samples(arrays: Sequence[np.ndarray], types: Sequence[Attribute], where: str) -> list[list[np.ndarray]]:
    """Arrays [N, ...] as samples that fit inputs of these types."""
    columns = []
    for x, type_ in zip(arrays, types):
        shape = shape_of(type_)
        size = int(np.prod(shape, dtype=np.int64))
        one = shape[1:] if shape and shape[0] == 1 and x.shape[1:] == shape[1:] else shape
        if x.shape == shape:
            columns.append([x])
        elif x.ndim and x.shape[1:] in (one, shape) and size:
            columns.append([x[i].reshape(shape) for i in range(x.shape[0])])
        else:
            got = "x".join(map(str, x.shape))
            raise DnncError(
                Finding(
                    where, f"expected samples of {tensor_text(type_)} stacked along a first axis, not {got}.", "E0112"
                )
            )
    counts = [len(column) for column in columns]
    if len(set(counts)) > 1:
        raise DnncError(Finding(where, f"expected as many samples for every input, not {counts}.", "E0113"))
    return [list(row) for row in zip(*columns)]

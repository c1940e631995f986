"""A network measured on labelled samples, one after another: what `dnnc eval` prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dnnc import api, pipelines
from dnnc.ir.diagnostics import DnncError, Finding
from dnnc.metrics import average_precision, divergence, hits, in_top, probabilities, psnr
from dnnc.passes.analysis.errors import finite, snr
from dnnc.passes.analysis.sources import read_arrays
from dnnc.progress import each

ON = ("reference", "c", "npu")
IOU, SCORE = 0.5, 0.5  # from which overlap a box is right, and from which score it counts for precision and recall

Labels = Mapping[str, np.ndarray]
Outputs = Mapping[str, np.ndarray]


class Metric(Protocol):
    """Takes the outputs of one sample after another, and has figures at the end."""

    def add(self, sample: int, outputs: Outputs) -> None:
        """Take the outputs of a sample in."""
        ...

    def figures(self) -> dict[str, Any]:
        """The figures over all samples."""
        ...


class Classes:
    """top1 and top5: the share of samples whose label is the best class, or among the best five, of the first output."""

    def __init__(self, labels: Labels, samples: int, source: str):
        self.labels = next(iter(labels.values())).reshape(-1)
        if self.labels.shape != (samples,) or self.labels.dtype.kind not in "iu":
            got = f"{self.labels.dtype} {list(self.labels.shape)}"
            message = f"expected {samples} whole numbers, a label a sample, not {got}. Give others with --labels."
            raise DnncError(Finding(source, message, "E0116"))
        self.right = {1: 0, 5: 0}

    def add(self, sample: int, outputs: Outputs) -> None:
        """Look for the label of a sample among its best classes."""
        scores = next(iter(outputs.values()))
        for k in self.right:
            self.right[k] += in_top(scores, int(self.labels[sample]), k)

    def figures(self) -> dict[str, Any]:
        """The two shares."""
        return {f"top{k}": n / len(self.labels) for k, n in self.right.items()}


class Pictures:
    """The mean PSNR of the first output, its peak the range of the labels."""

    def __init__(self, labels: Labels, samples: int, source: str):
        self.pictures = next(iter(labels.values()))
        if len(self.pictures) != samples:
            message = f"expected {samples} pictures, one a sample, not {len(self.pictures)}. Give others with --labels."
            raise DnncError(Finding(source, message, "E0116"))
        self.source = source
        self.peak = float(np.ptp(self.pictures.astype(np.float64)))
        self.found: list[float | None] = []

    def add(self, sample: int, outputs: Outputs) -> None:
        """Compare a picture with its label."""
        picture, label = next(iter(outputs.values())), self.pictures[sample]
        if picture.size != label.size:
            message = f"expected pictures of {picture.size} elements, not of {label.size}. Give others with --labels."
            raise DnncError(Finding(self.source, message, "E0116"))
        self.found.append(psnr(label.reshape(-1), picture.reshape(-1), self.peak))

    def figures(self) -> dict[str, Any]:
        """The mean over the pictures that are not exact, and how many are."""
        inexact = [x for x in self.found if x is not None]
        return {"psnr_db": float(np.mean(inexact)) if inexact else None, "exact": len(self.found) - len(inexact)}


class Boxes:
    """Precision and recall of boxes that score 0.5 or more, mean IoU of the right ones, and mAP, all at an IoU of 0.5.

    An output of shape [..., N, 4] holds boxes, the other one scores [..., N] or [..., N, classes]; suppression of boxes
    that overlap is the network's. Labels are arrays `boxes` [M, 4], `image` [M] and, with several classes, `classes` [M].
    """

    def __init__(self, labels: Labels, samples: int, source: str):
        if missing := [n for n in ("boxes", "image") if n not in labels]:
            found = ", ".join(labels) or "none"
            message = f"expected arrays boxes [M, 4] and image [M], not {found}: no '{missing[0]}'. Write both."
            raise DnncError(Finding(source, message, "E0116"))
        self.boxes, self.image, self.source = labels["boxes"].reshape(-1, 4), labels["image"].reshape(-1), source
        self.classes = labels.get("classes", np.zeros(len(self.image), np.int64)).reshape(-1)
        if not len(self.boxes) == len(self.image) == len(self.classes):
            counts = [len(self.boxes), len(self.image), len(self.classes)]
            raise DnncError(Finding(source, f"expected as many boxes as images and classes, not {counts}.", "E0116"))
        self.found: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}

    def add(self, sample: int, outputs: Outputs) -> None:
        """Match the boxes of a sample, class by class."""
        boxes, scores = self._split(outputs)
        for c in range(scores.shape[1]):
            truth = self.boxes[(self.image == sample) & (self.classes == c)]
            self.found.setdefault(c, []).append(hits(boxes, scores[:, c], truth, IOU))

    def _split(self, outputs: Outputs) -> tuple[np.ndarray, np.ndarray]:
        arrays = list(outputs.values())
        at = next((i for i, a in enumerate(arrays) if a.ndim > 1 and a.shape[-1] == 4), None)
        if len(arrays) != 2 or at is None or arrays[1 - at].size % (arrays[at].size // 4 or 1):
            shapes = ", ".join(f"{n} {list(a.shape)}" for n, a in outputs.items())
            message = f"expected two outputs, boxes [N, 4] and scores [N] or [N, classes], not {shapes}."
            raise DnncError(Finding("--task boxes", message, "E0116"))
        boxes = arrays[at].reshape(-1, 4)
        return boxes, arrays[1 - at].astype(np.float64).reshape(len(boxes), -1)

    def figures(self) -> dict[str, Any]:
        """Figures over all samples; mAP is the mean over the classes that occur."""
        per_class = {c: tuple(map(np.concatenate, zip(*pairs))) for c, pairs in self.found.items()}
        overlap = np.concatenate([o[s >= SCORE] for o, s in per_class.values()]) if per_class else np.zeros(0)
        right, given = int(np.count_nonzero(overlap)), len(overlap)
        precisions = [
            average_precision(o > 0, s, n) for c, (o, s) in per_class.items() if (n := int((self.classes == c).sum()))
        ]
        return {
            "precision": right / given if given else None,
            "recall": right / len(self.boxes) if len(self.boxes) else None,
            "iou": float(overlap[overlap > 0].mean()) if right else None,
            "map": float(np.mean(precisions)) if precisions else None,
        }


METRICS: dict[str, Callable[[Labels, int, str], Metric]] = {"classes": Classes, "pictures": Pictures, "boxes": Boxes}


class Agreement:
    """How near the first output is to that of the float network: same best class, KL divergence, SNR."""

    def __init__(self) -> None:
        self.samples = self.same = 0
        self.divergence = self.signal = self.noise = 0.0

    def add(self, reference: np.ndarray, output: np.ndarray) -> None:
        """Compare one sample."""
        x, y = reference.astype(np.float64).reshape(-1), output.astype(np.float64).reshape(-1)
        self.samples += 1
        self.same += int(x.argmax() == y.argmax())
        self.divergence += divergence(probabilities(x), probabilities(y))
        self.signal += float((x * x).sum())
        self.noise += float(((y - x) ** 2).sum())

    def figures(self, scores: bool) -> dict[str, Any]:
        """Figures over all samples; agreement and divergence (in nats) only of scores of classes."""
        n = max(1, self.samples)
        facts = {"agreement": self.same / n, "kl": finite(self.divergence / n)} if scores else {}
        return facts | {"snr_db": snr(self.signal, self.noise)}


def labels_of(data: Path, labels: str, task: str) -> Labels:
    """Labels from a file, or from the array of the data that has the name."""
    if Path(labels).suffix in (".npy", ".npz"):
        return read_arrays(Path(labels))
    arrays = read_arrays(data)
    if task == "boxes":
        return arrays
    if labels not in arrays:
        message = f"expected labels in an array '{labels}', not only {', '.join(arrays)}. Name them with --labels."
        raise DnncError(Finding(str(data), message, "E0116"))
    return {labels: arrays[labels]}


def evaluate(
    network: api.Network,
    data: api.Samples,
    labels: Labels,
    task: str = "classes",
    on: Sequence[str] = ("reference",),
    target: str = api.DEFAULT_TARGET,
    calibrate: api.Samples | None = None,
    against: bool = False,
) -> dict[str, Any]:
    """Figures of a network on labelled samples, for each executor; one sample is kept at a time.

    `reference` interprets what the others run: with `calibrate` the int8 network. With `against` each is also compared with
    the network in float.
    """
    if unknown := [e for e in on if e not in ON]:
        raise DnncError(Finding("--on", f"expected some of {', '.join(ON)}, not '{unknown[0]}'.", "E0109"))
    samples = pipelines.as_samples(network, data)
    runs = {e: _executor(e, network, target, calibrate) for e in on}
    metrics = {e: METRICS[task](labels, len(samples), "labels") for e in on}
    agreements = {e: Agreement() for e in on}
    names = network.outputs()
    for i, sample in enumerate(each(samples, "samples evaluated")):
        floats = network.run(*sample)[0] if against else None
        for e in on:
            outputs = runs[e](*sample)
            metrics[e].add(i, dict(zip(names, outputs)))
            if floats is not None:
                agreements[e].add(floats, outputs[0])
    rows = [
        {"on": e, **metrics[e].figures(), **(agreements[e].figures(task == "classes") if against else {})} for e in on
    ]
    return {"task": task, "samples": len(samples), "executors": rows}


def _executor(
    on: str, network: api.Network, target: str, calibrate: api.Samples | None
) -> Callable[..., list[np.ndarray]]:
    if on != "reference":
        return api.compile(network, target, on, calibrate=calibrate).run
    if calibrate is None:
        return network.run
    passes = pipelines.DYNAMIC if pipelines.is_dynamic(calibrate) else "int8"
    return api.compile(network, target, "ir", passes, calibrate).run

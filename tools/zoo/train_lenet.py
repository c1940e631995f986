"""`python -m dnnc.zoo.train_lenet -o DIR`: train the zoo's LeNet-5 on handwritten digits and write it as ONNX.

Writes `lenet5.onnx`, `digits_test.npz` (x, labels: images never trained on) and `digits_calibration.npz` (x only: the
first training images). torch and scikit-learn, the extra `[zoo]`, are imported where they are used.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import OrderedDict
from collections.abc import Sequence
from importlib.util import find_spec
from math import ceil, radians
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dnnc.zoo import digits
from dnnc.zoo.lenet import lenet5
from dnnc.zoo.network import with_weights

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn  # pyright: ignore[reportMissingImports]

# Chosen by 4-fold cross-validation within the training images; the held-out ones took no part.
EPOCHS = 60
BATCH = 64
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 1e-4
ROTATION, SCALING, SHEAR, SHIFT = radians(10), 0.1, 0.1, 2 / 14  # each +-; a shift of 2 pixels, in half image widths

CALIBRATION = 128


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, write the three files, print what they are; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dnnc.zoo.train_lenet", description="Train LeNet-5 on digits.")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder for the three files")
    parser.add_argument("--seed", type=int, default=0, help="seed of the split, the weights and the order (default 0)")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"passes over the training images ({EPOCHS})")
    options = parser.parse_args(arguments)
    missing = [package for package in ("torch", "sklearn") if find_spec(package) is None]
    if missing:
        parser.error(f"torch and sklearn are expected, {' and '.join(missing)} is not there. pip install 'dnnc[zoo]'")
    start = time.perf_counter()
    images, labels = digits.load()
    training, held_out = digits.split(labels, options.seed)
    network = train(images[training], labels[training], options.epochs, options.seed)
    for name, chosen in (("training", training), ("held-out", held_out)):
        right = int((predict(network, images[chosen]) == labels[chosen]).sum())
        print(f"{name}: {right} of {len(chosen)} right, {right / len(chosen):.2%}")
    options.output.mkdir(parents=True, exist_ok=True)
    model = with_weights(lenet5(), weights_of(network))
    (options.output / "lenet5.onnx").write_bytes(model.SerializeToString())
    np.savez_compressed(options.output / "digits_test.npz", x=images[held_out], labels=labels[held_out])
    np.savez_compressed(options.output / "digits_calibration.npz", x=images[training[:CALIBRATION]])
    print(
        f"{options.output}: lenet5.onnx, digits_test.npz, digits_calibration.npz in {time.perf_counter() - start:.0f} s"
    )
    return 0


def train(images: np.ndarray, labels: np.ndarray, epochs: int, seed: int) -> nn.Sequential:
    """LeNet-5 trained with AdamW, cosine schedule and slightly distorted images; two threads, so that sums repeat."""
    import torch  # pyright: ignore[reportMissingImports]
    from torch.nn.functional import cross_entropy  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    order = torch.Generator().manual_seed(seed)
    x, t = torch.from_numpy(images), torch.from_numpy(labels)
    network = _lenet5()
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * ceil(len(x) / BATCH))
    for _ in range(epochs):
        for batch in torch.randperm(len(x), generator=order).split(BATCH):
            optimizer.zero_grad()
            cross_entropy(network(_distort(x[batch], order)), t[batch]).backward()
            optimizer.step()
            schedule.step()
    return network


def predict(network: nn.Sequential, images: np.ndarray) -> np.ndarray:
    """The digit with the largest logit, int64 [N]."""
    import torch  # pyright: ignore[reportMissingImports]

    with torch.no_grad():
        return network(torch.from_numpy(images)).argmax(1).numpy()


def weights_of(network: nn.Sequential) -> dict[str, np.ndarray]:
    """Parameters under the names that the zoo's LeNet-5 gives its initializers: `conv1.weight`, `ip2.bias`, ..."""
    return {name: tensor.detach().numpy() for name, tensor in network.state_dict().items()}


def _lenet5() -> nn.Sequential:
    """The layers of `dnnc.zoo.lenet.lenet5`, name by name."""
    from torch import nn  # pyright: ignore[reportMissingImports]

    layers = OrderedDict[str, nn.Module](
        conv1=nn.Conv2d(1, 20, 5),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(20, 50, 5),
        pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        ip1=nn.Linear(800, 500),
        relu1=nn.ReLU(),
        ip2=nn.Linear(500, 10),
    )
    return nn.Sequential(layers)


def _distort(x: Tensor, random: Generator) -> Tensor:
    """Each image rotated, scaled, sheared and shifted a little, by a random affine map."""
    import torch  # pyright: ignore[reportMissingImports]
    from torch.nn.functional import affine_grid, grid_sample  # pyright: ignore[reportMissingImports]

    def within(limit: float) -> Tensor:
        return (2 * torch.rand(len(x), generator=random) - 1) * limit

    angle, scale, shear = within(ROTATION), 1 + within(SCALING), within(SHEAR)
    across = torch.stack([angle.cos() * scale, shear - angle.sin() * scale, within(SHIFT)], dim=1)
    down = torch.stack([angle.sin() * scale, angle.cos() * scale, within(SHIFT)], dim=1)
    grid = affine_grid(torch.stack([across, down], dim=1), list(x.shape), align_corners=False)
    return grid_sample(x, grid, align_corners=False)


if __name__ == "__main__":
    sys.exit(main())

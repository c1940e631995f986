"""Handwritten digits for the LeNets: scikit-learn's bundled 8x8 images, enlarged to 28x28, and how they are divided."""

import numpy as np

GREY_LEVELS = 16
ENLARGE = 3
BORDER = 2
HELD_OUT = 400


def enlarge(images: np.ndarray) -> np.ndarray:
    """[N, 8, 8] of 0..16 -> float32 [N, 1, 28, 28] of 0..1: each pixel three by three times, a border of 2 zeros."""
    pixels = images.repeat(ENLARGE, axis=1).repeat(ENLARGE, axis=2)
    framed = np.pad(pixels, ((0, 0), (BORDER, BORDER), (BORDER, BORDER)))
    return (framed / GREY_LEVELS).astype(np.float32)[:, np.newaxis]


def load() -> tuple[np.ndarray, np.ndarray]:
    """The 1797 images, enlarged, and their labels as int64 [1797]. Needs scikit-learn."""
    from sklearn.datasets import load_digits  # pyright: ignore[reportMissingImports]

    pixels, labels = load_digits(return_X_y=True)
    return enlarge(np.reshape(pixels, (-1, 8, 8))), np.asarray(labels, np.int64)


def split(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Shuffled indices for training and for the held-out test, each digit in both in proportion. Needs scikit-learn."""
    from sklearn.model_selection import train_test_split  # pyright: ignore[reportMissingImports]

    indices = np.arange(len(labels))
    training, held_out = train_test_split(indices, test_size=HELD_OUT, random_state=seed, stratify=labels)
    return np.asarray(training), np.asarray(held_out)

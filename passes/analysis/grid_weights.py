"""Float weights that are whole multiples of a scale: what training with a weight quantizer leaves."""

from __future__ import annotations

import numpy as np

MOST_LEVELS = 64
"""Different magnitudes of a channel; weights that took more were hardly trained on a grid."""

_NEAR = 1e-5  # of a step: how far float32 and the exporter's arithmetic move a weight
_LARGEST = 127


def grid_of(w: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """(int8 q, float32 s) with w[m] = s[m] * q[m] for each output channel m, the first dimension; None where there are none."""
    rows = w.reshape(len(w), -1).astype(np.float64)
    found = [_channel(row) for row in rows]
    if not w.size or any(s is None for s in found):
        return None
    scales = np.array(found, np.float64)
    integers = np.rint(rows / scales[:, None])
    return integers.astype(np.int8).reshape(w.shape), scales.astype(np.float32)


def _channel(row: np.ndarray) -> float | None:
    """The scale of a channel: its smallest magnitude or smallest step between magnitudes, refined by least squares."""
    sizes = np.unique(np.abs(row))
    if not np.all(np.isfinite(sizes)) or not sizes.any():
        return 1.0 if not sizes.any() else None
    top = sizes[-1]
    merged = sizes[np.concatenate([[True], np.diff(sizes) > _NEAR * top / _LARGEST])]
    if len(merged) > MOST_LEVELS:
        return None
    scale = float(np.diff(np.concatenate([[0.0], merged[merged > 0]])).min())
    q = np.rint(row / scale)
    if np.abs(q).max() > _LARGEST:
        return None
    scale = float((row * q).sum() / (q * q).sum())
    return scale if np.all(np.abs(row - scale * q) <= _NEAR * scale * np.maximum(1, np.abs(q))) else None

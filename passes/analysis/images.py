"""Pictures as inputs of a network, by a preprocessing that is stated: nobody can guess it from a model."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from dnnc.ir.diagnostics import Collector, DnncError, Finding, nearest

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
CHOICES = {
    "layout": ("NCHW", "NHWC"),
    "channels": ("RGB", "BGR", "L"),
    "filter": ("bilinear", "nearest", "bicubic", "box"),
}


@dataclass(frozen=True)
class Preprocessing:
    """X = (scale * pixel - mean) / std, pixels 0 to 255, after resize and a crop of the middle.

    `resize` is [height, width], or the length of the shorter side; `crop` [height, width], or the side of a square; `mean` and
    `std` one number, or one a channel; `channels` RGB, BGR or L (grey); `layout` NCHW or NHWC.
    """

    resize: tuple[int, ...] = ()
    crop: tuple[int, ...] = ()
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    layout: str = "NCHW"
    channels: str = "RGB"
    filter: str = "bilinear"

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height after resizing."""
        if len(self.resize) == 2:
            return self.resize[1], self.resize[0]
        factor = self.resize[0] / min(width, height)
        return round(width * factor), round(height * factor)


def read_preprocessing(text: str) -> Preprocessing:
    """A preprocessing from a .toml file, or from its lines with commas between: `resize=256, crop=224, scale=0.0039`."""
    try:
        given = (
            tomllib.loads(Path(text).read_text()) if text.endswith(".toml") else tomllib.loads(f"x = {{{text}}}")["x"]
        )
    except OSError as e:
        raise DnncError(
            Finding(text, "expected a .toml file, found none that can be read. Check the path.", "E0101")
        ) from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        message = f"expected lines such as resize=256, mean=[0.5, 0.5, 0.5], layout='NCHW', not this ({e})."
        raise DnncError(Finding(f"--preprocess {text}", message, "E0128")) from e
    return _checked(given, f"--preprocess {text}")


def _checked(given: Mapping[str, Any], place: str) -> Preprocessing:
    """The fields with the types they have; all mistakes at once."""
    report, known = Collector(), {f.name: f.type for f in fields(Preprocessing)}
    values = {}
    for key, value in given.items():
        if key not in known:
            message = f"expected one of {', '.join(known)}, not '{key}'. {nearest(key, known).strip()}".rstrip()
            report.error(place, message, "E0128")
        elif (value := _field(key, value)) is None:
            report.error(place, f"expected {_WANTED[key]} for {key}, not {given[key]!r}.", "E0128")
        else:
            values[key] = value
    report.raise_if_any()
    return Preprocessing(**values)


_WANTED = {
    **dict.fromkeys(("resize", "crop"), "a whole number of pixels above 0, or [height, width],"),
    "scale": "a number",
    **dict.fromkeys(("mean", "std"), "a number, or one a channel,"),
    **{key: f"one of {', '.join(words)}" for key, words in CHOICES.items()},
}


def _field(key: str, value: Any) -> Any:
    """A value as its field has it; None when it is not of that type."""
    if key in CHOICES:
        return value if value in CHOICES[key] else None
    several = value if isinstance(value, list) else [value]
    if any(isinstance(v, bool) or not isinstance(v, (int, float)) or not np.isfinite(v) for v in several):
        return None
    if key in ("resize", "crop"):
        return tuple(several) if len(several) in (1, 2) and all(isinstance(v, int) and v > 0 for v in several) else None
    if key == "scale":
        return float(several[0]) if value is several[0] else None
    return tuple(map(float, several)) if len(several) in (1, 3) and (key == "mean" or all(several)) else None


def read_image(path: Path, how: Preprocessing) -> np.ndarray:
    """A picture as float32 [channels, height, width], or [height, width, channels]."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as e:
        message = "expected Pillow, which reads pictures, not an environment without it. Install it: pip install 'dnnc[images]'."
        raise DnncError(Finding(str(path), message, "E0130")) from e
    try:
        with Image.open(path) as opened:
            image = opened.convert("L" if how.channels == "L" else "RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as e:
        message = f"expected a picture that Pillow reads, not this ({e}). Convert it, or leave it out."
        raise DnncError(Finding(str(path), message, "E0110")) from e
    if how.resize:
        image = image.resize(how.size(*image.size), Image.Resampling[how.filter.upper()])
    return prepared(np.asarray(image), how, str(path))


def prepared(pixels: np.ndarray, how: Preprocessing, where: str) -> np.ndarray:
    """Pixels [height, width] or [height, width, 3] cropped, scaled and laid out."""
    x = pixels[..., None] if pixels.ndim == 2 else pixels
    if how.crop:
        h, w = how.crop[0], how.crop[-1]
        top, left = (x.shape[0] - h) // 2, (x.shape[1] - w) // 2
        if top < 0 or left < 0:
            message = (
                f"expected at least {h}x{w} pixels to crop, not {x.shape[0]}x{x.shape[1]}. Resize before: resize=..."
            )
            raise DnncError(Finding(where, message, "E0112"))
        x = x[top : top + h, left : left + w]
    x = x[..., ::-1] if how.channels == "BGR" else x
    if len({1, x.shape[-1], len(how.mean), len(how.std)}) > 2 or x.shape[-1] < max(len(how.mean), len(how.std)):
        message = f"expected a mean and a std for {x.shape[-1]} channel, not for {max(len(how.mean), len(how.std))}."
        raise DnncError(Finding(where, message, "E0128"))
    y = (x.astype(np.float64) * how.scale - np.array(how.mean)) / np.array(how.std)
    return np.ascontiguousarray(y if how.layout == "NHWC" else y.transpose(2, 0, 1)).astype(np.float32)

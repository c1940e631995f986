"""How wide a text is at most: the advances of DejaVu Sans, the widest of the common interface fonts."""

from __future__ import annotations

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

# Hundredths of the size, for the characters from space to tilde; any other counts as a full square.
_PLAIN = (
    32, 41, 46, 84, 64, 96, 78, 28, 40, 40, 50, 84, 32, 37, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34, 34, 84, 84, 84, 54,
    100, 69, 69, 70, 78, 64, 58, 78, 76, 30, 30, 66, 56, 87, 75, 79, 61, 79, 70, 64, 62, 74, 69, 99, 69, 62, 69, 40, 34, 40, 84, 50,
    50, 62, 64, 55, 64, 62, 36, 64, 64, 28, 28, 58, 28, 98, 64, 62, 64, 64, 42, 53, 40, 64, 60, 82, 60, 60, 53, 64, 34, 64, 84,
)  # fmt: skip
_BOLD = (
    35, 46, 53, 84, 70, 101, 88, 31, 46, 46, 53, 84, 38, 42, 38, 37, 70, 70, 70, 70, 70, 70, 70, 70,
    70, 70, 40, 40, 84, 84, 84, 59, 100, 78, 77, 74, 84, 69, 69, 83, 84, 38, 38, 78, 64, 100, 84, 86,
    74, 86, 78, 73, 69, 82, 78, 111, 78, 73, 73, 46, 37, 46, 84, 50, 50, 68, 72, 60, 72, 68, 44, 72,
    72, 35, 35, 67, 35, 105, 72, 69, 72, 72, 50, 60, 48, 72, 66, 93, 65, 66, 59, 72, 37, 72, 84,
)  # fmt: skip
_OTHER = 100


def width(text: str, size: float, bold: bool = False) -> float:
    """The width of a text set in `size` pixels."""
    table = _BOLD if bold else _PLAIN
    return sum(table[ord(c) - 32] if " " <= c <= "~" else _OTHER for c in text) * size / 100


def fitted(text: str, limit: float, size: float, bold: bool = False) -> str:
    """The text, or as much of its two ends as fits into `limit` pixels around an ellipsis."""
    if width(text, size, bold) <= limit:
        return text
    for kept in range(len(text) - 1, 0, -1):
        short = f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"
        if width(short, size, bold) <= limit:
            return short
    return "…"


def si(value: int, unit: str) -> str:
    """A count in three digits with its prefix: `231 M MACs`, `51.0 kB`; what is below 1000 as it is."""
    for factor, prefix in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= factor:
            return f"{_three_digits(value / factor)} {prefix}{'' if unit == 'B' else ' '}{unit}"
    return f"{value} {unit}"


def _three_digits(x: float) -> str:
    return f"{x:.2f}" if x < 9.995 else f"{x:.1f}" if x < 99.95 else f"{x:.0f}"

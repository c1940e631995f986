"""Requantize as compiled C = `dnnc.ir.fixed`, every rounding mode, with and without fused multiply-adds."""

import ctypes
import subprocess

import numpy as np
import pytest

from dnnc.backends.c.runtime import runtime_for
from dnnc.ir import fixed
from dnnc.ir.fixed import Rounding

FLAGS = {
    "O0": ("-O0",),
    "fused": ("-O3", "-march=native", "-ffp-contract=fast"),
    "integers": ("-O2", "-DDNNC_DOUBLES=0"),
    "sanitized": ("-O1", "-fsanitize=undefined", "-fno-sanitize-recover=all", "-static-libubsan"),
}
SMALL = (Rounding.Q31_HALF_EVEN, Rounding.F32_HALF_EVEN)
NAMES = [
    f"dnnc_rescale_{m.value}{s}_{b}" for m in Rounding for b in (8, 32) for s in ("", "_small") if not s or m in SMALL
]
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Werror")


@pytest.fixture(scope="module", params=FLAGS)
def library(request, tmp_path_factory):
    """The row functions of the runtime behind exported names."""
    directory = tmp_path_factory.mktemp("rescale")
    top = "#include <stddef.h>\n#include <stdint.h>\n#include <string.h>\n"
    source = directory / "rescale.c"
    source.write_text(top + runtime_for(" ".join(NAMES)) + "\n".join(_exported(n) for n in NAMES))
    command = ["cc", *STRICT, *FLAGS[request.param], "-shared", "-fPIC", "-o", directory / "rescale.so", source]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(directory / "rescale.so"))


def _exported(name):
    y = "uint8_t" if "_8" in name else "uint32_t"
    return f"""
void call_{name}({y} *y, const int32_t *acc, const int32_t *q, const int32_t *s, int32_t rows, int32_t n, int32_t z);
void call_{name}({y} *y, const int32_t *acc, const int32_t *q, const int32_t *s, int32_t rows, int32_t n, int32_t z)
{{
    for (int32_t r = 0; r < rows; ++r) {{
        {name}(y + r * n, acc + r * n, n, q[r], s[r], z, {"-128, 127" if "_8" in name else "INT32_MIN, INT32_MAX"});
    }}
}}
"""


def run(library, name, acc, q, shift, zero):
    """Rows of accumulators, one multiplier each."""
    kind = np.int8 if "_8" in name else np.int32
    y = np.empty(acc.shape, kind)
    arrays = [y, *(np.ascontiguousarray(a, np.int32) for a in (acc, q, shift))]
    library[f"call_{name}"](*(ctypes.c_void_p(a.ctypes.data) for a in arrays), *acc.shape, zero)
    return y


def check(library, mode, acc, q, shift, zero=3):
    """Both widths, and the short form where it holds; all equal to `fixed.requantize`."""
    scale = q.astype(np.float64) * 2.0 ** -shift.astype(np.float64)
    small = (
        (np.abs(acc.astype(np.int64)) < 1 << 29) & (np.abs(acc * scale[:, None]) < 1 << 30) & (q[:, None] % 128 == 0)
    )
    for bits, (low, high) in {8: (-128, 127), 32: (-(2**31), 2**31 - 1)}.items():
        want = fixed.requantize(acc, q[:, None], shift[:, None], zero, low, high, mode)
        got = run(library, f"dnnc_rescale_{mode.value}_{bits}", acc, q, shift, zero)
        assert (got == want).all()
        if mode in SMALL:
            got = run(library, f"dnnc_rescale_{mode.value}_small_{bits}", np.where(small, acc, 0), q, shift, zero)
            assert (got == want)[small].all()


@pytest.mark.parametrize("mode", Rounding)
@pytest.mark.parametrize("bits", [14, pytest.param(20, marks=pytest.mark.full)])
def test_random_sums(library, vectors, mode, bits):
    v = vectors.random(bits)
    check(library, mode, v.acc, v.q, v.shift, v.zero)


@pytest.mark.parametrize("mode", Rounding)
def test_every_tie(library, vectors, mode):
    for v in vectors.ties():
        check(library, mode, v.acc, v.q, v.shift, v.zero)

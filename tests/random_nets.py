"""Random networks as .dnn text, random targets as TOML text and random options of passes, for differential tests.

Layers of every family in chains, branches and joins, in float or with quantizers of any scale between them; memories apart and
together, down to sizes where little fits, other arrays, ports, queues and arenas.
"""

import tomllib
from math import prod
from pathlib import Path

import numpy as np

from dnnc.ir.dnn.attributes import Window

TARGETS = Path(__file__).parents[1] / "backends" / "npu" / "targets"
SHARES = ("iow a p", "iowap", "i o w a p", "io w ap", "ioa wp", "iw oa p", "iop w a")
"""Roles by their first letters; those of a word share a memory."""
MOST = 20_000
RANKS = (2, 3, 4)
FUNCTIONS = (
    *(
        "relu(V)",
        "clip(V, low=0, high=6)",
        "sigmoid(V)",
        "hard_swish(V)",
        "leaky_relu(V, alpha=0.1)",
        "tanh(V)",
        "V * 0.5",
    ),
    *("hard_sigmoid(V)", "abs(V)", "1.0 - V", "clip(V, low=-0.5, high=0.7)", "exp(clip(V, low=-3, high=2))", "gelu(V)"),
)


class Draw:
    """Seeded choices."""

    def __init__(self, *seed):
        self.rng = np.random.default_rng(seed)

    def maybe(self, chance):
        return self.rng.random() < chance

    def upto(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def one(self, *choices):
        return choices[int(self.rng.integers(0, len(choices)))]

    def size(self, low, high):
        """A power of two between those of two exponents, or what is near one."""
        return int(2 ** self.rng.uniform(low, high))


class RandomNet(Draw):
    """A network that grows by an operation at a time; `values` are the names and shapes of what it has made."""

    def __init__(self, seed):
        super().__init__(seed, 1)
        self.quantizers = self.maybe(0.25)
        self.lines, self.values, self.read, self.inputs, self.computed = [], [], set(), [], set()
        for i in range(self.one(1, 1, 1, 2, 2, 3)):
            batch = self.one(1, 1, 1, 2, 3)
            planes = [self.upto(3, 12), self.upto(3, 12)] if self.maybe(0.5) else [self.upto(9, 33), self.upto(9, 33)]
            shape = self.one(
                *([batch, self.channels(), *planes],) * 3, [batch, self.channels(), planes[1]], [batch, planes[0]]
            )
            self.lines.append(f"input x{i}: f32{shape}")
            self.inputs.append(tuple(shape))
            self.values.append((self.rounded(f"x{i}"), shape))

    def channels(self):
        return self.one(1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 24, 33)

    def text(self, count):
        """The network after `count` operations at most; empty when nothing is computed."""
        names = list(OPERATIONS)
        weights = np.array([OPERATIONS[n] for n in names]) * 2 ** self.rng.normal(0, 1.2, len(names))
        for _ in range(count):
            if not any(len(shape) in RANKS for _, shape in self.values):
                break  # all are too large, or of other ranks
            getattr(self, str(self.rng.choice(names, p=weights / weights.sum())))()
            self.values = [v for v in self.values if prod(v[1]) <= MOST]
        made = [name for name, _ in self.values if name in self.computed]
        ends = [name for name in made if name not in self.read] or made[-1:]
        self.lines.append(f"output {', '.join(ends)}\n")
        return "\n".join(self.lines) if ends else ""

    # Values

    def rounded(self, name):
        """The name of a value, after a quantizer in a network that has them."""
        if self.quantizers:
            self.lines.append(f"{name}q = dequantize(quantize({name}, to={self.type()}))")
        return f"{name}q" if self.quantizers else name

    def type(self, low=-7, high=-3):
        storage = self.one("i8", "i8", "i8", "ui8")
        zero = self.one(0, self.upto(-128, 127)) + 128 * (storage == "ui8")
        return f"q<{storage}, {2 ** self.rng.uniform(low, high):.7f}, {zero}>"

    def add(self, shape, expression, moves=False):
        """One operation more."""
        name = f"v{len(self.lines)}"
        self.lines.append(f"{name} = {expression}")
        moved = {word.strip("(),") for word in expression.replace("(", "( ").split()}
        name = name if moves else self.rounded(name)
        if not moves or moved & self.computed:
            self.computed.add(name)
        self.values.append((name, list(shape)))
        return name

    def pick(self, ranks=RANKS, fits=lambda shape: True):
        """A value, mostly the last one."""
        found = [v for v in self.values if len(v[1]) in ranks and fits(v[1])]
        if not found:
            return None, None
        name, shape = found[-1] if self.maybe(0.65) else self.one(*found)
        self.read.add(name)
        return name, list(shape)

    def weights(self, *shape):
        if not self.quantizers:
            return f"he(f32{list(shape)})"
        if len(shape) == 4 and self.maybe(0.4):
            scales = ", ".join(f"{s:.7f}" for s in 2 ** self.rng.uniform(-8, -6, shape[0]))
            return f"dequantize(he(q<i8, axis 0, [{scales}]>{list(shape)}))"
        return f"dequantize(he({self.type(-8, -6)}{list(shape)}))"

    def constant(self, *shape):
        ends = f"low={self.one(-1, -0.3, 0.1)}, high={self.one(0.5, 1.4)}"
        made = f"uniform({self.type() if self.quantizers else 'f32'}{list(shape)}, {ends})"
        return f"dequantize({made})" if self.quantizers else made

    def bias(self, m):
        return f", bias={self.constant(m)}" if not self.quantizers and self.maybe(0.5) else ""

    def window(self, spatial, largest, pool=False):
        """(text, rows and columns of the result) of a window, or of none that fits."""
        n = len(spatial)
        kernel, stride = [self.upto(1, min(largest, s)) for s in spatial], [self.one(1, 1, 2, 3) for _ in range(n)]
        dilation = [self.one(1, 1, 1, 2) if not pool else 1 for _ in range(n)]
        most = [k // 2 if pool else (k - 1) * d for k, d in zip(kernel, dilation)] * 2
        pad = [m // 2 for m in most] if self.maybe(0.5) and not pool else [self.upto(0, m) for m in most]
        ceil = pool and self.maybe(0.3)
        window = Window.of(kernel, stride, pad, dilation, ceil=ceil)
        text = f"stride={stride}, pad={pad}, dilation={dilation}"
        sums = [s + pad[i] + pad[n + i] - (kernel[i] - 1) * dilation[i] for i, s in enumerate(spatial)]
        out = list(window.output(spatial)) if min(sums) > 0 else None
        return kernel, text + f", kernel={kernel}, ceil={str(ceil).lower()}" * pool, out

    # Operations

    def conv(self):
        x, shape = self.pick((3, 4))
        if x is None:
            return
        batch, c, *spatial = shape
        kernel, window, out = self.window(spatial, 5)
        divisors = [g for g in range(1, c + 1) if c % g == 0]
        groups = self.one(1, 1, 1, c, self.one(*divisors))
        m = self.channels() if groups == 1 else groups * self.upto(1, 2)
        if out is not None:
            w = self.weights(m, c // groups, *kernel)
            self.add([batch, m, *out], f"conv({x}, {w}{self.bias(m)}, {window}, groups={groups})")

    def transposed(self):
        x, shape = self.pick((3, 4), lambda s: max(s[2:]) < 14)
        if x is None:
            return
        batch, c, *spatial = shape
        m, kernel, stride = self.channels(), [self.upto(1, 4) for _ in spatial], [self.upto(1, 3) for _ in spatial]
        out = [(s - 1) * t + k for s, t, k in zip(spatial, stride, kernel)]
        self.add([batch, m, *out], f"conv_transpose({x}, {self.weights(c, m, *kernel)}, stride={stride})")

    def function(self):
        x, shape = self.pick()
        self.add(shape, self.one(*FUNCTIONS).replace("V", x))

    def pool(self):
        x, shape = self.pick((3, 4))
        if x is None:
            return
        _, window, out = self.window(shape[2:], 4, pool=True)
        kind = self.one("max_pool(X, W)", "max_pool(X, W)", "avg_pool(X, W)", "avg_pool(X, W, count_pad=true)")
        if out is not None:
            self.add([*shape[:2], *out], kind.replace("X", x).replace("W", window))

    def reduce(self):
        x, shape = self.pick()
        first = self.upto(1, len(shape) - 1)
        axes = list(range(first, self.upto(first, len(shape) - 1) + 1))
        kind = self.one("reduce_mean", "reduce_mean", "reduce_sum", "reduce_max")
        self.add([1 if i in axes else n for i, n in enumerate(shape)], f"{kind}({x}, axes={axes}, keepdims=true)")

    def product(self):
        x, shape = self.pick()
        m, swapped = self.channels(), self.maybe(0.5)
        matrices = shape[-3:-2] * self.maybe(0.2)
        sides = [m, shape[-1]] if swapped else [shape[-1], m]
        w = self.weights(*matrices, *sides)
        self.add([*shape[:-1], m], f"matmul({x}, {w}{self.bias(m)}, trans_b={str(swapped).lower()})")

    def attention(self):
        x, shape = self.pick((2, 3, 4))
        other = self.one(
            *(v for v in self.values if v[1][:-2] == shape[:-2] and v[1][-1] == shape[-1] and len(v[1]) > 1)
        )
        self.read.add(other[0])
        self.add([*shape[:-1], other[1][-2]], f"matmul({x}, {other[0]}, trans_b=true)")

    def move(self):
        x, shape = self.pick()
        kind, axis = self.upto(0, 5), self.upto(0, len(shape) - 1)
        if kind == 0:
            perm = self.rng.permutation(len(shape)).tolist()
            self.add([shape[i] for i in perm], f"transpose({x}, perm={perm})", True)
        elif kind == 1 and len(shape) > 2:
            to = self.one([shape[0], prod(shape[1:])], [*shape[:-2], prod(shape[-2:])])
            self.add(to, f"reshape({x}, shape={to})", True)
        elif kind == 2:
            before, after = (
                [self.upto(0, 2) if i >= len(shape) - 2 else 0 for i in range(len(shape))] for _ in range(2)
            )
            to = [a + n + b for a, n, b in zip(before, shape, after)]
            self.add(to, f"pad({x}, before={before}, after={after}, value={self.one(0.0, 0.0, -1.0)})", True)
        elif kind == 3 and len(shape) == 4:
            to = [*shape[:2], shape[2] * self.upto(1, 2), shape[3] * 2]
            self.add(to, f"resize({x}, size={to}, mode=nearest, coordinates=asymmetric, rounding=floor)", True)
        elif shape[axis] > 1:  # both parts
            cut = self.upto(1, shape[axis] - 1)
            for first, size in ((0, cut), (cut, shape[axis] - cut)):
                start, to = (
                    [a if i == axis else n for i, n in enumerate(b)] for a, b in ((first, [0] * 4), (size, shape))
                )
                self.add(to, f"slice({x}, start={start[: len(to)]}, size={to})", True)

    def join(self):
        x, shape = self.pick()
        same = [name for name, s in self.values if s == shape]
        varies = [n if self.maybe(0.5) else 1 for n in shape]
        other = self.constant(*varies) if self.maybe(0.3) or not same else self.one(*same)
        self.read.add(other)
        pair = self.one((x, other), (other, x))
        self.add(shape, f"{self.one('add', 'add', 'mul', 'sub', 'max')}({pair[0]}, {pair[1]})")

    def concat(self):
        x, shape = self.pick()
        axis = self.upto(1, len(shape) - 1)
        others = [[n for i, n in enumerate(s) if i != axis] for _, s in [*self.values, (x, shape)]]
        alike = [v for v, rest in zip(self.values, others) if rest == others[-1] and len(v[1]) == len(shape)]
        parts = [(x, shape), *(self.one(*alike) for _ in range(self.upto(1, 2)))]
        self.read.update(name for name, _ in parts)
        to = [sum(s[axis] for _, s in parts) if i == axis else n for i, n in enumerate(shape)]
        self.add(to, f"concat({', '.join(name for name, _ in parts)}, axis={axis})", self.maybe(0.5))

    def normal(self):
        x, shape = self.pick()
        kind = self.one("softmax(X, axis=-1)", "softmax(X, axis=1)", "layer_norm(X, W)", "rms_norm(X, W)")
        self.add(shape, kind.replace("X", x).replace("W", self.constant(shape[-1])))

    def residual(self):
        x, (batch, c, *plane) = self.pick((4,)) if any(len(s) == 4 for _, s in self.values) else (None, (0, 0))
        if x is None:
            return
        m = self.channels()
        a = self.add([batch, m, *plane], f"conv({x}, {self.weights(m, c, 3, 3)}, pad=1)")
        b = self.add([batch, m, *plane], f"relu({a})")
        y = self.add([batch, c, *plane], f"conv({b}, {self.weights(c, m, 3, 3)}, pad=1)")
        self.read.update((a, b, y))
        self.add([batch, c, *plane], f"add({y}, {x})")

    def gate(self):
        x, shape = self.pick((4,))
        if x is None:
            return
        one = [*shape[:2], 1, 1]
        a = self.add(one, f"reduce_mean({x}, axes=[2, 3], keepdims=true)")
        b = self.add(one, f"conv({a}, {self.weights(shape[1], shape[1], 1, 1)})")
        c = self.add(one, f"hard_sigmoid({b})")
        self.read.update((a, b, c))
        self.add(shape, f"mul({x}, {c})")


def random_network(seed):
    """(its text, shapes of its inputs, whether it has quantizers, further choices)."""
    for again in range(100):
        net = RandomNet(1000 * seed + again)
        if text := net.text(net.one(1, 2, 3, 4, 6, 9, 14)):
            return text, net.inputs, net.quantizers, net.rng
    raise AssertionError(seed)


OPERATIONS = {
    **{"conv": 8, "transposed": 1, "function": 4, "pool": 4, "reduce": 1, "product": 3, "attention": 1, "move": 4},
    **{"join": 4, "concat": 2, "normal": 1, "residual": 3, "gate": 1},
}
"""Methods of `RandomNet`, by how often they are tried."""


def random_target(seed):
    """A target of the catalogue with some of its facts changed."""
    d = Draw(seed, 2)
    found = tomllib.loads(
        (TARGETS / f"{d.one('edge', 'tiny', 'eyeriss', 'u55-128', 'diannao', 'tpu-v1')}.toml").read_text()
    )
    found["name"] = f"random{seed}"
    if d.maybe(0.3):
        port = {"read_bytes_per_cycle": d.upto(1, 99), "write_bytes_per_cycle": d.upto(1, 99), "byte_pj": 1.0}
        roles = dict(zip("iowap", ("input", "output", "weight", "accumulator", "parameter")))
        words = d.one(*SHARES).split()
        found["memory"] = {w: {"holds": [roles[c] for c in w], "bytes": d.size(12, 17), **port} for w in words}
    elif d.maybe(0.6):
        for memory in found["memory"].values():
            memory["bytes"] = d.size(10.5, 16)
    if d.maybe(0.3):
        found["array"] |= {k: d.one(1, 2, 3, 7, 8, 16, 20) for k in ("rows", "columns", "depthwise_lanes")}
    if d.maybe(0.4):
        found["dma"] |= {
            "channels": d.upto(1, 2),
            "setup_cycles": d.one(0, 1, 100),
            "burst_bytes": d.one(1, 3, 16, 100),
        }
        found["dma"] |= {"bytes_per_cycle": d.one(1, 3, 8, 128), "constant_bytes_per_cycle": d.one(0, 1, 16)}
    if d.maybe(0.3):
        found["dma"] |= {"decoders": ["dense", "rice"], "decoded_bytes_per_cycle": d.one(1, 3, 32)}
    if d.maybe(0.3):
        found["dram"]["arena_bytes"], found["dma"]["spill_bytes_per_cycle"] = d.size(8, 15), d.one(0, 1, 4)
    if d.maybe(0.4):
        found["queues"] = {"entries": d.one(1, 2, 8), "token_depth": d.one(1, 2, 16), "dispatch_cycles": d.one(0, 1, 3)}
        found["ppu"] = {"lanes": d.one(1, 2, 3, 16), "setup_cycles": d.one(0, 8, 50)}
    memories = found.pop("memory")
    return _toml(found | {f"memory.{name}": memory for name, memory in memories.items()})


def _toml(tables):
    lines, inner = [], []
    for key, value in tables.items():
        if isinstance(value, dict):
            inner.append((key, value))
        else:
            lines.append(f"{key} = {value!r}")
    return "\n".join([*lines, *(f"[{key}]\n{_toml(t)}" for key, t in inner), ""])


def random_options(seed, quantizers):
    """(passes to integers, passes to a program) with the same options of the first."""
    d = Draw(seed, 3)
    weights = ("quantize-weights{bits=3}", "code-weights{form=pow2 method=nearest}")
    first = [] if quantizers or d.maybe(0.7) else ["simplify", d.one(*weights)]
    if d.maybe(0.15):
        first = ["simplify", f"block-convolution{{pixels={d.one(4, 7, 14)}}}"]
    rules = [
        ("quantize.float-softmax=false", 0.4),
        ("quantize.symmetric=true", 0.15),
        ("quantize.power-of-two=true", 0.15),
    ]
    rules += [
        (f"quantize-lower.rounding={d.one('half_up', 'half_away', 'f32_half_even', 'tflite_double', 'trunc')}", 0.3)
    ]
    integers = [text for text, chance in rules if d.maybe(chance)]
    rules = [(f"fuse-layers.slower={d.one(5, 40, 1000)}", 0.4), (f"fuse-layers.features={d.one(30, 200)}", 0.3)]
    rules += [(f"fuse-layers.layers={d.one(1, 2, 3)}", 0.2), (f"keep-on-chip.room={d.one(0, 30, 60)}", 0.3)]
    rules += [
        (f"keep-on-chip.slower={d.one(5, 1000)}", 0.3),
        (f"tile.slack={d.one(0, 100)}", 0.3),
        ("tile.objective=traffic", 0.2),
    ]
    npu = [*integers, *(text for text, chance in rules if d.maybe(chance))]
    return ",".join([*first, f"int8{{{' '.join(integers)}}}"]), ",".join([*first, f"npu{{{' '.join(npu)}}}"])

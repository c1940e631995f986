"""Write an ONNX network layer by layer: values carry the name of the node that makes them, shapes follow along."""

import zlib
from collections.abc import Callable, Mapping
from math import prod, sqrt
from typing import Any

import numpy as np
from onnx import AttributeProto, ModelProto, TensorProto, helper

OPSET = 21
IR_VERSION = 10  # the IR version that came with opset 21

Window = int | tuple[int, int]
Pads = int | tuple[int, int, int, int]
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def _pair(window: Window) -> tuple[int, int]:
    return (window, window) if isinstance(window, int) else window


def _sides(pads: Pads) -> tuple[int, int, int, int]:
    return (pads, pads, pads, pads) if isinstance(pads, int) else pads


def _he(fan_in: int) -> Draw:
    """`w = sqrt(2 / fan_in) * N(0, 1)`: the variance of ReLU activations stays as it is (He et al., ICCV 2015)."""
    return lambda rng, shape: rng.standard_normal(shape, dtype=np.float32) * np.float32(sqrt(2 / fan_in))


def _normal(mean: float, deviation: float) -> Draw:
    return lambda rng, shape: np.float32(mean) + np.float32(deviation) * rng.standard_normal(shape, dtype=np.float32)


def _uniform(low: float, high: float) -> Draw:
    return lambda rng, shape: np.float32(low) + np.float32(high - low) * rng.random(shape, dtype=np.float32)


class Network:
    """An ONNX graph under construction, batch fixed, NCHW, float32, opset 21.

    A weight is drawn from `default_rng([seed, crc32(its name)])`: it depends on nothing but the seed, its name and its
    shape, so editing one layer leaves the others alone. With `shapes_only` a weight is a ConstantOfShape node instead,
    of a value that keeps activations in range (1/fan_in; batch norm: identity), and everything else is the same.
    """

    def __init__(self, name: str, input_shape: tuple[int, ...], seed: int, shapes_only: bool) -> None:
        self.seed = seed
        self.shapes_only = shapes_only
        self.input = "data"
        self.shapes: dict[str, tuple[int, ...]] = {self.input: input_shape}
        data = helper.make_tensor_value_info(self.input, TensorProto.FLOAT, input_shape)
        # Everything is added to this message in place: handing 500 MB of tensors to make_graph would copy them twice.
        self._model = helper.make_model(
            helper.make_graph([], name, [data], []),
            producer_name="dnnc.zoo",
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
        )

    def model(self, output: str) -> ModelProto:
        """The finished model with `output` as its result. Call once, last."""
        info = helper.make_tensor_value_info(output, TensorProto.FLOAT, self.shapes[output])
        self._model.graph.output.append(info)
        return self._model

    # Contractions

    def conv(
        self,
        name: str,
        x: str,
        filters: int,
        kernel: Window,
        stride: int = 1,
        pads: Pads = 0,
        groups: int = 1,
        bias: bool = True,
    ) -> str:
        """Convolution with weights [M, C/groups, R, S]; `groups` = C makes it depthwise."""
        N, C, H, W = self.shapes[x]
        R, S = _pair(kernel)
        top, left, bottom, right = _sides(pads)
        weights = (filters, C // groups, R, S)
        E, F = (H + top + bottom - R) // stride + 1, (W + left + right - S) // stride + 1
        return self._node(
            "Conv",
            name,
            [x, *self._weights_and_bias(name, weights, bias)],
            (N, filters, E, F),
            kernel_shape=[R, S],
            strides=[stride, stride],
            pads=[top, left, bottom, right],
            group=groups,
        )

    def fully_connected(self, name: str, x: str, outputs: int) -> str:
        """`y = x W^T + b` with W [M, C], as Caffe and PyTorch store it; x is [N, C]."""
        N, C = self.shapes[x]
        return self._node("Gemm", name, [x, *self._weights_and_bias(name, (outputs, C), True)], (N, outputs), transB=1)

    def _weights_and_bias(self, name: str, shape: tuple[int, ...], bias: bool) -> list[str]:
        fan_in = prod(shape[1:])
        weights = self._weight(f"{name}.weight", shape, 1 / fan_in, _he(fan_in))
        return [weights, self._weight(f"{name}.bias", shape[:1], 0.0, _normal(0, 0.05))] if bias else [weights]

    # Normalisation

    def batch_norm(self, name: str, x: str, epsilon: float, gain: float = 1.0) -> str:
        """`y = scale * (x - mean) / sqrt(variance + epsilon) + bias`, with `scale` drawn around `gain`."""
        shape = self.shapes[x][1:2]
        parameters = [
            self._weight(f"{name}.scale", shape, gain, _normal(gain, 0.1 * gain)),
            self._weight(f"{name}.bias", shape, 0.0, _normal(0, 0.1)),
            self._weight(f"{name}.mean", shape, 0.0, _normal(0, 0.1)),
            self._weight(f"{name}.variance", shape, 1.0, _uniform(0.5, 1.5)),
        ]
        return self._node("BatchNormalization", name, [x, *parameters], self.shapes[x], epsilon=epsilon)

    def lrn(self, name: str, x: str) -> str:
        """Across 5 channels, alpha 1e-4, beta 0.75, k 1: the constants of Caffe's AlexNet and GoogLeNet."""
        return self._node("LRN", name, [x], self.shapes[x], size=5, alpha=1e-4, beta=0.75, bias=1.0)

    # Pooling

    def max_pool(self, name: str, x: str, kernel: int, stride: int, pads: int = 0, ceil: bool = False) -> str:
        """Maximum over kernel x kernel; `ceil` rounds the output size up, as Caffe does."""
        rounding = stride - 1 if ceil else 0
        N, C, H, W = self.shapes[x]
        E, F = ((size + 2 * pads - kernel + rounding) // stride + 1 for size in (H, W))
        return self._node(
            "MaxPool",
            name,
            [x],
            (N, C, E, F),
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=list(_sides(pads)),
            ceil_mode=int(ceil),
        )

    def average_pool(self, name: str, x: str, kernel: Window) -> str:
        """Mean over windows that do not overlap, no padding."""
        N, C, H, W = self.shapes[x]
        R, S = _pair(kernel)
        return self._node("AveragePool", name, [x], (N, C, H // R, W // S), kernel_shape=[R, S], strides=[R, S])

    # Element by element, and shapes

    def relu(self, name: str, x: str) -> str:
        """`max(x, 0)`."""
        return self._node("Relu", name, [x], self.shapes[x])

    def add(self, name: str, x: str, y: str) -> str:
        """`x + y`, of equal shapes."""
        return self._node("Add", name, [x, y], self.shapes[x])

    def concat(self, name: str, parts: list[str]) -> str:
        """Join along channels."""
        N, _, *size = self.shapes[parts[0]]
        return self._node("Concat", name, parts, (N, sum(self.shapes[p][1] for p in parts), *size), axis=1)

    def flatten(self, name: str, x: str) -> str:
        """[N, C, H, W] -> [N, C*H*W]."""
        N, *rest = self.shapes[x]
        return self._node("Flatten", name, [x], (N, prod(rest)), axis=1)

    def softmax(self, name: str, x: str) -> str:
        """`exp(x_i) / sum_j exp(x_j)` along the last axis."""
        return self._node("Softmax", name, [x], self.shapes[x], axis=-1)

    # The message itself

    def _node(self, op: str, name: str, inputs: list[str], shape: tuple[int, ...], **attributes: Any) -> str:
        self._model.graph.node.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        self.shapes[name] = shape
        return name

    def _weight(self, name: str, shape: tuple[int, ...], fill: float, draw: Draw) -> str:
        if self.shapes_only:
            return self._filled(name, shape, fill)
        rng = np.random.default_rng([self.seed, zlib.crc32(name.encode())])
        _write(self._model.graph.initializer.add(), name, draw(rng, shape))
        return name

    def _filled(self, name: str, shape: tuple[int, ...], fill: float) -> str:
        _write(self._model.graph.initializer.add(), f"{name}.shape", np.array(shape, np.int64))
        node = self._model.graph.node.add(op_type="ConstantOfShape", name=name, input=[f"{name}.shape"], output=[name])
        value = node.attribute.add(name="value", type=AttributeProto.TENSOR)
        _write(value.t, "", np.array([fill], np.float32))
        return name


def with_weights(model: ModelProto, weights: Mapping[str, np.ndarray]) -> ModelProto:
    """A copy of a seeded `model` whose initializers hold `weights`, one for each: names and shapes must be the same.

    Raises ValueError naming what does not fit.
    """
    trained = ModelProto()
    trained.CopyFrom(model)
    wanted = {tensor.name: tuple(tensor.dims) for tensor in trained.graph.initializer}
    given = {name: array.shape for name, array in weights.items()}
    if wanted != given:
        differ = sorted(name for name in wanted.keys() | given.keys() if wanted.get(name) != given.get(name))
        listed = "; ".join(f"{name}: {wanted.get(name)}, not {given.get(name)}" for name in differ)
        raise ValueError(f"{model.graph.name}: weights of these names and shapes are expected: {listed}")
    for tensor in trained.graph.initializer:
        _write(tensor, tensor.name, weights[tensor.name].astype(np.float32))
    return trained


def _write(tensor: TensorProto, name: str, array: np.ndarray) -> None:
    """Fill `tensor` in place with little-endian `array`."""
    tensor.Clear()
    tensor.name = name
    tensor.data_type = helper.np_dtype_to_tensor_dtype(array.dtype)
    tensor.dims.extend(array.shape)
    tensor.raw_data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()

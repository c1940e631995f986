"""The four networks of MLPerf Tiny (Banbury et al., NeurIPS 2021) as trained: Keras layers, batch norms not yet folded.

Inputs are NCHW here. Keras' "same" padding of a stride-2 layer puts the odd row and column at the bottom and right.
"""

from onnx import ModelProto

from dnnc.zoo.network import Network, Pads, Window

EPSILON = 1e-3  # Keras' default


def resnet8(seed: int = 0, shapes_only: bool = False) -> ModelProto:
    """Image classification, 32x32x3: three stacks of one residual block with 16, 32 and 64 filters."""
    net = Network("resnet8", (1, 3, 32, 32), seed, shapes_only)
    x = _conv_bn_relu(net, "conv1", net.input, 16, 3, pads=1)
    for stack, filters in enumerate((16, 32, 64), start=1):
        x = _residual(net, f"stack{stack}", x, filters, stride=1 if stack == 1 else 2)
    return net.model(_classifier(net, x, 8, 10))


def ds_cnn(seed: int = 0, shapes_only: bool = False) -> ModelProto:
    """Keyword spotting, 49 frames of 10 MFCC: a 10x4 convolution, four depthwise-separable layers, 64 channels."""
    net = Network("ds_cnn", (1, 1, 49, 10), seed, shapes_only)
    x = _conv_bn_relu(net, "conv1", net.input, 64, (10, 4), stride=2, pads=(4, 1, 5, 1))
    for layer in range(2, 6):
        x = _separable(net, f"conv{layer}", x, 64, stride=1)
    return net.model(_classifier(net, x, (25, 5), 12))


def mobilenet_v1_025(seed: int = 0, shapes_only: bool = False) -> ModelProto:
    """Visual wake words, 96x96x3: MobileNetV1 with a quarter of the filters, ReLU, two classes."""
    net = Network("mobilenet_v1_025", (1, 3, 96, 96), seed, shapes_only)
    x = _conv_bn_relu(net, "conv1", net.input, 8, 3, stride=2, pads=(0, 0, 1, 1))
    pointwise = [(16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2), (256, 1)]
    for layer, (filters, stride) in enumerate(pointwise, start=2):
        x = _separable(net, f"conv{layer}", x, filters, stride)
    return net.model(_classifier(net, x, 3, 2))


def toyadmos_autoencoder(seed: int = 0, shapes_only: bool = False) -> ModelProto:
    """Anomaly detection on 5 frames of 128 mel bands: fully connected 640-128x4-8-128x4-640, batch norm and ReLU."""
    net = Network("toyadmos_autoencoder", (1, 640), seed, shapes_only)
    x = net.input
    for layer, outputs in enumerate([128] * 4 + [8] + [128] * 4, start=1):
        x = net.fully_connected(f"dense{layer}", x, outputs)
        x = net.relu(f"relu{layer}", net.batch_norm(f"bn{layer}", x, EPSILON))
    return net.model(net.fully_connected("dense10", x, 640))


def _conv_bn_relu(
    net: Network, name: str, x: str, filters: int, kernel: Window, stride: int = 1, pads: Pads = 0, groups: int = 1
) -> str:
    x = net.conv(name, x, filters, kernel, stride, pads, groups)
    return net.relu(f"{name}_relu", net.batch_norm(f"{name}_bn", x, EPSILON))


def _separable(net: Network, name: str, x: str, filters: int, stride: int) -> str:
    """3x3 per channel, then 1x1 across channels."""
    channels = net.shapes[x][1]
    x = _conv_bn_relu(net, f"{name}_dw", x, channels, 3, stride, _same_3x3(stride), groups=channels)
    return _conv_bn_relu(net, f"{name}_pw", x, filters, 1)


def _residual(net: Network, name: str, x: str, filters: int, stride: int) -> str:
    """`relu(shortcut(x) + 3x3(3x3(x)))`; where the shape changes, the shortcut is a 1x1 without batch norm."""
    y = _conv_bn_relu(net, f"{name}_conv1", x, filters, 3, stride, _same_3x3(stride))
    y = net.batch_norm(f"{name}_conv2_bn", net.conv(f"{name}_conv2", y, filters, 3, pads=1), EPSILON)
    shortcut = x if stride == 1 else net.conv(f"{name}_shortcut", x, filters, 1, stride)
    return net.relu(f"{name}_relu", net.add(f"{name}_add", shortcut, y))


def _same_3x3(stride: int) -> Pads:
    """Keras' "same" padding of a 3x3 window on an even input (on any input for stride 1)."""
    return 1 if stride == 1 else (0, 0, 1, 1)


def _classifier(net: Network, x: str, pool: Window, classes: int) -> str:
    x = net.flatten("flatten", net.average_pool("pool", x, pool))
    return net.softmax("prob", net.fully_connected("dense", x, classes))

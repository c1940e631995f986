"""ResNet-50 v1 (He et al., CVPR 2016), names as in the authors' Caffe release."""

from onnx import ModelProto

from dnnc.zoo.network import Network

EPSILON = 1e-5
# Sixteen random residual branches of gain 1 would double the variance sixteen times over.
BRANCH_GAIN = 0.3


def resnet50(seed: int = 0, shapes_only: bool = False) -> ModelProto:
    """53 convolutions without bias: stem, 16 bottlenecks (stride in the first 1x1), 4 projection shortcuts."""
    net = Network("resnet50", (1, 3, 224, 224), seed, shapes_only)
    x = net.conv("conv1", net.input, 64, 7, stride=2, pads=3, bias=False)
    x = net.relu("conv1_relu", net.batch_norm("bn_conv1", x, EPSILON))
    x = net.max_pool("pool1", x, 3, stride=2, ceil=True)
    for stage, (filters, blocks) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)], start=2):
        for block in range(blocks):
            stride = 2 if block == 0 and stage > 2 else 1
            x = _bottleneck(net, f"{stage}{'abcdef'[block]}", x, filters, stride, project=block == 0)
    x = net.flatten("flatten", net.average_pool("pool5", x, 7))
    return net.model(net.softmax("prob", net.fully_connected("fc1000", x, 1000)))


def _bottleneck(net: Network, block: str, x: str, filters: int, stride: int, project: bool) -> str:
    """`relu(shortcut(x) + 1x1(3x3(1x1(x))))`, the last 1x1 to 4 * filters channels."""
    shortcut = _conv_bn(net, f"{block}_branch1", x, 4 * filters, 1, stride) if project else x
    y = _conv_bn(net, f"{block}_branch2a", x, filters, 1, stride)
    y = _conv_bn(net, f"{block}_branch2b", net.relu(f"res{block}_branch2a_relu", y), filters, 3)
    y = net.relu(f"res{block}_branch2b_relu", y)
    y = _conv_bn(net, f"{block}_branch2c", y, 4 * filters, 1, gain=BRANCH_GAIN)
    return net.relu(f"res{block}_relu", net.add(f"res{block}", shortcut, y))


def _conv_bn(net: Network, branch: str, x: str, filters: int, kernel: int, stride: int = 1, gain: float = 1.0) -> str:
    x = net.conv(f"res{branch}", x, filters, kernel, stride, pads=kernel // 2, bias=False)
    return net.batch_norm(f"bn{branch}", x, EPSILON, gain)

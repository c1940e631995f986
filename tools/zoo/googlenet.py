"""GoogLeNet v1 (Szegedy et al., CVPR 2015), as Caffe's bvlc_googlenet without its two auxiliary classifiers."""

from onnx import ModelProto

from dnnc.zoo.network import Network

# Filters of each inception module: 1x1, 3x3_reduce, 3x3, 5x5_reduce, 5x5, pool_proj (the paper's table 1).
INCEPTION = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def googlenet(seed: int = 0, shapes_only: bool = False) -> ModelProto:
    """57 convolutions: 3 in the stem, 6 in each of 9 inception modules; pooling rounds up, as Caffe does."""
    net = Network("googlenet", (1, 3, 224, 224), seed, shapes_only)
    x = _stem(net)
    for module, filters in INCEPTION.items():
        x = _inception(net, f"inception_{module}", x, filters)
        if module in ("3b", "4e"):
            x = net.max_pool(f"pool{module[0]}/3x3_s2", x, 3, stride=2, ceil=True)
    x = net.flatten("flatten", net.average_pool("pool5/7x7_s1", x, 7))
    return net.model(net.softmax("prob", net.fully_connected("loss3/classifier", x, 1000)))


def _stem(net: Network) -> str:
    x = _conv_relu(net, "conv1", "7x7_s2", net.input, 64, 7, stride=2)
    x = net.max_pool("pool1/3x3_s2", x, 3, stride=2, ceil=True)
    x = net.lrn("pool1/norm1", x)
    x = _conv_relu(net, "conv2", "3x3_reduce", x, 64, 1)
    x = _conv_relu(net, "conv2", "3x3", x, 192, 3)
    x = net.lrn("conv2/norm2", x)
    return net.max_pool("pool2/3x3_s2", x, 3, stride=2, ceil=True)


def _inception(net: Network, name: str, x: str, filters: tuple[int, int, int, int, int, int]) -> str:
    f1, f3_reduce, f3, f5_reduce, f5, f_pool = filters
    b1 = _conv_relu(net, name, "1x1", x, f1, 1)
    b3 = _conv_relu(net, name, "3x3", _conv_relu(net, name, "3x3_reduce", x, f3_reduce, 1), f3, 3)
    b5 = _conv_relu(net, name, "5x5", _conv_relu(net, name, "5x5_reduce", x, f5_reduce, 1), f5, 5)
    pooled = net.max_pool(f"{name}/pool", x, 3, stride=1, pads=1)
    b_pool = _conv_relu(net, name, "pool_proj", pooled, f_pool, 1)
    return net.concat(f"{name}/output", [b1, b3, b5, b_pool])


def _conv_relu(net: Network, block: str, layer: str, x: str, filters: int, kernel: int, stride: int = 1) -> str:
    x = net.conv(f"{block}/{layer}", x, filters, kernel, stride, pads=kernel // 2)
    return net.relu(f"{block}/relu_{layer}", x)

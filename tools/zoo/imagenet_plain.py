"""ImageNet networks that are one chain of layers: AlexNet, OverFeat-fast, VGG-16.

Dropout does nothing at inference and is left out.
"""

from onnx import ModelProto

from dnnc.zoo.network import Network


def alexnet(seed: int = 0, shapes_only: bool = False) -> ModelProto:
    """Caffe's bvlc_alexnet: 227x227 in, two groups in conv2, conv4 and conv5, LRN before pooling."""
    net = Network("alexnet", (1, 3, 227, 227), seed, shapes_only)
    x = net.relu("relu1", net.conv("conv1", net.input, 96, 11, stride=4))
    x = net.max_pool("pool1", net.lrn("norm1", x), 3, stride=2)
    x = net.relu("relu2", net.conv("conv2", x, 256, 5, pads=2, groups=2))
    x = net.max_pool("pool2", net.lrn("norm2", x), 3, stride=2)
    x = net.relu("relu3", net.conv("conv3", x, 384, 3, pads=1))
    x = net.relu("relu4", net.conv("conv4", x, 384, 3, pads=1, groups=2))
    x = net.relu("relu5", net.conv("conv5", x, 256, 3, pads=1, groups=2))
    x = net.max_pool("pool5", x, 3, stride=2)
    return net.model(_classifier(net, x, (4096, 4096, 1000)))


def overfeat_fast(seed: int = 0, shapes_only: bool = False) -> ModelProto:
    """OverFeat's fast model (Sermanet et al., ICLR 2014, table 1): 231x231 in, conv1 and conv2 without padding."""
    net = Network("overfeat_fast", (1, 3, 231, 231), seed, shapes_only)
    x = net.relu("relu1", net.conv("conv1", net.input, 96, 11, stride=4))
    x = net.max_pool("pool1", x, 2, stride=2)
    x = net.relu("relu2", net.conv("conv2", x, 256, 5))
    x = net.max_pool("pool2", x, 2, stride=2)
    x = net.relu("relu3", net.conv("conv3", x, 512, 3, pads=1))
    x = net.relu("relu4", net.conv("conv4", x, 1024, 3, pads=1))
    x = net.relu("relu5", net.conv("conv5", x, 1024, 3, pads=1))
    x = net.max_pool("pool5", x, 2, stride=2)
    return net.model(_classifier(net, x, (3072, 4096, 1000)))


def vgg16(seed: int = 0, shapes_only: bool = False) -> ModelProto:
    """VGG-16, configuration D (Simonyan and Zisserman, ICLR 2015): thirteen 3x3 convolutions in five stages."""
    net = Network("vgg16", (1, 3, 224, 224), seed, shapes_only)
    x = net.input
    for stage, (filters, depth) in enumerate([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)], start=1):
        for layer in range(1, depth + 1):
            x = net.conv(f"conv{stage}_{layer}", x, filters, 3, pads=1)
            x = net.relu(f"relu{stage}_{layer}", x)
        x = net.max_pool(f"pool{stage}", x, 2, stride=2)
    return net.model(_classifier(net, x, (4096, 4096, 1000)))


def _classifier(net: Network, x: str, outputs: tuple[int, int, int]) -> str:
    """fc6-relu6-fc7-relu7-fc8-prob."""
    x = net.flatten("flatten", x)
    x = net.relu("relu6", net.fully_connected("fc6", x, outputs[0]))
    x = net.relu("relu7", net.fully_connected("fc7", x, outputs[1]))
    return net.softmax("prob", net.fully_connected("fc8", x, outputs[2]))

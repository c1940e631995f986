"""The two LeNets of the compression papers, 28x28 digits in, 10 logits out."""

from onnx import ModelProto

from dnnc.zoo.network import Network


def lenet5(seed: int = 0, shapes_only: bool = False) -> ModelProto:
    """Caffe's LeNet 20-50-500-10 (examples/mnist/lenet.prototxt), up to the logits `ip2`."""
    net = Network("lenet5", (1, 1, 28, 28), seed, shapes_only)
    x = net.conv("conv1", net.input, 20, 5)
    x = net.max_pool("pool1", x, 2, stride=2)
    x = net.conv("conv2", x, 50, 5)
    x = net.max_pool("pool2", x, 2, stride=2)
    x = net.flatten("flatten", x)
    x = net.fully_connected("ip1", x, 500)
    x = net.relu("relu1", x)
    return net.model(net.fully_connected("ip2", x, 10))


def lenet_300_100(seed: int = 0, shapes_only: bool = False) -> ModelProto:
    """Fully connected 784-300-100-10 with ReLU (LeCun et al. 1998; Han et al., NIPS 2015), up to the logits `ip3`."""
    net = Network("lenet_300_100", (1, 1, 28, 28), seed, shapes_only)
    x = net.flatten("flatten", net.input)
    x = net.relu("relu1", net.fully_connected("ip1", x, 300))
    x = net.relu("relu2", net.fully_connected("ip2", x, 100))
    return net.model(net.fully_connected("ip3", x, 10))

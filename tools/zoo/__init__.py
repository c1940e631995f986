"""Example networks as ONNX with seeded weights: `ZOO[name](seed)`; what others count for them: `PUBLISHED[name]`."""

from typing import Protocol

from onnx import ModelProto

from dnnc.zoo.googlenet import googlenet
from dnnc.zoo.imagenet_plain import alexnet, overfeat_fast, vgg16
from dnnc.zoo.lenet import lenet5, lenet_300_100
from dnnc.zoo.mlperf_tiny import ds_cnn, mobilenet_v1_025, resnet8, toyadmos_autoencoder
from dnnc.zoo.network import with_weights
from dnnc.zoo.published import PUBLISHED, PublishedCounts
from dnnc.zoo.resnet import resnet50

__all__ = ["PUBLISHED", "ZOO", "Builder", "PublishedCounts", "with_weights"]


class Builder(Protocol):
    """Makes one network, batch 1, NCHW, float32, opset 21: the same seed gives the same bytes.

    With `shapes_only` the weights are ConstantOfShape nodes (a file of a few KB), everything else is the same.
    """

    def __call__(self, seed: int = 0, shapes_only: bool = False) -> ModelProto:
        """Draw the weights and build the graph; nothing is drawn before this call."""
        ...


ZOO: dict[str, Builder] = {
    "lenet5": lenet5,
    "lenet_300_100": lenet_300_100,
    "alexnet": alexnet,
    "overfeat_fast": overfeat_fast,
    "vgg16": vgg16,
    "googlenet": googlenet,
    "resnet50": resnet50,
    "resnet8": resnet8,
    "ds_cnn": ds_cnn,
    "mobilenet_v1_025": mobilenet_v1_025,
    "toyadmos_autoencoder": toyadmos_autoencoder,
}

"""What others print or count for each network: the figures the cost report has to reproduce."""

from dataclasses import dataclass

TABLE = "summary table of DNNs after Sze et al. (Proc. IEEE, 2017), reproduced exactly"
TINY = "counted in the trained TFLite file mlcommons/tiny@1afd2c9 benchmark/training/"


@dataclass(frozen=True)
class PublishedCounts:
    """Weights and multiply-accumulates of one inference, batch 1; a MAC on a padding zero counts.

    `source` says where the figures are from, `convention` which reading of the network gives them, `note` what the
    source prints that no reading gives. Batch-norm parameters are never counted; biases when `biases_counted`.
    """

    conv_weights: int
    conv_macs: int
    fc_weights: int
    fc_macs: int
    source: str
    convention: str
    biases_counted: bool = False
    note: str = ""

    @property
    def weights(self) -> int:
        """Convolutions and fully connected layers together."""
        return self.conv_weights + self.fc_weights

    @property
    def macs(self) -> int:
        """Convolutions and fully connected layers together."""
        return self.conv_macs + self.fc_macs


PUBLISHED: dict[str, PublishedCounts] = {
    "lenet5": PublishedCounts(
        25_570,
        1_888_000,
        405_510,
        405_000,
        source=TABLE,
        convention="Caffe LeNet 20-50-500-10 on 28x28, weights with biases",
        biases_counted=True,
        note="the table lists channels 1, 6 and filters 6, 16: the classic LeNet-5, whose counts it does not give",
    ),
    "lenet_300_100": PublishedCounts(
        0,
        0,
        266_200,
        266_200,
        source="by definition 784*300 + 300*100 + 100*10",
        convention="fully connected 784-300-100-10, weights without biases",
    ),
    "alexnet": PublishedCounts(
        2_332_704,
        665_784_864,
        58_621_952,
        58_621_952,
        source=TABLE,
        convention="two groups in conv2, conv4, conv5; 227x227 input; weights without biases",
    ),
    "overfeat_fast": PublishedCounts(
        15_984_672,
        2_671_478_784,
        129_925_120,
        129_925_120,
        source=TABLE,
        convention="fast model, 231x231 input, conv2 without padding, weights without biases",
    ),
    "vgg16": PublishedCounts(
        14_710_464,
        15_346_630_656,
        123_633_664,
        123_633_664,
        source=TABLE,
        convention="configuration D, 224x224 input, weights without biases",
        note="the table prints 16 CONV layers; there are 13, and 3 fully connected ones",
    ),
    "googlenet": PublishedCounts(
        5_966_272,
        1_581_647_872,
        1_024_000,
        1_024_000,
        source=TABLE + " for the weights; MACs counted",
        convention="57 convolutions, no auxiliary classifiers, 224x224 input, weights without biases",
        note="the table's 1.43 G MACs (-9.6 %) are not reproducible, so not asserted; its 21 CONV layers are the depth",
    ),
    "resnet50": PublishedCounts(
        23_454_912,
        3_855_925_248,
        2_048_000,
        2_048_000,
        source=TABLE,
        convention="v1: stride in the first 1x1 of a block, 4 projection shortcuts (53 convolutions), no biases",
        note="the table's 49 CONV layers omit the projections, its counts do not; v1.5 (3x3 strides): 4.089 G MACs",
    ),
    "resnet8": PublishedCounts(
        76_720,
        12_500_992,
        640,
        640,
        source=TINY + "image_classification/trained_models/pretrainedResnet.tflite",
        convention="weights without biases",
    ),
    "ds_cnn": PublishedCounts(
        21_248,
        2_656_000,
        768,
        768,
        source=TINY + "keyword_spotting/trained_models/kws_ref_model_float32.tflite",
        convention="weights without biases",
    ),
    "mobilenet_v1_025": PublishedCounts(
        207_600,
        7_489_152,
        512,
        512,
        source=TINY + "visual_wake_words/trained_models/vww_96_float.tflite",
        convention="weights without biases",
    ),
    "toyadmos_autoencoder": PublishedCounts(
        0,
        0,
        264_192,
        264_192,
        source=TINY + "anomaly_detection/trained_models/ad01_fp32.tflite",
        convention="weights without biases",
    ),
}

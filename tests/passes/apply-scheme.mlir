// RUN: dnnc-opt %s -p 'apply-scheme{file=%S/scheme.toml}' | filecheck %s
// RUN: dnnc-opt %s -p 'apply-scheme{file=%S/scheme.toml},quantize,quantize-lower' | filecheck %s --check-prefix=LOWER

// CHECK: dnn.scheme = {activations = "uint8", range = #dnn.reals<[0.0, 6.5]>}
// CHECK: dnn.conv
// CHECK-SAME: dnn.scheme = {weights = "int4", by = "tensor", outliers = "int8", activations = "int8"}
// A relu has the type of what it bounds, and no weights.
// CHECK: dnn.relu
// CHECK-NOT: dnn.scheme

// One scale: 0.7 is 7 steps of it, the most of four bits; 12 is 120 steps, as the channel is an outlier.
// LOWER: dnn.quantize %x to = !dnn.q<ui8, 0.025490196, 0>
// LOWER: dnn.const key = "weights.i8" : () -> tensor<3x1x1x1x!dnn.q<i8, 0.1, 0>>
// LOWER-NOT: dnn.scheme
func.func @main(%x: tensor<1x1x2x2xf32> {dnn.name = "x", dnn.range = #dnn.reals<[-1.0, 1.0]>}) -> tensor<1x3x2x2xf32> {
  %w = dnn.const value = dense<[[[[0.7]]], [[[12.0]]], [[[-0.6]]]]> : tensor<3x1x1x1xf32> : () -> tensor<3x1x1x1xf32>
  %y = dnn.conv %x, %w window = <[1, 1]> attributes {dnn.range = #dnn.reals<[-1.0, 1.0]>}
    : (tensor<1x1x2x2xf32>, tensor<3x1x1x1xf32>) -> tensor<1x3x2x2xf32> loc("conv1")
  %z = dnn.relu %y attributes {dnn.range = #dnn.reals<[0.0, 1.0]>} : (tensor<1x3x2x2xf32>) -> tensor<1x3x2x2xf32>
  func.return %z : tensor<1x3x2x2xf32>
}

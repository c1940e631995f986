// RUN: dnnc-opt %s -p equalize | filecheck %s

// Channel 0 is made by a weight of 4 and read by one of 1: both become 2. The network's output keeps its scale.
// CHECK: dense<2.000000e+00> : tensor<1x1xf32>
// CHECK: dense<1.000000e+00> : tensor<1xf32>
// CHECK: dense<2.000000e+00> : tensor<1x1xf32>
func.func @main(%x: tensor<1x1xf32>) -> tensor<1x1xf32> {
  %w1 = dnn.const value = dense<4.0> : tensor<1x1xf32> : () -> tensor<1x1xf32>
  %b1 = dnn.const value = dense<2.0> : tensor<1xf32> : () -> tensor<1xf32>
  %w2 = dnn.const value = dense<1.0> : tensor<1x1xf32> : () -> tensor<1x1xf32>
  %1 = dnn.matmul %x, %w1, bias(%b1) : (tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xf32>) -> tensor<1x1xf32>
  %2 = dnn.relu %1 : (tensor<1x1xf32>) -> tensor<1x1xf32>
  %3 = dnn.matmul %2, %w2 : (tensor<1x1xf32>, tensor<1x1xf32>) -> tensor<1x1xf32>
  func.return %3 : tensor<1x1xf32>
}

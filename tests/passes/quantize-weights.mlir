// RUN: dnnc-opt %s -p 'quantize-weights{bits=3 scale=largest}' | filecheck %s

// The largest weight of each output channel is 3 steps; the weights read are the dequantized integers.
// CHECK: !q0 = !dnn.q<i3, axis 0, [1.0, 0.5]>
// CHECK: %0 = dnn.const key = "weights.i3" : () -> tensor<2x10x!q0>
// CHECK-NEXT: %1 = dnn.dequantize %0
// CHECK-NEXT: dnn.matmul %x, %1 trans_b
func.func @main(%x: tensor<1x10xf32>) -> tensor<1x2xf32> {
  %w = dnn.const value = dense<[[3.0, -3.0, 1.0, 0.0, 2.0, 0.9, 1.1, 0.0, 0.0, 0.0], [1.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]> : tensor<2x10xf32> : () -> tensor<2x10xf32>
  %y = dnn.matmul %x, %w trans_b : (tensor<1x10xf32>, tensor<2x10xf32>) -> tensor<1x2xf32>
  func.return %y : tensor<1x2xf32>
}

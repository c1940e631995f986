// RUN: dnnc-opt %s -p 'quantize-weights{bits=3 scale=largest},quantize,quantize-lower,widen-weights' | filecheck %s

// The scale stays that of three bits; only the storage of weights changes.
// CHECK: !dnn.q<i8, axis 0, [1.0]>
// CHECK-NOT: i3,
// CHECK: dnn.const key = "weights.i3.i8"
func.func @main(%x: tensor<1x2xf32> {dnn.range = #dnn.reals<[-1.0, 1.0]>}) -> tensor<1x1xf32> {
  %w = dnn.const value = dense<[[1.0, -3.0]]> : tensor<1x2xf32> : () -> tensor<1x2xf32>
  %y = dnn.matmul %x, %w trans_b attributes {dnn.range = #dnn.reals<[-4.0, 4.0]>}
    : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x1xf32>
  func.return %y : tensor<1x1xf32>
}

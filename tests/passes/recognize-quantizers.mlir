// RUN: dnnc-opt %s -p recognize-quantizers,dce | filecheck %s

// DoReFa of two bits: three thresholds, and weights of -0.5, 0 and 0.5 as integers.
// CHECK: func.func @main
// CHECK: dnn.const value = dense<{{\[\[}}0.166666687, {{.*}}]]> : tensor<1x3xf32>
// CHECK: %[[Q:.*]] = dnn.threshold %x, {{.*}} to = !dnn.q<i8, 0.33333334, 0> :
// CHECK: %[[X:.*]] = dnn.dequantize %[[Q]]
// CHECK: dnn.const key = "weights.i8" : () -> tensor<2x2x!q0>
// CHECK: dnn.matmul %[[X]], {{.*}}
// A sign is ternary.
// CHECK: dnn.threshold {{.*}} to = !dnn.q<i8, 1.0, 0> first = -1 :
// Weights of what is real stay real, and rounding without bounds has no last step.
// CHECK: dnn.round
// CHECK: dnn.matmul
func.func @main(%x: tensor<1x2xf32>) -> (tensor<1x2xf32>, tensor<1x2xf32>) {
  %n = dnn.const value = dense<3.0> : tensor<f32> : () -> tensor<f32>
  %w = dnn.const value = dense<[[0.5, 0.0], [-0.5, 0.25]]> : tensor<2x2xf32> : () -> tensor<2x2xf32>
  %0 = dnn.clip %x low = 0.0 high = 1.0 : (tensor<1x2xf32>) -> tensor<1x2xf32>
  %1 = dnn.mul %0, %n : (tensor<1x2xf32>, tensor<f32>) -> tensor<1x2xf32>
  %2 = dnn.round %1 : (tensor<1x2xf32>) -> tensor<1x2xf32>
  %3 = dnn.div %2, %n : (tensor<1x2xf32>, tensor<f32>) -> tensor<1x2xf32>
  %4 = dnn.matmul %3, %w : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %5 = dnn.sign %4 : (tensor<1x2xf32>) -> tensor<1x2xf32>
  %6 = dnn.round %x : (tensor<1x2xf32>) -> tensor<1x2xf32>
  %7 = dnn.matmul %6, %w : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  func.return %5, %7 : tensor<1x2xf32>, tensor<1x2xf32>
}

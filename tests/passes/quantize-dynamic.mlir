// RUN: dnnc-opt %s -p quantize-dynamic | filecheck %s

// Both products read the same codes; the first keeps its bias as floats. What has no weights stays as it is.
// CHECK-LABEL: func.func @main
// CHECK: %[[LOW:.*]] = dnn.reduce_min %x axes = [0, 1]
// CHECK: %[[CODES:.*]] = dnn.quantize %{{.*}} to = !dnn.q<i9, 1.0, 0>
// CHECK: dnn.matmul %[[CODES]]
// CHECK: %[[REAL:.*]] = dnn.dequantize
// CHECK: %[[SCALED:.*]] = dnn.mul %[[REAL]], %{{.*}}
// CHECK: dnn.add %[[SCALED]], %b
// CHECK-NOT: dnn.reduce_min
// CHECK: dnn.matmul %[[CODES]]
// CHECK: dnn.relu
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = dnn.const value = dense<[[1.0, -0.5], [0.25, 2.0]]> : tensor<2x2xf32> : () -> tensor<2x2xf32>
  %b = dnn.const value = dense<[0.5, 1.0]> : tensor<2xf32> : () -> tensor<2xf32>
  %y = dnn.matmul %x, %w, bias(%b) : (tensor<1x2xf32>, tensor<2x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  %z = dnn.matmul %x, %w : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %r = dnn.relu %z : (tensor<1x2xf32>) -> tensor<1x2xf32>
  %s = dnn.add %y, %r : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  func.return %s : tensor<1x2xf32>
}

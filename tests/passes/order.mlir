// RUN: dnnc-opt %s -p order | filecheck %s

// The first branch is reduced before the second is made: two large tensors are alive at once instead of three.
// CHECK:      dnn.relu
// CHECK-NEXT: dnn.reduce_mean
// CHECK-NEXT: dnn.sigmoid
// CHECK-NEXT: dnn.reduce_mean
// CHECK-NEXT: dnn.add
func.func @main(%x: tensor<8x64xf32>) -> tensor<8x1xf32> {
  %a = dnn.relu %x : (tensor<8x64xf32>) -> tensor<8x64xf32>
  %b = dnn.sigmoid %x : (tensor<8x64xf32>) -> tensor<8x64xf32>
  %m = dnn.reduce_mean %a axes = [1] keepdims : (tensor<8x64xf32>) -> tensor<8x1xf32>
  %n = dnn.reduce_mean %b axes = [1] keepdims : (tensor<8x64xf32>) -> tensor<8x1xf32>
  %y = dnn.add %m, %n : (tensor<8x1xf32>, tensor<8x1xf32>) -> tensor<8x1xf32>
  func.return %y : tensor<8x1xf32>
}

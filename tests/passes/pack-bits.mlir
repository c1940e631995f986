// RUN: dnnc-opt %s -p fold-constants,pack-bits | filecheck %s

// CHECK: %[[X:[a-z]+]] = dnn.threshold
// CHECK: %[[P:[0-9]+]] = dnn.pack %[[X]] to = !dnn.bits<binary, 1.0>
// CHECK: dnn.bit_conv %[[P]], {{.*}} window = <[1, 1]>
// CHECK-SAME: tensor<8x1x1x1x!dnn.bits<binary, axis 0, [1.0, 1.0, 1.0, 1.0, 0.25, 0.25, 0.25, 0.25]>>
// A zero among the weights: both operands are ternary.
// CHECK: dnn.threshold
// CHECK: dnn.pack {{.*}} to = !dnn.bits<ternary, 1.0> :
// CHECK: dnn.bit_matmul {{.*}} -> tensor<1x2x!dnn.q<i32, 1.0, 0>>
// Six channels fill no byte, and four levels are not ternary.
// CHECK-COUNT-2: dnn.matmul
func.func @main(%x: tensor<1x8x1x1xf32>, %t: tensor<1x3xf32>) -> (tensor<1x2x!dnn.q<i32, 1.0, 0>>, tensor<1x2x!dnn.q<i32, 1.0, 0>>, tensor<1x2x!dnn.q<i32, 1.0, 0>>) {
  %zero = dnn.const value = dense<0.0> : tensor<1x1xf32> : () -> tensor<1x1xf32>
  %a = dnn.threshold %x, %zero to = !dnn.q<i8, 1.0, 0> first = -1 step = 2 : (tensor<1x8x1x1xf32>, tensor<1x1xf32>) -> tensor<1x8x1x1x!dnn.q<i8, 1.0, 0>>
  %w.f = dnn.const value = dense<[[[[1.0]], [[-1.0]], [[1.0]], [[1.0]], [[1.0]], [[1.0]], [[1.0]], [[-1.0]]],[[[1.0]], [[-1.0]], [[1.0]], [[1.0]], [[1.0]], [[1.0]], [[1.0]], [[-1.0]]],[[[1.0]], [[-1.0]], [[1.0]], [[1.0]], [[1.0]], [[1.0]], [[1.0]], [[-1.0]]],[[[1.0]], [[-1.0]], [[1.0]], [[1.0]], [[1.0]], [[1.0]], [[1.0]], [[-1.0]]],[[[0.25]], [[-0.25]], [[0.25]], [[0.25]], [[0.25]], [[0.25]], [[0.25]], [[-0.25]]],[[[0.25]], [[-0.25]], [[0.25]], [[0.25]], [[0.25]], [[0.25]], [[0.25]], [[-0.25]]],[[[0.25]], [[-0.25]], [[0.25]], [[0.25]], [[0.25]], [[0.25]], [[0.25]], [[-0.25]]],[[[0.25]], [[-0.25]], [[0.25]], [[0.25]], [[0.25]], [[0.25]], [[0.25]], [[-0.25]]]]> : tensor<8x8x1x1xf32> : () -> tensor<8x8x1x1xf32>
  %w = dnn.quantize %w.f to = !dnn.q<i8, axis 0, [1.0, 1.0, 1.0, 1.0, 0.25, 0.25, 0.25, 0.25]> : (tensor<8x8x1x1xf32>) -> tensor<8x8x1x1x!dnn.q<i8, axis 0, [1.0, 1.0, 1.0, 1.0, 0.25, 0.25, 0.25, 0.25]>>
  %y = dnn.conv %a, %w window = <[1, 1]> : (tensor<1x8x1x1x!dnn.q<i8, 1.0, 0>>, tensor<8x8x1x1x!dnn.q<i8, axis 0, [1.0, 1.0, 1.0, 1.0, 0.25, 0.25, 0.25, 0.25]>>) -> tensor<1x8x1x1x!dnn.q<i32, axis 1, [1.0, 1.0, 1.0, 1.0, 0.25, 0.25, 0.25, 0.25]>>
  %i = dnn.const value = dense<[[0]]> : tensor<1x1xi32> : () -> tensor<1x1xi32>
  %b = dnn.threshold %y, %i to = !dnn.q<i8, 1.0, 0> first = -1 step = 2 : (tensor<1x8x1x1x!dnn.q<i32, axis 1, [1.0, 1.0, 1.0, 1.0, 0.25, 0.25, 0.25, 0.25]>>, tensor<1x1xi32>) -> tensor<1x8x1x1x!dnn.q<i8, 1.0, 0>>
  %f = dnn.reshape %b shape = [1, 8] : (tensor<1x8x1x1x!dnn.q<i8, 1.0, 0>>) -> tensor<1x8x!dnn.q<i8, 1.0, 0>>
  %v.f = dnn.const value = dense<[[1.0, 0.0], [-1.0, 1.0], [1.0, 1.0], [0.0, 0.0], [1.0, 0.0], [-1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]> : tensor<8x2xf32> : () -> tensor<8x2xf32>
  %v = dnn.quantize %v.f to = !dnn.q<i8, 1.0, 0> : (tensor<8x2xf32>) -> tensor<8x2x!dnn.q<i8, 1.0, 0>>
  %z = dnn.matmul %f, %v : (tensor<1x8x!dnn.q<i8, 1.0, 0>>, tensor<8x2x!dnn.q<i8, 1.0, 0>>) -> tensor<1x2x!dnn.q<i32, 1.0, 0>>
  %s = dnn.slice %f start = [0, 0] size = [1, 6] : (tensor<1x8x!dnn.q<i8, 1.0, 0>>) -> tensor<1x6x!dnn.q<i8, 1.0, 0>>
  %u.f = dnn.const value = dense<[[1.0, 1.0], [-1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, -1.0], [-1.0, 1.0]]> : tensor<6x2xf32> : () -> tensor<6x2xf32>
  %u = dnn.quantize %u.f to = !dnn.q<i8, 1.0, 0> : (tensor<6x2xf32>) -> tensor<6x2x!dnn.q<i8, 1.0, 0>>
  %few = dnn.matmul %s, %u : (tensor<1x6x!dnn.q<i8, 1.0, 0>>, tensor<6x2x!dnn.q<i8, 1.0, 0>>) -> tensor<1x2x!dnn.q<i32, 1.0, 0>>
  %l = dnn.threshold %x, %t to = !dnn.q<i8, 1.0, 0> first = -1 : (tensor<1x8x1x1xf32>, tensor<1x3xf32>) -> tensor<1x8x1x1x!dnn.q<i8, 1.0, 0>>
  %m = dnn.reshape %l shape = [1, 8] : (tensor<1x8x1x1x!dnn.q<i8, 1.0, 0>>) -> tensor<1x8x!dnn.q<i8, 1.0, 0>>
  %wide = dnn.matmul %m, %v : (tensor<1x8x!dnn.q<i8, 1.0, 0>>, tensor<8x2x!dnn.q<i8, 1.0, 0>>) -> tensor<1x2x!dnn.q<i32, 1.0, 0>>
  func.return %z, %few, %wide : tensor<1x2x!dnn.q<i32, 1.0, 0>>, tensor<1x2x!dnn.q<i32, 1.0, 0>>, tensor<1x2x!dnn.q<i32, 1.0, 0>>
}

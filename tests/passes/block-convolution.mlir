// RUN: dnnc-opt %s --split-input-file --verify-diagnostics -p 'block-convolution{pixels=4 samples=2}' | filecheck %s

// Blocks of at least 4 that nest: 8 rows of the second convolution are two blocks of 4, of the first, twice as large, four.
// What only looks at its own pixels, and what has fewer than two blocks, is left alone; so is what has no padding.
// CHECK:      builtin.module attributes {dnn.blocked = {layers = 3 : i64, pixels = 4 : i64, samples = 2 : i64, source = "2 inputs drawn at random, as no samples are given"
// CHECK:        dnn.conv %x, %a window = <[3, 3], pad [1, 1, 1, 1], block [4, 5]> :
// CHECK-NEXT:   dnn.relu
// CHECK-NEXT:   dnn.max_pool {{.*}} window = <[2, 2], stride [2, 2]>
// CHECK-NEXT:   dnn.conv {{.*}} window = <[1, 1]>
// CHECK-NEXT:   dnn.conv {{.*}} window = <[3, 3], pad [1, 1, 1, 1], block [4, 5]> groups = 2
// CHECK-NEXT:   dnn.max_pool {{.*}} window = <[3, 3], pad [1, 1, 1, 1], block [4, 5]>
// CHECK-NEXT:   dnn.conv {{.*}} window = <[3, 3]> :
// CHECK-NEXT:   dnn.conv {{.*}} window = <[3, 3], stride [2, 2], pad [1, 1, 1, 1]> :
func.func @main(%x: tensor<1x2x16x20xf32>, %a: tensor<2x2x3x3xf32>, %b: tensor<2x2x1x1xf32>, %c: tensor<2x1x3x3xf32>) -> tensor<1x2x3x4xf32> {
  %0 = dnn.conv %x, %a window = <[3, 3], pad [1, 1, 1, 1]> : (tensor<1x2x16x20xf32>, tensor<2x2x3x3xf32>) -> tensor<1x2x16x20xf32>
  %1 = dnn.relu %0 : (tensor<1x2x16x20xf32>) -> tensor<1x2x16x20xf32>
  %2 = dnn.max_pool %1 window = <[2, 2], stride [2, 2]> : (tensor<1x2x16x20xf32>) -> tensor<1x2x8x10xf32>
  %3 = dnn.conv %2, %b window = <[1, 1]> : (tensor<1x2x8x10xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x8x10xf32>
  %4 = dnn.conv %3, %c window = <[3, 3], pad [1, 1, 1, 1]> groups = 2 : (tensor<1x2x8x10xf32>, tensor<2x1x3x3xf32>) -> tensor<1x2x8x10xf32>
  %5 = dnn.max_pool %4 window = <[3, 3], pad [1, 1, 1, 1]> : (tensor<1x2x8x10xf32>) -> tensor<1x2x8x10xf32>
  %6 = dnn.conv %5, %a window = <[3, 3]> : (tensor<1x2x8x10xf32>, tensor<2x2x3x3xf32>) -> tensor<1x2x6x8xf32>
  %7 = dnn.conv %6, %a window = <[3, 3], stride [2, 2], pad [1, 1, 1, 1]> : (tensor<1x2x6x8xf32>, tensor<2x2x3x3xf32>) -> tensor<1x2x3x4xf32>
  func.return %7 : tensor<1x2x3x4xf32>
}

// -----

// Nothing is as large as two blocks.
// CHECK:      builtin.module {
// CHECK:        dnn.conv %x, %a window = <[3, 3], pad [1, 1, 1, 1]> :
func.func @main(%x: tensor<1x2x7x7xf32>, %a: tensor<2x2x3x3xf32>) -> tensor<1x2x7x7xf32> {
  %0 = dnn.conv %x, %a window = <[3, 3], pad [1, 1, 1, 1]> : (tensor<1x2x7x7xf32>, tensor<2x2x3x3xf32>) -> tensor<1x2x7x7xf32>
  func.return %0 : tensor<1x2x7x7xf32>
}

// What the verifier and the parser refuse, every message whole.
// RUN: dnnc-opt %s --split-input-file --verify-diagnostics | filecheck %s --match-full-lines

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.relu' expected result 2x3 f32, not 2x4 f32. [E0405]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.relu %a : (tensor<2x3xf32>) -> tensor<2x4xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.relu' expected a tensor of static shape, not tensor<?x3xf32>. Bind every dimension. [E0406]
func.func @main(%a: tensor<?x3xf32>) {
  %y = dnn.relu %a : (tensor<?x3xf32>) -> tensor<?x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.relu' expected elements of a known type, not complex<f32>. [E0407]
func.func @main(%a: tensor<2xcomplex<f32>>) {
  %y = dnn.relu %a : (tensor<2xcomplex<f32>>) -> tensor<2xcomplex<f32>>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.add' expected operands of shapes that broadcast, not 2x3 f32 and 2x4 f32. [E0426]
func.func @main(%a: tensor<2x3xf32>, %b: tensor<2x4xf32>) {
  %y = dnn.add %a, %b : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.add' expected operands of one element type f32, not f64. [E0427]
func.func @main(%a: tensor<2x3xf32>, %b: tensor<2x3xf64>) {
  %y = dnn.add %a, %b : (tensor<2x3xf32>, tensor<2x3xf64>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.add' expected operands that are not quantized, not q<i8>. Use its integer form. [E0428]
func.func @main(%a: tensor<2x!dnn.q<i8, 0.1, 0>>, %b: tensor<2x!dnn.q<i8, 0.1, 0>>) {
  %y = dnn.add %a, %b : (tensor<2x!dnn.q<i8, 0.1, 0>>, tensor<2x!dnn.q<i8, 0.1, 0>>) -> tensor<2x!dnn.q<i8, 0.1, 0>>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.sqrt' expected floats, not i32. Cast the operand first. [E0428]
func.func @main(%a: tensor<2xi32>) {
  %y = dnn.sqrt %a : (tensor<2xi32>) -> tensor<2xi32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.bit_and' expected integers, not f32. Cast the operand first. [E0428]
func.func @main(%a: tensor<2xf32>, %b: tensor<2xf32>) {
  %y = dnn.bit_and %a, %b : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.and' expected boolean operands, not f32. [E0428]
func.func @main(%a: tensor<2xf32>, %b: tensor<2xf32>) {
  %y = dnn.and %a, %b : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xi1>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.not' expected a boolean operand, not f32. [E0428]
func.func @main(%a: tensor<2xf32>) {
  %y = dnn.not %a : (tensor<2xf32>) -> tensor<2xi1>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.where' expected a boolean condition, not f32. [E0428]
func.func @main(%a: tensor<2xf32>, %b: tensor<2xf32>, %c: tensor<2xf32>) {
  %y = dnn.where %a, %b, %c : (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.where' expected branches of one element type f32, not f64. [E0427]
func.func @main(%a: tensor<2xi1>, %b: tensor<2xf32>, %c: tensor<2xf64>) {
  %y = dnn.where %a, %b, %c : (tensor<2xi1>, tensor<2xf32>, tensor<2xf64>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.relu' expected values of at most 16 bits, not q<i32>. Requantize first. [E0428]
func.func @main(%a: tensor<2x!dnn.q<i32, 0.1, 0>>) {
  %y = dnn.relu %a : (tensor<2x!dnn.q<i32, 0.1, 0>>) -> tensor<2x!dnn.q<i32, 0.1, 0>>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.relu' expected one scale for the whole tensor, not !dnn.q<i8, axis 0, [0.5, 0.25]>. Requantize first. [E0429]
func.func @main(%a: tensor<2x!dnn.q<i8, axis 0, [0.5, 0.25]>>) {
  %y = dnn.relu %a : (tensor<2x!dnn.q<i8, axis 0, [0.5, 0.25]>>) -> tensor<2x!dnn.q<i8, axis 0, [0.5, 0.25]>>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.is_nan' expected an operand that is not quantized, not q<i8>. Dequantize it. [E0428]
func.func @main(%a: tensor<2x!dnn.q<i8, 0.1, 0>>) {
  %y = dnn.is_nan %a : (tensor<2x!dnn.q<i8, 0.1, 0>>) -> tensor<2xi1>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.bit_not' expected an operand that is not quantized, not q<i8>. Dequantize it. [E0428]
func.func @main(%a: tensor<2x!dnn.q<i8, 0.1, 0>>) {
  %y = dnn.bit_not %a : (tensor<2x!dnn.q<i8, 0.1, 0>>) -> tensor<2x!dnn.q<i8, 0.1, 0>>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv' expected an input of rank 4, not 4x8x8 f32. [E0418]
func.func @main(%a: tensor<4x8x8xf32>, %b: tensor<6x4x3x3xf32>) {
  %y = dnn.conv %a, %b window = <[3, 3]> : (tensor<4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv' expected weights of rank 4, not 6x4x3 f32. [E0418]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<6x4x3xf32>) {
  %y = dnn.conv %a, %b window = <[3, 3]> : (tensor<1x4x8x8xf32>, tensor<6x4x3xf32>) -> tensor<1x6x6x6xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv' expected at least one group, not 0. [E0420]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<6x4x3x3xf32>) {
  %y = dnn.conv %a, %b window = <[3, 3]> groups = 0 : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv' expected weights with 4/1 input channels, not 3. [E0419]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<6x3x3x3xf32>) {
  %y = dnn.conv %a, %b window = <[3, 3]> : (tensor<1x4x8x8xf32>, tensor<6x3x3x3xf32>) -> tensor<1x6x6x6xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv' expected a multiple of 2 filters, not 5. [E0420]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<5x2x3x3xf32>) {
  %y = dnn.conv %a, %b window = <[3, 3]> groups = 2 : (tensor<1x4x8x8xf32>, tensor<5x2x3x3xf32>) -> tensor<1x5x6x6xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv' expected a kernel of [3, 3], not [5, 5]. [E0421]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<6x4x3x3xf32>) {
  %y = dnn.conv %a, %b window = <[5, 5]> : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv' expected an input that holds the window of extent [9, 9], not [8, 8] padded by [0, 0, 0, 0]. [E0417]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<6x4x9x9xf32>) {
  %y = dnn.conv %a, %b window = <[9, 9]> : (tensor<1x4x8x8xf32>, tensor<6x4x9x9xf32>) -> tensor<1x6x1x1xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv' expected blocks of at least 1, not [0, 4]. [E0416]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<6x4x3x3xf32>) {
  %y = dnn.conv %a, %b window = <[3, 3], pad [1, 1, 1, 1], block [0, 4]> : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x8x8xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv' expected 2 sizes of a block, not 1. [E0415]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<6x4x3x3xf32>) {
  %y = dnn.conv %a, %b window = <[3, 3], pad [1, 1, 1, 1], block [4]> : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x8x8xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv' expected padding that keeps the size, [8, 8], for blocks, not [6, 6]. Pad as much as the kernel reaches, or leave the blocks out. [E0453]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<6x4x3x3xf32>) {
  %y = dnn.conv %a, %b window = <[3, 3], block [4, 4]> : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.avg_pool' expected a window without blocks, not blocks of [4, 4]. Only dnn.conv and dnn.max_pool run in blocks. [E0453]
func.func @main(%a: tensor<1x4x8x8xf32>) {
  %y = dnn.avg_pool %a window = <[3, 3], pad [1, 1, 1, 1], block [4, 4]> : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv_transpose' expected a window without blocks, not blocks of [4, 4]. Only dnn.conv and dnn.max_pool run in blocks. [E0453]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<4x3x2x2xf32>) {
  %y = dnn.conv_transpose %a, %b window = <[2, 2], stride [2, 2], block [4, 4]> : (tensor<1x4x8x8xf32>, tensor<4x3x2x2xf32>) -> tensor<1x3x16x16xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv' expected stride of at least 1, not [0, 1]. [E0416]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<6x4x3x3xf32>) {
  %y = dnn.conv %a, %b window = <[3, 3], stride [0, 1]> : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv' expected 2 values of dilation, not 1. [E0415]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<6x4x3x3xf32>) {
  %y = dnn.conv %a, %b window = <[3, 3], dilation [1]> : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv' expected 4 pads, not 2. [E0415]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<6x4x3x3xf32>) {
  %y = dnn.conv %a, %b window = <[3, 3], pad [1, 1]> : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv' expected pads of at least 0, not [1, 1, -1, 0]. Crop with a slice first. [E0416]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<6x4x3x3xf32>) {
  %y = dnn.conv %a, %b window = <[3, 3], pad [1, 1, -1, 0]> : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv' expected weights of element type f32, not f64. [E0424]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<6x4x3x3xf64>) {
  %y = dnn.conv %a, %b window = <[3, 3]> : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf64>) -> tensor<1x6x6x6xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv' expected one scale for the input, not !dnn.q<i8, axis 1, [0.5, 0.25, 0.5, 0.25]>. [E0429]
func.func @main(%a: tensor<1x4x8x8x!dnn.q<i8, axis 1, [0.5, 0.25, 0.5, 0.25]>>, %b: tensor<2x4x3x3x!dnn.q<i8, axis 0, [0.5, 0.25]>>) {
  %y = dnn.conv %a, %b window = <[3, 3]> : (tensor<1x4x8x8x!dnn.q<i8, axis 1, [0.5, 0.25, 0.5, 0.25]>>, tensor<2x4x3x3x!dnn.q<i8, axis 0, [0.5, 0.25]>>) -> tensor<1x2x6x6xi32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv' expected one scale for all weights, or one along dimension 0, not !dnn.q<i8, axis 1, [0.5, 0.25, 0.5, 0.25]>. [E0429]
func.func @main(%a: tensor<1x4x8x8x!dnn.q<i8, 0.1, 0>>, %b: tensor<2x4x3x3x!dnn.q<i8, axis 1, [0.5, 0.25, 0.5, 0.25]>>) {
  %y = dnn.conv %a, %b window = <[3, 3]> : (tensor<1x4x8x8x!dnn.q<i8, 0.1, 0>>, tensor<2x4x3x3x!dnn.q<i8, axis 1, [0.5, 0.25, 0.5, 0.25]>>) -> tensor<1x2x6x6xi32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv' expected a bias of shape [6], not 5 f32. [E0422]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<6x4x3x3xf32>, %c: tensor<5xf32>) {
  %y = dnn.conv %a, %b, bias(%c) window = <[3, 3]> : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>, tensor<5xf32>) -> tensor<1x6x6x6xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv' expected a bias of element type f32, not f64. [E0423]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<6x4x3x3xf32>, %c: tensor<6xf64>) {
  %y = dnn.conv %a, %b, bias(%c) window = <[3, 3]> : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>, tensor<6xf64>) -> tensor<1x6x6x6xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv_transpose' expected input and weights of rank 4, not 4x8x8 f32. [E0418]
func.func @main(%a: tensor<4x8x8xf32>, %b: tensor<4x3x2x2xf32>) {
  %y = dnn.conv_transpose %a, %b window = <[2, 2]> : (tensor<4x8x8xf32>, tensor<4x3x2x2xf32>) -> tensor<1x3x9x9xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv_transpose' expected weights with 4 input channels, not 3. [E0419]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<3x3x2x2xf32>) {
  %y = dnn.conv_transpose %a, %b window = <[2, 2]> : (tensor<1x4x8x8xf32>, tensor<3x3x2x2xf32>) -> tensor<1x3x9x9xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv_transpose' expected a multiple of 3 input channels, not 4. [E0420]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<4x3x2x2xf32>) {
  %y = dnn.conv_transpose %a, %b window = <[2, 2]> groups = 3 : (tensor<1x4x8x8xf32>, tensor<4x3x2x2xf32>) -> tensor<1x3x9x9xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv_transpose' expected a kernel of [2, 2], not [3, 3]. [E0421]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<4x3x2x2xf32>) {
  %y = dnn.conv_transpose %a, %b window = <[3, 3]> : (tensor<1x4x8x8xf32>, tensor<4x3x2x2xf32>) -> tensor<1x3x9x9xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv_transpose' expected weights of element type f32, not f64. [E0424]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<4x3x2x2xf64>) {
  %y = dnn.conv_transpose %a, %b window = <[2, 2]> : (tensor<1x4x8x8xf32>, tensor<4x3x2x2xf64>) -> tensor<1x3x9x9xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv_transpose' expected pads smaller than the output, not [9, 9, 9, 9]. [E0417]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<4x3x2x2xf32>) {
  %y = dnn.conv_transpose %a, %b window = <[2, 2], pad [9, 9, 9, 9]> : (tensor<1x4x8x8xf32>, tensor<4x3x2x2xf32>) -> tensor<1x3x9x9xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.matmul' expected operands of rank 1 or more, not scalar f32. [E0418]
func.func @main(%a: tensor<f32>, %b: tensor<3xf32>) {
  %y = dnn.matmul %a, %b : (tensor<f32>, tensor<3xf32>) -> tensor<f32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.matmul' expected operands that share the inner dimension, not 2x3 f32 and 4x5 f32. [E0425]
func.func @main(%a: tensor<2x3xf32>, %b: tensor<4x5xf32>) {
  %y = dnn.matmul %a, %b : (tensor<2x3xf32>, tensor<4x5xf32>) -> tensor<2x5xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.matmul' expected operands of shapes that broadcast, not 7 f32 and 5 f32. [E0426]
func.func @main(%a: tensor<7x2x3xf32>, %b: tensor<5x3x4xf32>) {
  %y = dnn.matmul %a, %b : (tensor<7x2x3xf32>, tensor<5x3x4xf32>) -> tensor<7x2x4xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.matmul' expected operands of shapes that broadcast, not 2x5 f32 and 4 f32. [E0426]
func.func @main(%a: tensor<2x3xf32>, %b: tensor<3x5xf32>, %c: tensor<4xf32>) {
  %y = dnn.matmul %a, %b, bias(%c) : (tensor<2x3xf32>, tensor<3x5xf32>, tensor<4xf32>) -> tensor<2x5xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.matmul' expected a bias that broadcasts to [2, 5], not 3x2x5 f32. [E0422]
func.func @main(%a: tensor<2x3xf32>, %b: tensor<3x5xf32>, %c: tensor<3x2x5xf32>) {
  %y = dnn.matmul %a, %b, bias(%c) : (tensor<2x3xf32>, tensor<3x5xf32>, tensor<3x2x5xf32>) -> tensor<3x2x5xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.reduce_sum' expected an axis in [-2, 1], not 2. [E0413]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.reduce_sum %a axes = [2] : (tensor<2x3xf32>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.reduce_sum' expected distinct axes, not [0, 0]. [E0414]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.reduce_sum %a axes = [0, 0] : (tensor<2x3xf32>) -> tensor<3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.reduce_sum' expected ascending axes counted from the start, not [-1]. [E0414]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.reduce_sum %a axes = [-1] : (tensor<2x3xf32>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.arg_max' expected an axis in [-2, 1], not 5. [E0413]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.arg_max %a axis = 5 : (tensor<2x3xf32>) -> tensor<2xi64>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.max_pool' expected an input of rank 4, not 8x8 f32. [E0418]
func.func @main(%a: tensor<8x8xf32>) {
  %y = dnn.max_pool %a window = <[2, 2]> : (tensor<8x8xf32>) -> tensor<8x8xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.max_pool' expected an input that holds the window of extent [9, 9], not [8, 8] padded by [0, 0, 0, 0]. [E0417]
func.func @main(%a: tensor<1x4x8x8xf32>) {
  %y = dnn.max_pool %a window = <[9, 9]> : (tensor<1x4x8x8xf32>) -> tensor<1x4x1x1xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.max_pool' expected an input of rank 3, not 1x4x8x8 f32. [E0418]
func.func @main(%a: tensor<1x4x8x8xf32>) {
  %y = dnn.max_pool %a window = <[2]> : (tensor<1x4x8x8xf32>) -> tensor<1x4x7x8xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.avg_pool' expected an operand that is not quantized, not q<i8>. Use dnn.qavg_pool. [E0428]
func.func @main(%a: tensor<1x4x8x8x!dnn.q<i8, 0.1, 0>>) {
  %y = dnn.avg_pool %a window = <[2, 2]> : (tensor<1x4x8x8x!dnn.q<i8, 0.1, 0>>) -> tensor<1x4x7x7x!dnn.q<i8, 0.1, 0>>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.cum_sum' expected an axis in [-2, 1], not 2. [E0413]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.cum_sum %a axis = 2 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.reshape' expected a shape of 6 elements, not [-1]. [E0435]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.reshape %a shape = [-1] : (tensor<2x3xf32>) -> tensor<6xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.reshape' expected dimension 0 of size 2, one scale each, not 6 q<i8>. [E0408]
func.func @main(%a: tensor<2x3x!dnn.q<i8, axis 0, [0.5, 0.25]>>) {
  %y = dnn.reshape %a shape = [6] : (tensor<2x3x!dnn.q<i8, axis 0, [0.5, 0.25]>>) -> tensor<6x!dnn.q<i8, axis 0, [0.5, 0.25]>>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.transpose' expected a permutation of 2 axes, not [0, 0]. [E0436]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.transpose %a perm = [0, 0] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.slice' expected start, size and step of 2 dimensions, not 1, 1, 1. [E0434]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.slice %a start = [0] size = [2] : (tensor<2x3xf32>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.slice' expected a slice inside a dimension of 3, not start 1, size 3, step 1. [E0437]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.slice %a start = [0, 1] size = [2, 3] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.slice' expected a slice inside a dimension of 2, not start 1, size 3, step -1. [E0437]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.slice %a start = [1, 0] size = [3, 3] step = [-1, 1] : (tensor<2x3xf32>) -> tensor<3x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.expand' expected operands of shapes that broadcast, not 2x3 f32 and 2x4 f32. [E0426]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.expand %a shape = [2, 4] : (tensor<2x3xf32>) -> tensor<2x4xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.expand' expected an operand that broadcasts to [3], not 2x3 f32. [E0426]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.expand %a shape = [3] : (tensor<2x3xf32>) -> tensor<3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.tile' expected 2 repeats, not 1. [E0434]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.tile %a repeats = [2] : (tensor<2x3xf32>) -> tensor<4x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.tile' expected repeats of at least 0, not [2, -1]. [E0433]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.tile %a repeats = [2, -1] : (tensor<2x3xf32>) -> tensor<4x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.depth_to_space' expected an input of rank 4, not 2x3 f32. [E0418]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.depth_to_space %a block = 2 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.depth_to_space' expected channels that are a multiple of 9, not 4. [E0439]
func.func @main(%a: tensor<1x4x8x8xf32>) {
  %y = dnn.depth_to_space %a block = 3 : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.depth_to_space' expected mode dcr or crd, not abc. [E0432]
func.func @main(%a: tensor<1x4x8x8xf32>) {
  %y = dnn.depth_to_space %a block = 2 mode = abc : (tensor<1x4x8x8xf32>) -> tensor<1x1x16x16xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.space_to_depth' expected mode dcr or crd, not abc. [E0432]
func.func @main(%a: tensor<1x4x8x8xf32>) {
  %y = dnn.space_to_depth %a block = 2 mode = abc : (tensor<1x4x8x8xf32>) -> tensor<1x16x4x4xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.space_to_depth' expected an input of rank 4, not 2x3 f32. [E0418]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.space_to_depth %a block = 2 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.space_to_depth' expected height and width that are multiples of 3, not 8 and 8. [E0439]
func.func @main(%a: tensor<1x4x8x8xf32>) {
  %y = dnn.space_to_depth %a block = 3 : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.concat' expected at least one operand, not none. [E0438]
func.func @main() {
  %y = dnn.concat [] axis = 0 : () -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.concat' expected element type f32, not i32. [E0427]
func.func @main(%a: tensor<2x3xf32>, %b: tensor<2x3xi32>) {
  %y = dnn.concat [%a, %b] axis = 0 : (tensor<2x3xf32>, tensor<2x3xi32>) -> tensor<4x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.concat' expected operands like 2x3 f32 but for axis 0, not 3x4 f32. [E0438]
func.func @main(%a: tensor<2x3xf32>, %b: tensor<3x4xf32>) {
  %y = dnn.concat [%a, %b] axis = 0 : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<5x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.concat' expected an axis in [-2, 1], not 2. [E0413]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.concat [%a] axis = 2 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.pad' expected pads of 2 dimensions, not 1. [E0434]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.pad %a before = [1] after = [1] : (tensor<2x3xf32>) -> tensor<4x5xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.pad' expected pads of at least 0, not [1, -1], [1, 0]. [E0433]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.pad %a before = [1, -1] after = [1, 0] : (tensor<2x3xf32>) -> tensor<4x2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.gather' expected i32 or i64 indices, not f32. [E0428]
func.func @main(%a: tensor<2x3xf32>, %b: tensor<2xf32>) {
  %y = dnn.gather %a, %b : (tensor<2x3xf32>, tensor<2xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.gather' expected an axis in [-2, 1], not 2. [E0413]
func.func @main(%a: tensor<2x3xf32>, %b: tensor<2xi64>) {
  %y = dnn.gather %a, %b axis = 2 : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.softmax' expected an axis in [-2, 1], not 2. [E0413]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.softmax %a axis = 2 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.softmax' expected a float input, not i32. Cast the operand first. [E0428]
func.func @main(%a: tensor<2x3xi32>) {
  %y = dnn.softmax %a axis = 1 : (tensor<2x3xi32>) -> tensor<2x3xi32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.batch_norm' expected var of shape [4], not 3 f32. [E0442]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<4xf32>, %c: tensor<4xf32>, %d: tensor<4xf32>, %e: tensor<3xf32>) {
  %y = dnn.batch_norm %a, %b, %c, %d, %e : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<3xf32>) -> tensor<1x4x8x8xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.batch_norm' expected an input of rank 2 or more, not 4 f32. [E0418]
func.func @main(%a: tensor<4xf32>, %b: tensor<4xf32>, %c: tensor<4xf32>, %d: tensor<4xf32>, %e: tensor<4xf32>) {
  %y = dnn.batch_norm %a, %b, %c, %d, %e : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.instance_norm' expected scale of shape [4], not 3 f32. [E0442]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<3xf32>, %c: tensor<4xf32>) {
  %y = dnn.instance_norm %a, %b, %c : (tensor<1x4x8x8xf32>, tensor<3xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.layer_norm' expected an axis in [-2, 1], not 2. [E0413]
func.func @main(%a: tensor<2x3xf32>, %b: tensor<3xf32>) {
  %y = dnn.layer_norm %a, %b axis = 2 : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.layer_norm' expected operands of shapes that broadcast, not 2x3 f32 and 2x4 f32. [E0426]
func.func @main(%a: tensor<2x3xf32>, %b: tensor<2x4xf32>) {
  %y = dnn.layer_norm %a, %b : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.rms_norm' expected an axis in [-2, 1], not -3. [E0413]
func.func @main(%a: tensor<2x3xf32>, %b: tensor<3xf32>) {
  %y = dnn.rms_norm %a, %b axis = -3 : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.group_norm' expected a number of groups that divides 4 channels, not 3. [E0420]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<4xf32>, %c: tensor<4xf32>) {
  %y = dnn.group_norm %a, %b, %c groups = 3 : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.mean_variance_norm' expected an axis in [-2, 1], not 2. [E0413]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.mean_variance_norm %a axes = [0, 2] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.lp_norm' expected an axis in [-2, 1], not 2. [E0413]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.lp_norm %a axis = 2 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.lp_norm' expected p of 1 or 2, not 3. [E0433]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.lp_norm %a p = 3 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.lrn' expected an input of rank 2 or more, not 4 f32. [E0418]
func.func @main(%a: tensor<4xf32>) {
  %y = dnn.lrn %a size = 3 : (tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.lrn' expected a size of at least 1, not 0. [E0433]
func.func @main(%a: tensor<1x4x8x8xf32>) {
  %y = dnn.lrn %a size = 0 : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.reduce_log_sum_exp' expected distinct axes, not [1, -1]. [E0414]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.reduce_log_sum_exp %a axes = [1, -1] : (tensor<2x3xf32>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.gelu' expected approximate none or tanh, not fast. [E0432]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.gelu %a approximate = fast : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.gather_elements' expected i32 or i64 indices, not f32. [E0428]
func.func @main(%a: tensor<2x3xf32>, %b: tensor<2x2xf32>) {
  %y = dnn.gather_elements %a, %b : (tensor<2x3xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.gather_elements' expected indices within 2x3 f32 but for axis 1, not 3x2 i64. [E0441]
func.func @main(%a: tensor<2x3xf32>, %b: tensor<3x2xi64>) {
  %y = dnn.gather_elements %a, %b axis = 1 : (tensor<2x3xf32>, tensor<3x2xi64>) -> tensor<3x2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.gather_nd' expected places of at most 2 indices, not 3. [E0441]
func.func @main(%a: tensor<2x3xf32>, %b: tensor<2x3xi64>) {
  %y = dnn.gather_nd %a, %b : (tensor<2x3xf32>, tensor<2x3xi64>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.gather_nd' expected 1 leading dimensions in common, not (2, 3) and (3, 1). [E0441]
func.func @main(%a: tensor<2x3xf32>, %b: tensor<3x1xi64>) {
  %y = dnn.gather_nd %a, %b batch = 1 : (tensor<2x3xf32>, tensor<3x1xi64>) -> tensor<3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.gather_nd' expected operands of rank 1 or more, not 1 i64. [E0418]
func.func @main(%a: tensor<f32>, %b: tensor<1xi64>) {
  %y = dnn.gather_nd %a, %b : (tensor<f32>, tensor<1xi64>) -> tensor<f32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.scatter_elements' expected indices within 2x3 f32 but for axis 0, not 2x4 i64. [E0441]
func.func @main(%a: tensor<2x3xf32>, %b: tensor<2x4xi64>, %c: tensor<2x4xf32>) {
  %y = dnn.scatter_elements %a, %b, %c : (tensor<2x3xf32>, tensor<2x4xi64>, tensor<2x4xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.scatter_elements' expected updates of 2x2 f32, not 2x3 f32. [E0441]
func.func @main(%a: tensor<2x3xf32>, %b: tensor<2x2xi64>, %c: tensor<2x3xf32>) {
  %y = dnn.scatter_elements %a, %b, %c : (tensor<2x3xf32>, tensor<2x2xi64>, tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.scatter_elements' expected a reduction of none, add, mul, max, min, not or. [E0432]
func.func @main(%a: tensor<2x3xf32>, %b: tensor<2x2xi64>, %c: tensor<2x2xf32>) {
  %y = dnn.scatter_elements %a, %b, %c reduction = or : (tensor<2x3xf32>, tensor<2x2xi64>, tensor<2x2xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.scatter_nd' expected places of at most 2 indices, not 3. [E0441]
func.func @main(%a: tensor<2x3xf32>, %b: tensor<5x3xi64>, %c: tensor<5xf32>) {
  %y = dnn.scatter_nd %a, %b, %c : (tensor<2x3xf32>, tensor<5x3xi64>, tensor<5xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.scatter_nd' expected updates of 5x3 f32, not 5x2 f32. [E0441]
func.func @main(%a: tensor<2x3xf32>, %b: tensor<5x1xi64>, %c: tensor<5x2xf32>) {
  %y = dnn.scatter_nd %a, %b, %c : (tensor<2x3xf32>, tensor<5x1xi64>, tensor<5x2xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.top_k' expected k of at most 3, not 4. [E0433]
func.func @main(%a: tensor<2x3xf32>) {
  %y, %z = dnn.top_k %a k = 4 : (tensor<2x3xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>)
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.border_pad' expected a mode of reflect, edge, wrap, not mirror. [E0432]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.border_pad %a before = [1, 0] after = [0, 0] mode = mirror : (tensor<2x3xf32>) -> tensor<3x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.border_pad' expected pads of 2 dimensions, not 1. [E0434]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.border_pad %a before = [1] after = [0] mode = edge : (tensor<2x3xf32>) -> tensor<3x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.border_pad' expected pads of at least 0, not [1, 0], [-1, 0]. [E0433]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.border_pad %a before = [1, 0] after = [-1, 0] mode = edge : (tensor<2x3xf32>) -> tensor<3x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.border_pad' expected padded dimensions with elements, not 0x3 f32. [E0443]
func.func @main(%a: tensor<0x3xf32>) {
  %y = dnn.border_pad %a before = [1, 0] after = [0, 0] mode = edge : (tensor<0x3xf32>) -> tensor<1x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.resize' expected a size of 2 dimensions, not [4]. [E0434]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.resize %a size = [4] mode = nearest : (tensor<2x3xf32>) -> tensor<4x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.resize' expected a size that the input can fill, not [4, 3]. [E0443]
func.func @main(%a: tensor<0x3xf32>) {
  %y = dnn.resize %a size = [4, 3] mode = nearest : (tensor<0x3xf32>) -> tensor<4x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.resize' expected 2 scales, not #dnn.reals<[2.0]>. [E0434]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.resize %a size = [4, 3] mode = nearest scale = [2.0] : (tensor<2x3xf32>) -> tensor<4x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.resize' expected positive scales, not [2.0, 0.0]. [E0433]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.resize %a size = [4, 3] mode = nearest scale = [2.0, 0.0] : (tensor<2x3xf32>) -> tensor<4x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.resize' expected mode of nearest, linear, cubic, not area. [E0432]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.resize %a size = [4, 3] mode = area : (tensor<2x3xf32>) -> tensor<4x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.resize' expected coordinates of half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners, asymmetric, tf_half_pixel_for_nn, tf_crop_and_resize, not pixel. [E0432]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.resize %a size = [4, 3] mode = nearest coordinates = pixel : (tensor<2x3xf32>) -> tensor<4x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.resize' expected rounding of round_prefer_floor, round_prefer_ceil, floor, ceil, not up. [E0432]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.resize %a size = [4, 3] mode = nearest rounding = up : (tensor<2x3xf32>) -> tensor<4x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.resize' expected a region of 4 values, not None. [E0434]
func.func @main(%a: tensor<2x3xf32>) {
  %y = dnn.resize %a size = [4, 3] mode = nearest coordinates = tf_crop_and_resize : (tensor<2x3xf32>) -> tensor<4x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.resize' expected a float input for mode linear, not i32. [E0428]
func.func @main(%a: tensor<2x3xi32>) {
  %y = dnn.resize %a size = [4, 3] mode = linear : (tensor<2x3xi32>) -> tensor<4x3xi32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.quantize' expected an f32 operand, not f64. [E0431]
func.func @main(%a: tensor<2xf64>) {
  %y = dnn.quantize %a to = !dnn.q<i8, 0.1, 0> : (tensor<2xf64>) -> tensor<2x!dnn.q<i8, 0.1, 0>>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.storage_cast' expected a quantized type stored as i8, or that, not !dnn.q<ui8, 0.1, 0>. [E0431]
func.func @main(%a: tensor<2xi8>) {
  %y = dnn.storage_cast %a to = !dnn.q<ui8, 0.1, 0> : (tensor<2xi8>) -> tensor<2x!dnn.q<ui8, 0.1, 0>>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.quantize' expected a rounding of q31_half_even, f32_half_even, half_up, half_away, tflite_double, trunc, not up. [E0432]
func.func @main(%a: tensor<2xf32>) {
  %y = dnn.quantize %a to = !dnn.q<i8, 0.1, 0> rounding = up : (tensor<2xf32>) -> tensor<2x!dnn.q<i8, 0.1, 0>>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.quantize' expected a quantized type, not i8. [E0431]
func.func @main(%a: tensor<2xf32>) {
  %y = dnn.quantize %a to = i8 : (tensor<2xf32>) -> tensor<2xi8>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.dequantize' expected a quantized operand, not i8. [E0431]
func.func @main(%a: tensor<2xi8>) {
  %y = dnn.dequantize %a : (tensor<2xi8>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.quantize' expected dimension 0 of size 2, one scale each, not 3x2 q<i8>. [E0408]
func.func @main(%a: tensor<3x2xf32>) {
  %y = dnn.quantize %a to = !dnn.q<i8, axis 0, [0.5, 0.25]> : (tensor<3x2xf32>) -> tensor<3x2x!dnn.q<i8, axis 0, [0.5, 0.25]>>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.quantize' expected dimension 2 of size 2, one scale each, not 2x2 q<i8>. [E0408]
func.func @main(%a: tensor<2x2xf32>) {
  %y = dnn.quantize %a to = !dnn.q<i8, axis 2, [0.5, 0.25]> : (tensor<2x2xf32>) -> tensor<2x2x!dnn.q<i8, axis 2, [0.5, 0.25]>>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.requantize' expected a quantized operand, not i32. [E0431]
func.func @main(%a: tensor<2xi32>) {
  %y = dnn.requantize %a to = !dnn.q<i8, 0.1, 0> : (tensor<2xi32>) -> tensor<2x!dnn.q<i8, 0.1, 0>>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.requantize' expected zero point 0 for 32-bit values, not !dnn.q<i32, 0.1, 3>. [E0430]
func.func @main(%a: tensor<2x!dnn.q<i32, 0.1, 3>>) {
  %y = dnn.requantize %a to = !dnn.q<i8, 0.1, 0> : (tensor<2x!dnn.q<i32, 0.1, 3>>) -> tensor<2x!dnn.q<i8, 0.1, 0>>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.requantize' expected a quantized type, not i8. [E0431]
func.func @main(%a: tensor<2x!dnn.q<i32, 0.1, 0>>) {
  %y = dnn.requantize %a to = i8 : (tensor<2x!dnn.q<i32, 0.1, 0>>) -> tensor<2xi8>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.requantize' expected one scale for the result, not !dnn.q<i8, axis 0, [0.5, 0.25]>. [E0429]
func.func @main(%a: tensor<2x!dnn.q<i32, 0.1, 0>>) {
  %y = dnn.requantize %a to = !dnn.q<i8, axis 0, [0.5, 0.25]> : (tensor<2x!dnn.q<i32, 0.1, 0>>) -> tensor<2x!dnn.q<i8, axis 0, [0.5, 0.25]>>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.requantize' expected a rounding of q31_half_even, f32_half_even, half_up, half_away, tflite_double, trunc, not up. [E0432]
func.func @main(%a: tensor<2x!dnn.q<i32, 0.1, 0>>) {
  %y = dnn.requantize %a to = !dnn.q<i8, 0.1, 0> rounding = up : (tensor<2x!dnn.q<i32, 0.1, 0>>) -> tensor<2x!dnn.q<i8, 0.1, 0>>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:31: Expected one of 'shift' [E0401]
func.func @main(%a: tensor<2x3xf32>, %b: tensor<3xf32>, %c: tensor<4x2x3xf32>) {
  %y = dnn.layer_norm %a, %b, %c : (tensor<2x3xf32>, tensor<3xf32>, tensor<4x2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.rms_norm' expected scale that broadcasts to [2, 3], not 4x2x3 f32. [E0442]
func.func @main(%a: tensor<2x3xf32>, %b: tensor<4x2x3xf32>) {
  %y = dnn.rms_norm %a, %b : (tensor<2x3xf32>, tensor<4x2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv_transpose' expected at least one group, not 0. [E0420]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<4x3x2x2xf32>) {
  %y = dnn.conv_transpose %a, %b window = <[2, 2]> groups = 0 : (tensor<1x4x8x8xf32>, tensor<4x3x2x2xf32>) -> tensor<1x3x9x9xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv_transpose' expected stride of at least 1, not [0, 1]. [E0416]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<4x3x2x2xf32>) {
  %y = dnn.conv_transpose %a, %b window = <[2, 2], stride [0, 1]> : (tensor<1x4x8x8xf32>, tensor<4x3x2x2xf32>) -> tensor<1x3x9x9xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv_transpose' expected 2 output pads of at least 0, not [1]. [E0434]
func.func @main(%a: tensor<1x4x8x8xf32>, %b: tensor<4x3x2x2xf32>) {
  %y = dnn.conv_transpose %a, %b window = <[2, 2]> output_pad = [1] : (tensor<1x4x8x8xf32>, tensor<4x3x2x2xf32>) -> tensor<1x3x9x9xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.lp_pool' expected p of at least 1, not 0. [E0433]
func.func @main(%a: tensor<1x4x8x8xf32>) {
  %y = dnn.lp_pool %a window = <[2, 2]> p = 0 : (tensor<1x4x8x8xf32>) -> tensor<1x4x7x7xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 1]]:48: expected an integer storage type, not f32. [E0409]
func.func @main(%a: tensor<2x!dnn.q<f32, 0.1, 0>>) {
  %y = dnn.relu %a : (tensor<2x!dnn.q<f32, 0.1, 0>>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 1]]:47: expected positive finite scales, not [0.0]. [E0409]
func.func @main(%a: tensor<2x!dnn.q<i8, 0.0, 0>>) {
  %y = dnn.relu %a : (tensor<2x!dnn.q<i8, 0.0, 0>>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 1]]:48: expected positive finite scales, not [-1.0]. [E0409]
func.func @main(%a: tensor<2x!dnn.q<i8, -1.0, 0>>) {
  %y = dnn.relu %a : (tensor<2x!dnn.q<i8, -1.0, 0>>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 1]]:49: expected zero points in [-128, 127], not [128]. [E0409]
func.func @main(%a: tensor<2x!dnn.q<i8, 0.1, 128>>) {
  %y = dnn.relu %a : (tensor<2x!dnn.q<i8, 0.1, 128>>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 1]]:64: expected as many zero points as scales, not 1 and 2. [E0409]
func.func @main(%a: tensor<2x!dnn.q<i8, axis 0, [0.1, 0.2], [1]>>) {
  %y = dnn.relu %a : (tensor<2x!dnn.q<i8, axis 0, [0.1, 0.2], [1]>>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.const' expected either a key or values, not both or none. [E0410]
func.func @main(%a: tensor<2xf32>) {
  %y = dnn.const : () -> tensor<2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.const' expected either a key or values, not both or none. [E0410]
func.func @main(%a: tensor<2xf32>) {
  %y = dnn.const key = "w" value = dense<1> : tensor<2xi64> : () -> tensor<2xi64>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.const' expected values of type tensor<3xi64>, not tensor<2xi64>. [E0410]
func.func @main(%a: tensor<2xf32>) {
  %y = dnn.const value = dense<1> : tensor<2xi64> : () -> tensor<3xi64>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.group' expected arguments of the operands' types (tensor<2xf32>), not (tensor<3xf32>). [E0412]
func.func @main(%a: tensor<2xf32>) {
  %y = dnn.group [%a] {
  ^bb0(%b: tensor<3xf32>):
    dnn.yield %b : tensor<3xf32>
  } : (tensor<2xf32>) -> tensor<3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.group' expected a body that ends in dnn.yield, not dnn.relu. [E0412]
func.func @main(%a: tensor<2xf32>) {
  %y = dnn.group [%a] {
  ^bb0(%b: tensor<2xf32>):
    %c = dnn.relu %b : (tensor<2xf32>) -> tensor<2xf32>
  } : (tensor<2xf32>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.group' Operation using value defined out of its IsolatedFromAbove parent: ReluOp(%c = dnn.relu %a : (tensor<2xf32>) -> tensor<2xf32>) [E0403]
func.func @main(%a: tensor<2xf32>) {
  %y = dnn.group [%a] {
  ^bb0(%b: tensor<2xf32>):
    %c = dnn.relu %a : (tensor<2xf32>) -> tensor<2xf32>
    dnn.yield %c : tensor<2xf32>
  } : (tensor<2xf32>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.group' expected result 2 f32, not 3 f32. [E0405]
func.func @main(%a: tensor<2xf32>) {
  %y = dnn.group [%a] {
  ^bb0(%b: tensor<2xf32>):
    dnn.yield %b : tensor<2xf32>
  } : (tensor<2xf32>) -> tensor<3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.relu' expected a value made before it, not after. Move it down. [E0404]
func.func @main(%a: tensor<2xf32>) {
  %y = dnn.relu %z : (tensor<2xf32>) -> tensor<2xf32>
  %z = dnn.relu %a : (tensor<2xf32>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:20: Expected ',' [E0401]
func.func @main(%a: tensor<2xf32>) {
  %y = dnn.conv %a : (tensor<2xf32>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.softmax' property 'axis' expected in operation 'dnn.softmax' [E0403]
func.func @main(%a: tensor<2xf32>) {
  %y = dnn.softmax %a : (tensor<2xf32>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:23: Expected ':' [E0401]
func.func @main(%a: tensor<2xf32>) {
  %y = dnn.softmax %a axes = 1 : (tensor<2xf32>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:8: expected a known operation, not 'dnn.sofmax'. Did you mean dnn.softmax or dnn.qsoftmax or dnn.max? [E0402]
func.func @main(%a: tensor<2xf32>) {
  %y = dnn.sofmax %a axis = 1 : (tensor<2xf32>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.relu' Expected 1 operand, but got 2 [E0403]
func.func @main(%a: tensor<2xf32>) {
  %y = "dnn.relu"(%a, %a) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.scan' expected at least one step, not 0. [E0433]
func.func @main(%a: tensor<3xf32>, %b: tensor<4x3xf32>) {
  %y = dnn.scan [%a], [%b], [] steps = 0 {
  ^bb0(%h: tensor<3xf32>, %x: tensor<3xf32>):
    dnn.yield %x : tensor<3xf32>
  } : (tensor<3xf32>, tensor<4x3xf32>) -> tensor<3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.scan' expected sequences of 5 steps along dimension 0, not 4x3 f32. [E0438]
func.func @main(%a: tensor<3xf32>, %b: tensor<4x3xf32>) {
  %y = dnn.scan [%a], [%b], [] steps = 5 {
  ^bb0(%h: tensor<3xf32>, %x: tensor<3xf32>):
    dnn.yield %x : tensor<3xf32>
  } : (tensor<3xf32>, tensor<4x3xf32>) -> tensor<3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.scan' expected arguments of the types (tensor<3xf32>, tensor<3xf32>), not (tensor<3xf32>, tensor<4x3xf32>). [E0412]
func.func @main(%a: tensor<3xf32>, %b: tensor<4x3xf32>) {
  %y = dnn.scan [%a], [%b], [] steps = 4 {
  ^bb0(%h: tensor<3xf32>, %x: tensor<4x3xf32>):
    dnn.yield %h : tensor<3xf32>
  } : (tensor<3xf32>, tensor<4x3xf32>) -> tensor<3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.scan' expected next states of the types (tensor<3xf32>), not (tensor<1x3xf32>). [E0412]
func.func @main(%a: tensor<3xf32>, %b: tensor<4x3xf32>) {
  %y = dnn.scan [%a], [%b], [] steps = 4 {
  ^bb0(%h: tensor<3xf32>, %x: tensor<3xf32>):
    %z = dnn.reshape %x shape = [1, 3] : (tensor<3xf32>) -> tensor<1x3xf32>
    dnn.yield %z : tensor<1x3xf32>
  } : (tensor<3xf32>, tensor<4x3xf32>) -> tensor<1x3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.scan' expected a body that ends in dnn.yield, not dnn.relu. [E0412]
func.func @main(%a: tensor<3xf32>, %b: tensor<4x3xf32>) {
  %y = dnn.scan [%a], [%b], [] steps = 4 {
  ^bb0(%h: tensor<3xf32>, %x: tensor<3xf32>):
    %z = dnn.relu %x : (tensor<3xf32>) -> tensor<3xf32>
  } : (tensor<3xf32>, tensor<4x3xf32>) -> tensor<3xf32>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.interpolate' expected an operand of 16 bits, not q<i8>. Use dnn.table for fewer. [E0428]
func.func @main(%a: tensor<3x!dnn.q<i8, 0.5, 0>>, %t: tensor<513x!dnn.q<i16, 0.5, 0>>) {
  %y = dnn.interpolate %a, %t : (tensor<3x!dnn.q<i8, 0.5, 0>>, tensor<513x!dnn.q<i16, 0.5, 0>>) -> tensor<3x!dnn.q<i16, 0.5, 0>>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.interpolate' expected knots of 2^n + 1 entries, n in [1, 15], not 512 q<i16>. [E0462]
func.func @main(%a: tensor<3x!dnn.q<i16, 0.5, 0>>, %t: tensor<512x!dnn.q<i16, 0.5, 0>>) {
  %y = dnn.interpolate %a, %t : (tensor<3x!dnn.q<i16, 0.5, 0>>, tensor<512x!dnn.q<i16, 0.5, 0>>) -> tensor<3x!dnn.q<i16, 0.5, 0>>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 2]]:3: 'dnn.interpolate' expected results that an int16 holds, not q<ui16>. [E0428]
func.func @main(%a: tensor<3x!dnn.q<i16, 0.5, 0>>, %t: tensor<513x!dnn.q<ui16, 0.5, 0>>) {
  %y = dnn.interpolate %a, %t : (tensor<3x!dnn.q<i16, 0.5, 0>>, tensor<513x!dnn.q<ui16, 0.5, 0>>) -> tensor<3x!dnn.q<ui16, 0.5, 0>>
  func.return
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 5]]:1: values used but not defined: [%b] [E0401]
func.func @main(%a: tensor<2xf32>) {
  %y = dnn.relu %b : (tensor<2xf32>) -> tensor<2xf32>
  func.return
}

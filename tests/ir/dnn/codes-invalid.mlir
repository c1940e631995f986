// What the types of codes say, and the operations that do not take them.
// RUN: dnnc-opt %s --split-input-file --verify-diagnostics | filecheck %s --match-full-lines

// CHECK: codes-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.relu' expected real numbers, not pow2<i4>. Dequantize first. [E0428]
func.func @main(%a: tensor<2x!dnn.pow2<i4, 0.5>>) {
  %y = dnn.relu %a : (tensor<2x!dnn.pow2<i4, 0.5>>) -> tensor<2x!dnn.pow2<i4, 0.5>>
  func.return
}

// -----

// CHECK: codes-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.quantize' expected a real zero point at graph inputs only, not !dnn.fixed<i8, 0.5, 0.1> here. Choose a zero point that is a whole number. [E0430]
func.func @main(%a: tensor<2xf32>) {
  %y = dnn.quantize %a to = !dnn.fixed<i8, 0.5, 0.1> : (tensor<2xf32>) -> tensor<2x!dnn.fixed<i8, 0.5, 0.1>>
  func.return
}

// -----

// CHECK: codes-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.dequantize' expected 2 blocks of [1, 2], not a tensor of shape [2, 3]. [E0408]
func.func @main(%a: tensor<2x3x!dnn.block<i4, [1, 2], [0.5, 0.25]>>) {
  %y = dnn.dequantize %a : (tensor<2x3x!dnn.block<i4, [1, 2], [0.5, 0.25]>>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: codes-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.dequantize' expected dimension 0 of size 2, one scale each, not [3]. [E0408]
func.func @main(%a: tensor<3x!dnn.pow2<i4, axis 0, [0.5, 0.25]>>) {
  %y = dnn.dequantize %a : (tensor<3x!dnn.pow2<i4, axis 0, [0.5, 0.25]>>) -> tensor<3xf32>
  func.return
}

// -----

// CHECK: codes-invalid.mlir:[[# @LINE + 1]]:66: expected as many zero points as scales, not 1 and 2. [E0409]
func.func @main(%a: tensor<4x!dnn.block<i4, [2], [0.5, 0.25], [1]>>) {
  func.return
}

// -----

// CHECK: codes-invalid.mlir:[[# @LINE + 1]]:69: expected zero points in [-8, 7], not [9, 0]. [E0409]
func.func @main(%a: tensor<4x!dnn.block<i4, [2], [0.5, 0.25], [9, 0]>>) {
  func.return
}

// -----

// CHECK: codes-invalid.mlir:[[# @LINE + 1]]:61: expected blocks of at least one element, not [0]. [E0409]
func.func @main(%a: tensor<4x!dnn.block<i4, [0], [0.5, 0.25]>>) {
  func.return
}

// -----

// CHECK: codes-invalid.mlir:[[# @LINE + 1]]:56: expected a storage of at most 16 bits, not i32. [E0409]
func.func @main(%a: tensor<4x!dnn.block<i32, [4], [0.5]>>) {
  func.return
}

// -----

// CHECK: codes-invalid.mlir:[[# @LINE + 1]]:48: expected a signed storage type of 2 to 8 bits, not ui4. [E0409]
func.func @main(%a: tensor<4x!dnn.pow2<ui4, 0.5>>) {
  func.return
}

// -----

// CHECK: codes-invalid.mlir:[[# @LINE + 1]]:48: expected positive finite scales, not [-0.5]. [E0409]
func.func @main(%a: tensor<4x!dnn.pow2<i4, -0.5>>) {
  func.return
}

// -----

// CHECK: codes-invalid.mlir:[[# @LINE + 1]]:69: expected 1 to 2 values, not 3. [E0409]
func.func @main(%a: tensor<4x!dnn.codebook<ui1, [1.0, 2.0, 3.0], 0.5>>) {
  func.return
}

// -----

// CHECK: codes-invalid.mlir:[[# @LINE + 1]]:68: expected an unsigned storage type of at most 8 bits, not i4. [E0409]
func.func @main(%a: tensor<4x!dnn.codebook<i4, [1.0, 2.0, 3.0], 0.5>>) {
  func.return
}

// -----

// CHECK: codes-invalid.mlir:[[# @LINE + 1]]:50: expected a float storage type of 8 or 16 bits, not f32. [E0409]
func.func @main(%a: tensor<4x!dnn.scaled<f32, 0.5>>) {
  func.return
}

// -----

// CHECK: codes-invalid.mlir:[[# @LINE + 1]]:54: expected an integer storage type of at most 16 bits, not i32. [E0409]
func.func @main(%a: tensor<4x!dnn.fixed<i32, 0.5, 0.1>>) {
  func.return
}

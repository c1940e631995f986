// What the verifiers of packed values say.
// RUN: dnnc-opt %s --split-input-file --verify-diagnostics | filecheck %s --match-full-lines

// CHECK: bitwise-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.pack' expected values with one scale and zero point 0, not q<i8>. [E0428]
func.func @main(%x: tensor<1x8x!dnn.q<i8, 1.0, 3>>) {
  %y = dnn.pack %x to = !dnn.bits<binary, 1.0> : (tensor<1x8x!dnn.q<i8, 1.0, 3>>) -> tensor<1x1x!dnn.bits<binary, 1.0>>
  func.return
}

// -----

// CHECK: bitwise-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.pack' expected a type of packed values, as !dnn.bits<binary, 1.0>, not !dnn.q<i8, 1.0, 0>. [E0431]
func.func @main(%x: tensor<1x8x!dnn.q<i8, 1.0, 0>>) {
  %y = dnn.pack %x to = !dnn.q<i8, 1.0, 0> : (tensor<1x8x!dnn.q<i8, 1.0, 0>>) -> tensor<1x1x!dnn.q<i8, 1.0, 0>>
  func.return
}

// -----

// CHECK: bitwise-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.pack' expected a multiple of 8 channels, not 1x12 q<i8>. [E0419]
func.func @main(%x: tensor<1x12x!dnn.q<i8, 1.0, 0>>) {
  %y = dnn.pack %x to = !dnn.bits<binary, 1.0> : (tensor<1x12x!dnn.q<i8, 1.0, 0>>) -> tensor<1x1x!dnn.bits<binary, 1.0>>
  func.return
}

// -----

// CHECK: bitwise-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.bit_matmul' expected operands of packed values of one kind, not bits<ui8> and bits<ui8>. [E0424]
func.func @main(%x: tensor<1x8x!dnn.bits<binary, 1.0>>, %w: tensor<4x8x!dnn.bits<ternary, 1.0>>) {
  %y = dnn.bit_matmul %x, %w : (tensor<1x8x!dnn.bits<binary, 1.0>>, tensor<4x8x!dnn.bits<ternary, 1.0>>) -> tensor<1x4x!dnn.q<i32, 1.0, 0>>
  func.return
}

// -----

// CHECK: bitwise-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.bit_matmul' expected operands that share the last dimension, not 1x8 bits<ui8> and 4x6 bits<ui8>. [E0425]
func.func @main(%x: tensor<1x8x!dnn.bits<binary, 1.0>>, %w: tensor<4x6x!dnn.bits<binary, 1.0>>) {
  %y = dnn.bit_matmul %x, %w : (tensor<1x8x!dnn.bits<binary, 1.0>>, tensor<4x6x!dnn.bits<binary, 1.0>>) -> tensor<1x4x!dnn.q<i32, 1.0, 0>>
  func.return
}

// -----

// CHECK: bitwise-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.bit_conv' expected weights with 2/1 bytes of channels, not 3. [E0419]
func.func @main(%x: tensor<1x2x4x4x!dnn.bits<binary, 1.0>>, %w: tensor<4x3x1x1x!dnn.bits<binary, 1.0>>) {
  %y = dnn.bit_conv %x, %w window = <[1, 1]> : (tensor<1x2x4x4x!dnn.bits<binary, 1.0>>, tensor<4x3x1x1x!dnn.bits<binary, 1.0>>) -> tensor<1x4x4x4x!dnn.q<i32, 1.0, 0>>
  func.return
}

// -----

// CHECK: bitwise-invalid.mlir:[[# @LINE + 1]]:{{.*}}expected one of binary, ternary, not octal. [E0409]
func.func @main(%x: tensor<1x2x!dnn.bits<octal, 1.0>>) {
  func.return
}

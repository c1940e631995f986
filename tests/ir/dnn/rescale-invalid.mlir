// What the verifiers of rescaling operations say.
// RUN: dnnc-opt %s --split-input-file --verify-diagnostics | filecheck %s --match-full-lines

// CHECK: rescale-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.requant_shift' expected a quantized operand, not f32. [E0431]
func.func @main(%q: tensor<3x2xf32>, %m: tensor<3x1xi32>, %o: tensor<3x1xi64>) {
  %y = dnn.requant_shift %q, %m, %o shift = 4 to = !dnn.q<ui8, 1.0, 0> : (tensor<3x2xf32>, tensor<3x1xi32>, tensor<3x1xi64>) -> tensor<3x2x!dnn.q<ui8, 1.0, 0>>
  func.return
}

// -----

// CHECK: rescale-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.requant_shift' expected multiplier of i32, not 3x1 i64. [E0428]
func.func @main(%q: tensor<3x2x!dnn.q<i32, 1.0, 0>>, %m: tensor<3x1xi64>, %o: tensor<3x1xi64>) {
  %y = dnn.requant_shift %q, %m, %o shift = 4 to = !dnn.q<ui8, 1.0, 0> : (tensor<3x2x!dnn.q<i32, 1.0, 0>>, tensor<3x1xi64>, tensor<3x1xi64>) -> tensor<3x2x!dnn.q<ui8, 1.0, 0>>
  func.return
}

// -----

// CHECK: rescale-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.requant_shift' expected offset that broadcasts to [3, 2], not 1x3x2 i64. [E0426]
func.func @main(%q: tensor<3x2x!dnn.q<i32, 1.0, 0>>, %m: tensor<3x1xi32>, %o: tensor<1x3x2xi64>) {
  %y = dnn.requant_shift %q, %m, %o shift = 4 to = !dnn.q<ui8, 1.0, 0> : (tensor<3x2x!dnn.q<i32, 1.0, 0>>, tensor<3x1xi32>, tensor<1x3x2xi64>) -> tensor<3x2x!dnn.q<ui8, 1.0, 0>>
  func.return
}

// -----

// CHECK: rescale-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.requant_shift' expected a shift in [0, 62], not 63. [E0433]
func.func @main(%q: tensor<3x2x!dnn.q<i32, 1.0, 0>>, %m: tensor<3x1xi32>, %o: tensor<3x1xi64>) {
  %y = dnn.requant_shift %q, %m, %o shift = 63 to = !dnn.q<ui8, 1.0, 0> : (tensor<3x2x!dnn.q<i32, 1.0, 0>>, tensor<3x1xi32>, tensor<3x1xi64>) -> tensor<3x2x!dnn.q<ui8, 1.0, 0>>
  func.return
}

// -----

// CHECK: rescale-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.requant_shift' expected a rounding of q31_half_even, half_up, half_away, trunc, not tflite_double. [E0432]
func.func @main(%q: tensor<3x2x!dnn.q<i32, 1.0, 0>>, %m: tensor<3x1xi32>, %o: tensor<3x1xi64>) {
  %y = dnn.requant_shift %q, %m, %o shift = 4 rounding = tflite_double to = !dnn.q<ui8, 1.0, 0> : (tensor<3x2x!dnn.q<i32, 1.0, 0>>, tensor<3x1xi32>, tensor<3x1xi64>) -> tensor<3x2x!dnn.q<ui8, 1.0, 0>>
  func.return
}

// -----

// CHECK: rescale-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.threshold' expected an f32 operand, not f64. [E0428]
func.func @main(%x: tensor<3x2xf64>, %t: tensor<1x4xf32>) {
  %y = dnn.threshold %x, %t to = !dnn.q<ui8, 1.0, 0> : (tensor<3x2xf64>, tensor<1x4xf32>) -> tensor<3x2x!dnn.q<ui8, 1.0, 0>>
  func.return
}

// -----

// CHECK: rescale-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.threshold' expected thresholds of i32, not 1x4 f32. [E0428]
func.func @main(%x: tensor<3x2x!dnn.q<i32, 1.0, 0>>, %t: tensor<1x4xf32>) {
  %y = dnn.threshold %x, %t to = !dnn.q<ui8, 1.0, 0> : (tensor<3x2x!dnn.q<i32, 1.0, 0>>, tensor<1x4xf32>) -> tensor<3x2x!dnn.q<ui8, 1.0, 0>>
  func.return
}

// -----

// CHECK: rescale-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.threshold' expected thresholds of shape [1, K] or [2, K], not 3x4 f32. [E0442]
func.func @main(%x: tensor<3x2xf32>, %t: tensor<3x4xf32>) {
  %y = dnn.threshold %x, %t to = !dnn.q<ui8, 1.0, 0> : (tensor<3x2xf32>, tensor<3x4xf32>) -> tensor<3x2x!dnn.q<ui8, 1.0, 0>>
  func.return
}

// -----

// CHECK: rescale-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.threshold' expected results in [0, 255], not -1 to 3. [E0433]
func.func @main(%x: tensor<3x2xf32>, %t: tensor<1x4xf32>) {
  %y = dnn.threshold %x, %t to = !dnn.q<ui8, 1.0, 0> first = -1 : (tensor<3x2xf32>, tensor<1x4xf32>) -> tensor<3x2x!dnn.q<ui8, 1.0, 0>>
  func.return
}

// -----

// CHECK: rescale-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.requantize' expected multiplier and shift together, not one of them. [E0433]
func.func @main(%q: tensor<3x2x!dnn.q<i32, 1.0, 0>>) {
  %y = dnn.requantize %q to = !dnn.q<ui8, 1.0, 0> multiplier = [3] : (tensor<3x2x!dnn.q<i32, 1.0, 0>>) -> tensor<3x2x!dnn.q<ui8, 1.0, 0>>
  func.return
}

// -----

// CHECK: rescale-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.requantize' expected 1 or 1 multipliers, not 2. [E0434]
func.func @main(%q: tensor<3x2x!dnn.q<i32, 1.0, 0>>) {
  %y = dnn.requantize %q to = !dnn.q<ui8, 1.0, 0> multiplier = [3, 4] shift = 2 : (tensor<3x2x!dnn.q<i32, 1.0, 0>>) -> tensor<3x2x!dnn.q<ui8, 1.0, 0>>
  func.return
}

// -----

// CHECK: rescale-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.requantize' expected multipliers from 1 to 2^31 - 1, not [0]. [E0433]
func.func @main(%q: tensor<3x2x!dnn.q<i32, 1.0, 0>>) {
  %y = dnn.requantize %q to = !dnn.q<ui8, 1.0, 0> multiplier = [0] shift = 2 : (tensor<3x2x!dnn.q<i32, 1.0, 0>>) -> tensor<3x2x!dnn.q<ui8, 1.0, 0>>
  func.return
}

// -----

// CHECK: rescale-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.requantize' expected a shift in [0, 32], not 33. [E0433]
func.func @main(%q: tensor<3x2x!dnn.q<i32, 1.0, 0>>) {
  %y = dnn.requantize %q to = !dnn.q<ui8, 1.0, 0> multiplier = [1] shift = 33 : (tensor<3x2x!dnn.q<i32, 1.0, 0>>) -> tensor<3x2x!dnn.q<ui8, 1.0, 0>>
  func.return
}

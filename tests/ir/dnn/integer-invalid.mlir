// What integer forms refuse, every message whole.
// RUN: dnnc-opt %s --split-input-file --verify-diagnostics | filecheck %s --match-full-lines

// CHECK: integer-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.qadd' expected a quantized operand, not f32. [E0431]
func.func @main(%a: tensor<2x!dnn.q<i8, 0.1, 0>>, %b: tensor<2xf32>) {
  %y = dnn.qadd %a, %b to = !dnn.q<i8, 0.1, 0> : (tensor<2x!dnn.q<i8, 0.1, 0>>, tensor<2xf32>) -> tensor<2x!dnn.q<i8, 0.1, 0>>
  func.return
}

// -----

// CHECK: integer-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.qadd' expected values of at most 16 bits, not q<i32>. Requantize first. [E0428]
func.func @main(%a: tensor<2x!dnn.q<i32, 0.1, 0>>) {
  %y = dnn.qadd %a, %a to = !dnn.q<i8, 0.1, 0> : (tensor<2x!dnn.q<i32, 0.1, 0>>, tensor<2x!dnn.q<i32, 0.1, 0>>) -> tensor<2x!dnn.q<i8, 0.1, 0>>
  func.return
}

// -----

// CHECK: integer-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.qsub' expected one scale for the whole tensor, not !dnn.q<i8, axis 0, [0.5, 0.25]>. Requantize first. [E0429]
func.func @main(%a: tensor<2x!dnn.q<i8, axis 0, [0.5, 0.25]>>) {
  %y = dnn.qsub %a, %a to = !dnn.q<i8, 0.1, 0> : (tensor<2x!dnn.q<i8, axis 0, [0.5, 0.25]>>, tensor<2x!dnn.q<i8, axis 0, [0.5, 0.25]>>) -> tensor<2x!dnn.q<i8, 0.1, 0>>
  func.return
}

// -----

// CHECK: integer-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.qadd' expected a scale ratio in [2^-33, 2^31), not 1e+20. [E0460]
func.func @main(%a: tensor<2x!dnn.q<i8, 1.0e+10, 0>>) {
  %y = dnn.qadd %a, %a to = !dnn.q<i8, 1.0e-10, 0> : (tensor<2x!dnn.q<i8, 1.0e+10, 0>>, tensor<2x!dnn.q<i8, 1.0e+10, 0>>) -> tensor<2x!dnn.q<i8, 1.0e-10, 0>>
  func.return
}

// -----

// CHECK: integer-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.requantize' expected a scale ratio below 2^31, not 1e+20. Calibrate again. [E0460]
func.func @main(%a: tensor<2x!dnn.q<i8, 1.0e+10, 0>>) {
  %y = dnn.requantize %a to = !dnn.q<i8, 1.0e-10, 0> : (tensor<2x!dnn.q<i8, 1.0e+10, 0>>) -> tensor<2x!dnn.q<i8, 1.0e-10, 0>>
  func.return
}

// -----

// CHECK: integer-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.qmul' expected a rounding of q31_half_even, f32_half_even, half_up, half_away, tflite_double, trunc, not nearest. [E0432]
func.func @main(%a: tensor<2x!dnn.q<i8, 0.1, 0>>) {
  %y = dnn.qmul %a, %a rounding = nearest to = !dnn.q<i8, 0.1, 0> : (tensor<2x!dnn.q<i8, 0.1, 0>>, tensor<2x!dnn.q<i8, 0.1, 0>>) -> tensor<2x!dnn.q<i8, 0.1, 0>>
  func.return
}

// -----

// CHECK: integer-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.qmul' expected products below 2^31, not up to 4294836225. [E0461]
func.func @main(%a: tensor<2x!dnn.q<i16, 0.1, 32767>>) {
  %y = dnn.qmul %a, %a to = !dnn.q<i8, 0.1, 0> : (tensor<2x!dnn.q<i16, 0.1, 32767>>, tensor<2x!dnn.q<i16, 0.1, 32767>>) -> tensor<2x!dnn.q<i8, 0.1, 0>>
  func.return
}

// -----

// CHECK: integer-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.qavg_pool' expected an input of rank 4, not 4x8 q<i8>. [E0418]
func.func @main(%a: tensor<4x8x!dnn.q<i8, 0.1, 0>>) {
  %y = dnn.qavg_pool %a window = <[2, 2]> to = !dnn.q<i8, 0.1, 0> : (tensor<4x8x!dnn.q<i8, 0.1, 0>>) -> tensor<4x8x!dnn.q<i8, 0.1, 0>>
  func.return
}

// -----

// CHECK: integer-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.qreduce_mean' expected ascending axes counted from the start, not [-1]. [E0414]
func.func @main(%a: tensor<4x8x!dnn.q<i8, 0.1, 0>>) {
  %y = dnn.qreduce_mean %a axes = [-1] to = !dnn.q<i8, 0.1, 0> : (tensor<4x8x!dnn.q<i8, 0.1, 0>>) -> tensor<4x!dnn.q<i8, 0.1, 0>>
  func.return
}

// -----

// CHECK: integer-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.qreduce_sum' expected sums below 2^31, not up to 2550000000. Reduce in two steps. [E0461]
func.func @main(%a: tensor<10000000x!dnn.q<ui8, 0.1, 0>>) {
  %y = dnn.qreduce_sum %a axes = [0] to = !dnn.q<i8, 0.1, 0> : (tensor<10000000x!dnn.q<ui8, 0.1, 0>>) -> tensor<!dnn.q<i8, 0.1, 0>>
  func.return
}

// -----

// CHECK: integer-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.table' expected a table of 256 entries, not 128 q<i8>. [E0462]
func.func @main(%a: tensor<2x!dnn.q<i8, 0.1, 0>>, %t: tensor<128x!dnn.q<i8, 0.1, 0>>) {
  %y = dnn.table %a, %t : (tensor<2x!dnn.q<i8, 0.1, 0>>, tensor<128x!dnn.q<i8, 0.1, 0>>) -> tensor<2x!dnn.q<i8, 0.1, 0>>
  func.return
}

// -----

// CHECK: integer-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.table' expected one scale for the result, not !dnn.q<i8, axis 0, [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]>. [E0429]
func.func @main(%a: tensor<2x!dnn.q<i4, 0.1, 0>>, %t: tensor<16x!dnn.q<i8, axis 0, [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]>>) {
  %y = dnn.table %a, %t : (tensor<2x!dnn.q<i4, 0.1, 0>>, tensor<16x!dnn.q<i8, axis 0, [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]>>) -> tensor<16x!dnn.q<i8, axis 0, [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]>>
  func.return
}

// -----

// CHECK: integer-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.qsoftmax' expected exponentials of 256 i32, not 256 i64. [E0462]
func.func @main(%a: tensor<2x!dnn.q<i8, 0.1, 0>>, %e: tensor<256xi64>) {
  %y = dnn.qsoftmax %a, %e axis = 0 to = !dnn.q<ui8, 0.00390625, 0> : (tensor<2x!dnn.q<i8, 0.1, 0>>, tensor<256xi64>) -> tensor<2x!dnn.q<ui8, 0.00390625, 0>>
  func.return
}

// -----

// CHECK: integer-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.qsoftmax' expected a result of scale 2^-bits and the smallest zero point, not !dnn.q<ui8, 0.1, 0>. [E0431]
func.func @main(%a: tensor<2x!dnn.q<i8, 0.1, 0>>, %e: tensor<256xi32>) {
  %y = dnn.qsoftmax %a, %e axis = 0 to = !dnn.q<ui8, 0.1, 0> : (tensor<2x!dnn.q<i8, 0.1, 0>>, tensor<256xi32>) -> tensor<2x!dnn.q<ui8, 0.1, 0>>
  func.return
}

// -----

// CHECK: integer-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.qnormalize' expected multiplier of i32, not 3 i64. [E0428]
func.func @main(%a: tensor<3x!dnn.q<i8, 0.1, 0>>, %m: tensor<3xi64>) {
  %y = dnn.qnormalize %a, %m axes = [0] shift = 40 to = !dnn.q<i8, 0.1, 0> : (tensor<3x!dnn.q<i8, 0.1, 0>>, tensor<3xi64>) -> tensor<3x!dnn.q<i8, 0.1, 0>>
  func.return
}

// -----

// CHECK: integer-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.qnormalize' expected multiplier that broadcasts to [3], not 2x3 i32. [E0426]
func.func @main(%a: tensor<3x!dnn.q<i8, 0.1, 0>>, %m: tensor<2x3xi32>) {
  %y = dnn.qnormalize %a, %m axes = [0] shift = 40 to = !dnn.q<i8, 0.1, 0> : (tensor<3x!dnn.q<i8, 0.1, 0>>, tensor<2x3xi32>) -> tensor<3x!dnn.q<i8, 0.1, 0>>
  func.return
}

// -----

// CHECK: integer-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.qnormalize' expected a shift in [0, 62], not 63. [E0433]
func.func @main(%a: tensor<3x!dnn.q<i8, 0.1, 0>>, %m: tensor<3xi32>) {
  %y = dnn.qnormalize %a, %m axes = [0] shift = 63 to = !dnn.q<i8, 0.1, 0> : (tensor<3x!dnn.q<i8, 0.1, 0>>, tensor<3xi32>) -> tensor<3x!dnn.q<i8, 0.1, 0>>
  func.return
}

// -----

// CHECK: integer-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.qnormalize' expected an epsilon of at least 0, not -1. [E0433]
func.func @main(%a: tensor<3x!dnn.q<i8, 0.1, 0>>, %m: tensor<3xi32>) {
  %y = dnn.qnormalize %a, %m axes = [0] epsilon = -1 shift = 40 to = !dnn.q<i8, 0.1, 0> : (tensor<3x!dnn.q<i8, 0.1, 0>>, tensor<3xi32>) -> tensor<3x!dnn.q<i8, 0.1, 0>>
  func.return
}

// -----

// CHECK: integer-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.qnormalize' expected sums of squares below 2^62, not 16384000000000000001. Normalize fewer elements. [E0461]
func.func @main(%a: tensor<100000x!dnn.q<i8, 0.1, 0>>, %m: tensor<1xi32>) {
  %y = dnn.qnormalize %a, %m axes = [0] center shift = 40 to = !dnn.q<i8, 0.1, 0> : (tensor<100000x!dnn.q<i8, 0.1, 0>>, tensor<1xi32>) -> tensor<100000x!dnn.q<i8, 0.1, 0>>
  func.return
}

// -----

// CHECK: integer-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.reduce_sum' expected an operand that is not quantized, not q<i8>. Use an integer form. [E0428]
func.func @main(%a: tensor<3x!dnn.q<i8, 0.1, 0>>) {
  %y = dnn.reduce_sum %a axes = [0] : (tensor<3x!dnn.q<i8, 0.1, 0>>) -> tensor<!dnn.q<i8, 0.1, 0>>
  func.return
}

// -----

// CHECK: integer-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.conv_transpose' expected one scale for all weights, not !dnn.q<i8, axis 1, [0.5]>. [E0429]
func.func @main(%a: tensor<1x2x4x4x!dnn.q<i8, 0.1, 0>>, %w: tensor<2x1x2x2x!dnn.q<i8, axis 1, [0.5]>>) {
  %y = dnn.conv_transpose %a, %w window = <[2, 2]> groups = 2 : (tensor<1x2x4x4x!dnn.q<i8, 0.1, 0>>, tensor<2x1x2x2x!dnn.q<i8, axis 1, [0.5]>>) -> tensor<1x2x5x5x!dnn.q<i32, axis 1, [0.05, 0.05]>>
  func.return
}

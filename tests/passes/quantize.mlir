// RUN: dnnc-opt %s -p quantize --split-input-file --verify-diagnostics | filecheck %s
// RUN: dnnc-opt %s -p 'quantize{islands=true rounding=half_away}' --split-input-file --verify-diagnostics | filecheck %s --check-prefix ISLANDS

// A product becomes int8 weights with a scale for each output channel (127 / 127 and 254 / 127), an int32 bias in the
// scale of the sum, and a requantize to the range of the relu after it, which is all that reads it. What follows the
// last contraction and has no integer form is an island in float.
// CHECK-LABEL: func.func @main
// CHECK: [[x:%.*]] = dnn.quantize %x to = !dnn.q<i8, 0.5, 0> : (tensor<1x2xf32>) -> tensor<1x2x!dnn.q<i8, 0.5, 0>>
// CHECK-NEXT: [[w:%.*]] = dnn.const key = "weights.i8" : () -> tensor<2x2x!q0>
// CHECK-NEXT: [[b:%.*]] = dnn.const key = "weights.bias.i32" : () -> tensor<2x!q1>
// CHECK-NEXT: [[s:%.*]] = dnn.matmul [[x]], [[w]], bias([[b]]) : (tensor<1x2x!dnn.q<i8, 0.5, 0>>, tensor<2x2x!q0>, tensor<2x!q1>) -> tensor<1x2x!q2>
// CHECK-NEXT: [[q:%.*]] = dnn.requantize [[s]] to = !dnn.q<i8, 2.0, -128> : (tensor<1x2x!q2>) -> tensor<1x2x!dnn.q<i8, 2.0, -128>>
// CHECK-NEXT: [[r:%.*]] = dnn.relu [[q]] : (tensor<1x2x!dnn.q<i8, 2.0, -128>>) -> tensor<1x2x!dnn.q<i8, 2.0, -128>>
// CHECK-NEXT: [[d:%.*]] = dnn.dequantize [[r]] : (tensor<1x2x!dnn.q<i8, 2.0, -128>>) -> tensor<1x2xf32>
// CHECK-NEXT: [[t:%.*]] = dnn.softmax [[d]] axis = 1 attributes {dnn.island} : (tensor<1x2xf32>) -> tensor<1x2xf32>
// CHECK-NEXT: func.return [[t]]
// ISLANDS-LABEL: func.func @main
// ISLANDS: rounding = half_away
func.func @main(%x: tensor<1x2xf32> {dnn.range = #dnn.reals<[-64.0, 63.5]>}) -> tensor<1x2xf32> {
  %w = dnn.const value = dense<[[127.0, 2.0], [-1.0, 254.0]]> : tensor<2x2xf32> : () -> tensor<2x2xf32>
  %b = dnn.const value = dense<[10.0, -20.0]> : tensor<2xf32> : () -> tensor<2xf32>
  %s = dnn.matmul %x, %w, bias(%b) attributes {dnn.range = #dnn.reals<[-300.0, 510.0]>} : (tensor<1x2xf32>, tensor<2x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  %r = dnn.relu %s attributes {dnn.range = #dnn.reals<[0.0, 510.0]>} : (tensor<1x2xf32>) -> tensor<1x2xf32>
  %t = dnn.softmax %r axis = 1 : (tensor<1x2xf32>) -> tensor<1x2xf32>
  func.return %t : tensor<1x2xf32>
}

// -----
// What was not calibrated, and what has no integer form before the last contraction, is refused all at once.
// CHECK: quantize.mlir:[[# @LINE + 7]]:3: expected a calibrated range, not none. Give samples with --calibrate X.npz. [E0701]
// CHECK-NEXT: quantize.mlir:[[# @LINE + 8]]:3: expected a calibrated range, not none. Give samples with --calibrate X.npz. [E0701]
// CHECK-NEXT: quantize.mlir:[[# @LINE + 6]]:3: 'dnn.softmax' on f32 has no int8 form yet. Compile it to C in float (--emit c); quantize{islands=true} keeps it in float for the interpreter. [E0703]
// ISLANDS: quantize.mlir:[[# @LINE + 4]]:3: expected a calibrated range, not none.
// ISLANDS-NEXT: quantize.mlir:[[# @LINE + 5]]:3: expected a calibrated range, not none.
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = dnn.const value = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32> : () -> tensor<2x2xf32>
  %s = dnn.matmul %x, %w : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %t = dnn.softmax %s axis = 1 : (tensor<1x2xf32>) -> tensor<1x2xf32>
  %u = dnn.matmul %t, %w : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  func.return %u : tensor<1x2xf32>
}

// -----
// With islands allowed the softmax between two products runs in float, behind dequantize and before quantize.
// CHECK: 'dnn.softmax' on f32 has no int8 form yet.
// ISLANDS-LABEL: func.func @main
// ISLANDS: dnn.requantize
// ISLANDS-NEXT: dnn.dequantize
// ISLANDS-NEXT: dnn.softmax {{.*}} {dnn.island}
// ISLANDS-NEXT: dnn.quantize
// ISLANDS: dnn.requantize
// ISLANDS-NEXT: dnn.dequantize
// ISLANDS-NEXT: func.return
func.func @main(%x: tensor<1x2xf32> {dnn.range = #dnn.reals<[0.0, 1.0]>}) -> tensor<1x2xf32> {
  %w = dnn.const value = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32> : () -> tensor<2x2xf32>
  %s = dnn.matmul %x, %w attributes {dnn.range = #dnn.reals<[0.0, 6.0]>} : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %t = dnn.softmax %s axis = 1 attributes {dnn.range = #dnn.reals<[0.0, 1.0]>} : (tensor<1x2xf32>) -> tensor<1x2xf32>
  %u = dnn.matmul %t, %w attributes {dnn.range = #dnn.reals<[0.0, 6.0]>} : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  func.return %u : tensor<1x2xf32>
}

// -----
// A bias that varies along rows is not one a channel, so the product has no int8 form and stays in float.
// CHECK-LABEL: func.func @main
// CHECK: dnn.matmul %x, %w, bias(%b) attributes {dnn.island}
func.func @main(%x: tensor<2x2xf32> {dnn.range = #dnn.reals<[0.0, 1.0]>}) -> tensor<2x2xf32> {
  %w = dnn.const value = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32> : () -> tensor<2x2xf32>
  %b = dnn.const value = dense<[[1.0], [2.0]]> : tensor<2x1xf32> : () -> tensor<2x1xf32>
  %s = dnn.matmul %x, %w, bias(%b) attributes {dnn.range = #dnn.reals<[0.0, 6.0]>} : (tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x1xf32>) -> tensor<2x2xf32>
  func.return %s : tensor<2x2xf32>
}

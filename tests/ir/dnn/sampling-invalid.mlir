// What the verifier of resampling and indexing operations refuses, every message whole.
// RUN: dnnc-opt %s --split-input-file --verify-diagnostics | filecheck %s --match-full-lines

// CHECK: sampling-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.border_pad' expected a mode of reflect, edge, wrap, not mirror. [E0432]
func.func @main(%x: tensor<4xf32>) {
  %y = dnn.border_pad %x before = [1] after = [1] mode = mirror : (tensor<4xf32>) -> tensor<6xf32>
  func.return
}

// -----

// CHECK: sampling-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.border_pad' expected padded dimensions with elements, not 0 f32. [E0443]
func.func @main(%x: tensor<0xf32>) {
  %y = dnn.border_pad %x before = [1] after = [1] mode = edge : (tensor<0xf32>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: sampling-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.resize' expected a float input for mode linear, not i32. [E0428]
func.func @main(%x: tensor<4xi32>) {
  %y = dnn.resize %x size = [8] mode = linear : (tensor<4xi32>) -> tensor<8xi32>
  func.return
}

// -----

// CHECK: sampling-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.resize' expected a size of 2 dimensions, not [8]. [E0434]
func.func @main(%x: tensor<4x4xf32>) {
  %y = dnn.resize %x size = [8] mode = nearest : (tensor<4x4xf32>) -> tensor<8xf32>
  func.return
}

// -----

// CHECK: sampling-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.resize' expected rounding of round_prefer_floor, round_prefer_ceil, floor, ceil, not up. [E0432]
func.func @main(%x: tensor<4xf32>) {
  %y = dnn.resize %x size = [8] mode = nearest rounding = up : (tensor<4xf32>) -> tensor<8xf32>
  func.return
}

// -----

// CHECK: sampling-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.gather_elements' expected i32 or i64 indices, not f32. [E0428]
func.func @main(%x: tensor<2x3xf32>, %i: tensor<2x2xf32>) {
  %y = dnn.gather_elements %x, %i axis = 1 : (tensor<2x3xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  func.return
}

// -----

// CHECK: sampling-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.gather_nd' expected places of at most 2 indices, not 3. [E0441]
func.func @main(%x: tensor<2x3xf32>, %i: tensor<2x3xi64>) {
  %y = dnn.gather_nd %x, %i : (tensor<2x3xf32>, tensor<2x3xi64>) -> tensor<2xf32>
  func.return
}

// -----

// CHECK: sampling-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.scatter_nd' expected updates of 2x3 f32, not 2x2 f32. [E0441]
func.func @main(%x: tensor<2x3xf32>, %i: tensor<2x1xi64>, %u: tensor<2x2xf32>) {
  %y = dnn.scatter_nd %x, %i, %u : (tensor<2x3xf32>, tensor<2x1xi64>, tensor<2x2xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// CHECK: sampling-invalid.mlir:[[# @LINE + 2]]:3: 'dnn.top_k' expected k of at most 3, not 4. [E0433]
func.func @main(%x: tensor<2x3xf32>) {
  %v, %i = dnn.top_k %x k = 4 : (tensor<2x3xf32>) -> (tensor<2x4xf32>, tensor<2x4xi64>)
  func.return
}

// RUN: dnnc-opt %s -p compose-norms,dce --split-input-file | filecheck %s

// PartsAreLayerNorm, FactorIntoScale, AddendIntoShift.
// CHECK-LABEL: func.func @main
// CHECK-NEXT: %b = dnn.const value = dense<[3.000000e+00, 4.000000e+00]>
// CHECK-NEXT: [[g:%.*]] = dnn.const value = dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>
// CHECK-NEXT: [[y:%.*]] = dnn.layer_norm %x, [[g]], shift(%b) epsilon = 0.25 : (tensor<3x2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<3x2xf32>
// CHECK-NEXT: return [[y]]
func.func @main(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %two = dnn.const value = dense<2.0> : tensor<f32> : () -> tensor<f32>
  %e = dnn.const value = dense<0.25> : tensor<f32> : () -> tensor<f32>
  %g = dnn.const value = dense<[1.0, 2.0]> : tensor<2xf32> : () -> tensor<2xf32>
  %b = dnn.const value = dense<[3.0, 4.0]> : tensor<2xf32> : () -> tensor<2xf32>
  %m = dnn.reduce_mean %x axes = [1] keepdims : (tensor<3x2xf32>) -> tensor<3x1xf32>
  %d = dnn.sub %x, %m : (tensor<3x2xf32>, tensor<3x1xf32>) -> tensor<3x2xf32>
  %s = dnn.pow %d, %two : (tensor<3x2xf32>, tensor<f32>) -> tensor<3x2xf32>
  %v = dnn.reduce_mean %s axes = [1] keepdims : (tensor<3x2xf32>) -> tensor<3x1xf32>
  %w = dnn.add %v, %e : (tensor<3x1xf32>, tensor<f32>) -> tensor<3x1xf32>
  %r = dnn.sqrt %w : (tensor<3x1xf32>) -> tensor<3x1xf32>
  %n = dnn.div %d, %r : (tensor<3x2xf32>, tensor<3x1xf32>) -> tensor<3x2xf32>
  %p = dnn.mul %n, %g : (tensor<3x2xf32>, tensor<2xf32>) -> tensor<3x2xf32>
  %y = dnn.add %p, %b : (tensor<3x2xf32>, tensor<2xf32>) -> tensor<3x2xf32>
  func.return %y : tensor<3x2xf32>
}

// -----
// Over two dimensions, the square as a product; a mean of another axis, or a square of another value, is no norm.
// CHECK-LABEL: func.func @main
// CHECK: dnn.layer_norm %x, {{.*}} axis = -2 epsilon = 0.0 : (tensor<2x3x2xf32>, tensor<3x2xf32>) -> tensor<2x3x2xf32>
// CHECK: dnn.div
func.func @main(%x: tensor<2x3x2xf32>, %z: tensor<2x3x2xf32>) -> (tensor<2x3x2xf32>, tensor<2x3x2xf32>) {
  %m = dnn.reduce_mean %x axes = [1, 2] keepdims : (tensor<2x3x2xf32>) -> tensor<2x1x1xf32>
  %d = dnn.sub %x, %m : (tensor<2x3x2xf32>, tensor<2x1x1xf32>) -> tensor<2x3x2xf32>
  %s = dnn.mul %d, %d : (tensor<2x3x2xf32>, tensor<2x3x2xf32>) -> tensor<2x3x2xf32>
  %v = dnn.reduce_mean %s axes = [1, 2] keepdims : (tensor<2x3x2xf32>) -> tensor<2x1x1xf32>
  %r = dnn.sqrt %v : (tensor<2x1x1xf32>) -> tensor<2x1x1xf32>
  %n = dnn.div %d, %r : (tensor<2x3x2xf32>, tensor<2x1x1xf32>) -> tensor<2x3x2xf32>
  %t = dnn.mul %z, %z : (tensor<2x3x2xf32>, tensor<2x3x2xf32>) -> tensor<2x3x2xf32>
  %u = dnn.reduce_mean %t axes = [1, 2] keepdims : (tensor<2x3x2xf32>) -> tensor<2x1x1xf32>
  %q = dnn.sqrt %u : (tensor<2x1x1xf32>) -> tensor<2x1x1xf32>
  %o = dnn.div %d, %q : (tensor<2x3x2xf32>, tensor<2x1x1xf32>) -> tensor<2x3x2xf32>
  func.return %n, %o : tensor<2x3x2xf32>, tensor<2x3x2xf32>
}

// Operations that resample or index, in their custom form, and once more by way of the generic form.
// RUN: dnnc-opt %s | filecheck %s
// RUN: dnnc-opt %s --print-op-generic | dnnc-opt | filecheck %s

// CHECK-LABEL: func.func @resampling
func.func @resampling(%x: tensor<1x2x5x7xf32>, %i: tensor<4xi32>) {
  // CHECK-NEXT: dnn.border_pad %x before = [0, 0, 1, 2] after = [0, 0, 0, 3] mode = reflect
  %a = dnn.border_pad %x before = [0, 0, 1, 2] after = [0, 0, 0, 3] mode = reflect : (tensor<1x2x5x7xf32>) -> tensor<1x2x6x12xf32>
  // CHECK-NEXT: dnn.resize %x size = [1, 2, 10, 14] mode = nearest coordinates = asymmetric rounding = floor
  %b = dnn.resize %x size = [1, 2, 10, 14] mode = nearest coordinates = asymmetric rounding = floor : (tensor<1x2x5x7xf32>) -> tensor<1x2x10x14xf32>
  // CHECK-NEXT: dnn.resize %x size = [1, 2, 3, 4] mode = cubic scale = [1.0, 1.0, 0.6, 0.6] cubic = -0.5 exclude_outside antialias
  %c = dnn.resize %x size = [1, 2, 3, 4] mode = cubic scale = [1.0, 1.0, 0.6, 0.6] cubic = -0.5 exclude_outside antialias : (tensor<1x2x5x7xf32>) -> tensor<1x2x3x4xf32>
  // CHECK-NEXT: dnn.resize %i size = [2] mode = nearest coordinates = tf_crop_and_resize region = [0.25, 1.0] extrapolation = 9.0
  %d = dnn.resize %i size = [2] mode = nearest coordinates = tf_crop_and_resize region = [0.25, 1.0] extrapolation = 9.0 : (tensor<4xi32>) -> tensor<2xi32>
  func.return
}

// CHECK-LABEL: func.func @indexing
func.func @indexing(%x: tensor<2x3xf32>, %i: tensor<2x2xi64>, %u: tensor<2x2xf32>, %v: tensor<2xf32>) {
  // CHECK-NEXT: dnn.gather_elements %x, %i axis = 1 :
  %a = dnn.gather_elements %x, %i axis = 1 : (tensor<2x3xf32>, tensor<2x2xi64>) -> tensor<2x2xf32>
  // CHECK-NEXT: dnn.gather_nd %x, %i :
  %b = dnn.gather_nd %x, %i : (tensor<2x3xf32>, tensor<2x2xi64>) -> tensor<2xf32>
  // CHECK-NEXT: dnn.scatter_elements %x, %i, %u axis = 1 reduction = max :
  %c = dnn.scatter_elements %x, %i, %u axis = 1 reduction = max : (tensor<2x3xf32>, tensor<2x2xi64>, tensor<2x2xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: dnn.scatter_nd %x, %i, %v reduction = add :
  %d = dnn.scatter_nd %x, %i, %v reduction = add : (tensor<2x3xf32>, tensor<2x2xi64>, tensor<2xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: dnn.top_k %x k = 2 smallest : (tensor<2x3xf32>) -> (tensor<2x2xf32>, tensor<2x2xi64>)
  %e, %f = dnn.top_k %x k = 2 smallest : (tensor<2x3xf32>) -> (tensor<2x2xf32>, tensor<2x2xi64>)
  func.return
}

// The samples are calibrate.npz: three of shape 1x2, [-1, 2], [3, -4] and [0.5, 0.25].
// RUN: dnnc-opt %s -p 'calibrate{data="%S/calibrate.npz"}' | filecheck %s

// The extremes over all samples are noted on the input and on what makes each float value; constants and integers have none.
// CHECK-LABEL: func.func @main(%x: tensor<1x2xf32> {dnn.range = #dnn.reals<[-4.0, 3.0]>})
// CHECK-NEXT: %c = dnn.const value = dense<2.000000e+00> : tensor<f32> : () -> tensor<f32>
// CHECK-NEXT: %y = dnn.mul %x, %c attributes {dnn.range = #dnn.reals<[-8.0, 6.0]>}
// CHECK-NEXT: %z = dnn.relu %y attributes {dnn.range = #dnn.reals<[0.0, 6.0]>}
// CHECK-NEXT: %i = dnn.arg_max %z axis = 1 :
func.func @main(%x: tensor<1x2xf32>) -> tensor<1xi64> {
  %c = dnn.const value = dense<2.0> : tensor<f32> : () -> tensor<f32>
  %y = dnn.mul %x, %c : (tensor<1x2xf32>, tensor<f32>) -> tensor<1x2xf32>
  %z = dnn.relu %y : (tensor<1x2xf32>) -> tensor<1x2xf32>
  %i = dnn.arg_max %z axis = 1 : (tensor<1x2xf32>) -> tensor<1xi64>
  func.return %i : tensor<1xi64>
}

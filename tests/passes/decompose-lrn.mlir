// RUN: dnnc-opt %s -p decompose-lrn --split-input-file | filecheck %s

// CHECK-LABEL: func.func @main
// CHECK-NEXT: [[v0:%.*]] = dnn.mul %x, %x : {{.*}} -> tensor<1x6x3x2xf32>
// CHECK-NEXT: [[v1:%.*]] = dnn.reshape [[v0]] shape = [1, 1, 6, 6] : {{.*}} -> tensor<1x1x6x6xf32>
// CHECK-NEXT: [[v2:%.*]] = dnn.avg_pool [[v1]] count_pad window = <[5, 1], pad [2, 0, 2, 0]> : {{.*}} -> tensor<1x1x6x6xf32>
// CHECK-NEXT: [[v3:%.*]] = dnn.reshape [[v2]] shape = [1, 6, 3, 2] : {{.*}} -> tensor<1x6x3x2xf32>
// CHECK-NEXT: [[v4:%.*]] = dnn.const value = dense<1.000000e-04> : tensor<f32>
// CHECK-NEXT: [[v5:%.*]] = dnn.mul [[v3]], [[v4]] : {{.*}} -> tensor<1x6x3x2xf32>
// CHECK-NEXT: [[v6:%.*]] = dnn.const value = dense<1.000000e+00> : tensor<f32>
// CHECK-NEXT: [[v7:%.*]] = dnn.add [[v5]], [[v6]] : {{.*}} -> tensor<1x6x3x2xf32>
// CHECK-NEXT: [[v8:%.*]] = dnn.const value = dense<-7.500000e-01> : tensor<f32>
// CHECK-NEXT: [[v9:%.*]] = dnn.pow [[v7]], [[v8]] : {{.*}} -> tensor<1x6x3x2xf32>
// CHECK-NEXT: [[v10:%.*]] = dnn.mul %x, [[v9]] : {{.*}} -> tensor<1x6x3x2xf32>
// CHECK-NEXT: func.return [[v10]]
func.func @main(%x: tensor<1x6x3x2xf32>) -> tensor<1x6x3x2xf32> {
  %y = dnn.lrn %x size = 5 : (tensor<1x6x3x2xf32>) -> tensor<1x6x3x2xf32>
  func.return %y : tensor<1x6x3x2xf32>
}

// -----

// Other composites stay.
// CHECK-LABEL: func.func @main
// CHECK-NEXT: dnn.softmax
func.func @main(%x: tensor<1x6xf32>) -> tensor<1x6xf32> {
  %y = dnn.softmax %x axis = 1 : (tensor<1x6xf32>) -> tensor<1x6xf32>
  func.return %y : tensor<1x6xf32>
}

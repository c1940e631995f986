// RUN: dnnc-opt %s -p decompose --split-input-file | filecheck %s
// RUN: dnnc-opt %s -p 'decompose{keep=softmax,layer_norm}' --split-input-file | filecheck %s --check-prefix KEPT

// softmax: the maximum is subtracted first, so that no exponential overflows.
// CHECK-LABEL: func.func @main
// CHECK-NEXT: [[v0:%.*]] = dnn.reduce_max %x axes = [1] keepdims : {{.*}} -> tensor<2x1xf32>
// CHECK-NEXT: [[v1:%.*]] = dnn.sub %x, [[v0]] : {{.*}} -> tensor<2x6xf32>
// CHECK-NEXT: [[v2:%.*]] = dnn.exp [[v1]] : {{.*}} -> tensor<2x6xf32>
// CHECK-NEXT: [[v3:%.*]] = dnn.reduce_sum [[v2]] axes = [1] keepdims : {{.*}} -> tensor<2x1xf32>
// CHECK-NEXT: [[v4:%.*]] = dnn.div [[v2]], [[v3]] : {{.*}} -> tensor<2x6xf32>
// CHECK-NEXT: func.return [[v4]]
// KEPT: dnn.softmax
func.func @main(%x: tensor<2x6xf32>) -> tensor<2x6xf32> {
  %y = dnn.softmax %x axis = -1 : (tensor<2x6xf32>) -> tensor<2x6xf32>
  func.return %y : tensor<2x6xf32>
}

// -----

// log_softmax: the logarithm of the sum, not of the quotient.
// CHECK-LABEL: func.func @main
// CHECK-NEXT: [[v0:%.*]] = dnn.reduce_max %x axes = [0] keepdims : {{.*}} -> tensor<1x6xf32>
// CHECK-NEXT: [[v1:%.*]] = dnn.sub %x, [[v0]] : {{.*}} -> tensor<2x6xf32>
// CHECK-NEXT: [[v2:%.*]] = dnn.exp [[v1]] : {{.*}} -> tensor<2x6xf32>
// CHECK-NEXT: [[v3:%.*]] = dnn.reduce_sum [[v2]] axes = [0] keepdims : {{.*}} -> tensor<1x6xf32>
// CHECK-NEXT: [[v4:%.*]] = dnn.log [[v3]] : {{.*}} -> tensor<1x6xf32>
// CHECK-NEXT: [[v5:%.*]] = dnn.sub [[v1]], [[v4]] : {{.*}} -> tensor<2x6xf32>
// CHECK-NEXT: func.return [[v5]]
func.func @main(%x: tensor<2x6xf32>) -> tensor<2x6xf32> {
  %y = dnn.log_softmax %x axis = 0 : (tensor<2x6xf32>) -> tensor<2x6xf32>
  func.return %y : tensor<2x6xf32>
}

// -----

// reduce_log_sum_exp: an infinite maximum is clipped, since inf - inf is not a number.
// CHECK-LABEL: func.func @main
// CHECK-NEXT: [[v0:%.*]] = dnn.reduce_max %x axes = [1] keepdims : {{.*}} -> tensor<2x1xf32>
// CHECK-NEXT: [[v1:%.*]] = dnn.clip [[v0]] low = -3.4028234663852886e+38 high = 3.4028234663852886e+38 : {{.*}} -> tensor<2x1xf32>
// CHECK-NEXT: [[v2:%.*]] = dnn.sub %x, [[v1]] : {{.*}} -> tensor<2x6xf32>
// CHECK-NEXT: [[v3:%.*]] = dnn.exp [[v2]] : {{.*}} -> tensor<2x6xf32>
// CHECK-NEXT: [[v4:%.*]] = dnn.reduce_sum [[v3]] axes = [1] keepdims : {{.*}} -> tensor<2x1xf32>
// CHECK-NEXT: [[v5:%.*]] = dnn.log [[v4]] : {{.*}} -> tensor<2x1xf32>
// CHECK-NEXT: [[v6:%.*]] = dnn.add [[v1]], [[v5]] : {{.*}} -> tensor<2x1xf32>
// CHECK-NEXT: [[v7:%.*]] = dnn.reshape [[v6]] shape = [2] : {{.*}} -> tensor<2xf32>
// CHECK-NEXT: func.return [[v7]]
func.func @main(%x: tensor<2x6xf32>) -> tensor<2xf32> {
  %y = dnn.reduce_log_sum_exp %x axes = [-1] : (tensor<2x6xf32>) -> tensor<2xf32>
  func.return %y : tensor<2xf32>
}

// -----

// batch_norm: the statistics are of rank 1; they are spread over the channels.
// CHECK-LABEL: func.func @main
// CHECK-NEXT: [[v0:%.*]] = dnn.const value = dense<1.000000e-03> : tensor<f32>
// CHECK-NEXT: [[v1:%.*]] = dnn.add %d, [[v0]] : {{.*}} -> tensor<4xf32>
// CHECK-NEXT: [[v2:%.*]] = dnn.sqrt [[v1]] : {{.*}} -> tensor<4xf32>
// CHECK-NEXT: [[v3:%.*]] = dnn.div %a, [[v2]] : {{.*}} -> tensor<4xf32>
// CHECK-NEXT: [[v4:%.*]] = dnn.reshape [[v3]] shape = [4, 1, 1] : {{.*}} -> tensor<4x1x1xf32>
// CHECK-NEXT: [[v5:%.*]] = dnn.reshape %c shape = [4, 1, 1] : {{.*}} -> tensor<4x1x1xf32>
// CHECK-NEXT: [[v6:%.*]] = dnn.sub %x, [[v5]] : {{.*}} -> tensor<2x4x3x3xf32>
// CHECK-NEXT: [[v7:%.*]] = dnn.reshape %b shape = [4, 1, 1] : {{.*}} -> tensor<4x1x1xf32>
// CHECK-NEXT: [[v8:%.*]] = dnn.mul [[v6]], [[v4]] : {{.*}} -> tensor<2x4x3x3xf32>
// CHECK-NEXT: [[v9:%.*]] = dnn.add [[v8]], [[v7]] : {{.*}} -> tensor<2x4x3x3xf32>
// CHECK-NEXT: func.return [[v9]]
func.func @main(%x: tensor<2x4x3x3xf32>, %a: tensor<4xf32>, %b: tensor<4xf32>, %c: tensor<4xf32>, %d: tensor<4xf32>) -> tensor<2x4x3x3xf32> {
  %y = dnn.batch_norm %x, %a, %b, %c, %d epsilon = 0.001 : (tensor<2x4x3x3xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x4x3x3xf32>
  func.return %y : tensor<2x4x3x3xf32>
}

// -----

// instance_norm: mean and variance over the spatial dimensions.
// CHECK-LABEL: func.func @main
// CHECK-NEXT: [[v0:%.*]] = dnn.reduce_mean %x axes = [2, 3] keepdims : {{.*}} -> tensor<2x4x1x1xf32>
// CHECK-NEXT: [[v1:%.*]] = dnn.sub %x, [[v0]] : {{.*}} -> tensor<2x4x3x3xf32>
// CHECK-NEXT: [[v2:%.*]] = dnn.mul [[v1]], [[v1]] : {{.*}} -> tensor<2x4x3x3xf32>
// CHECK-NEXT: [[v3:%.*]] = dnn.reduce_mean [[v2]] axes = [2, 3] keepdims : {{.*}} -> tensor<2x4x1x1xf32>
// CHECK-NEXT: [[v4:%.*]] = dnn.const value = dense<1.000000e-03> : tensor<f32>
// CHECK-NEXT: [[v5:%.*]] = dnn.add [[v3]], [[v4]] : {{.*}} -> tensor<2x4x1x1xf32>
// CHECK-NEXT: [[v6:%.*]] = dnn.sqrt [[v5]] : {{.*}} -> tensor<2x4x1x1xf32>
// CHECK-NEXT: [[v7:%.*]] = dnn.div [[v1]], [[v6]] : {{.*}} -> tensor<2x4x3x3xf32>
// CHECK-NEXT: [[v8:%.*]] = dnn.reshape %a shape = [4, 1, 1] : {{.*}} -> tensor<4x1x1xf32>
// CHECK-NEXT: [[v9:%.*]] = dnn.reshape %b shape = [4, 1, 1] : {{.*}} -> tensor<4x1x1xf32>
// CHECK-NEXT: [[v10:%.*]] = dnn.mul [[v7]], [[v8]] : {{.*}} -> tensor<2x4x3x3xf32>
// CHECK-NEXT: [[v11:%.*]] = dnn.add [[v10]], [[v9]] : {{.*}} -> tensor<2x4x3x3xf32>
// CHECK-NEXT: func.return [[v11]]
func.func @main(%x: tensor<2x4x3x3xf32>, %a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<2x4x3x3xf32> {
  %y = dnn.instance_norm %x, %a, %b epsilon = 0.001 : (tensor<2x4x3x3xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x4x3x3xf32>
  func.return %y : tensor<2x4x3x3xf32>
}

// -----

// layer_norm: mean and variance over the last dimensions; without shift no sum.
// CHECK-LABEL: func.func @main
// CHECK-NEXT: [[v0:%.*]] = dnn.reduce_mean %x axes = [1] keepdims : {{.*}} -> tensor<2x1xf32>
// CHECK-NEXT: [[v1:%.*]] = dnn.sub %x, [[v0]] : {{.*}} -> tensor<2x6xf32>
// CHECK-NEXT: [[v2:%.*]] = dnn.mul [[v1]], [[v1]] : {{.*}} -> tensor<2x6xf32>
// CHECK-NEXT: [[v3:%.*]] = dnn.reduce_mean [[v2]] axes = [1] keepdims : {{.*}} -> tensor<2x1xf32>
// CHECK-NEXT: [[v4:%.*]] = dnn.const value = dense<1.000000e-03> : tensor<f32>
// CHECK-NEXT: [[v5:%.*]] = dnn.add [[v3]], [[v4]] : {{.*}} -> tensor<2x1xf32>
// CHECK-NEXT: [[v6:%.*]] = dnn.sqrt [[v5]] : {{.*}} -> tensor<2x1xf32>
// CHECK-NEXT: [[v7:%.*]] = dnn.div [[v1]], [[v6]] : {{.*}} -> tensor<2x6xf32>
// CHECK-NEXT: [[v8:%.*]] = dnn.mul [[v7]], %a : {{.*}} -> tensor<2x6xf32>
// CHECK-NEXT: func.return [[v8]]
// KEPT: dnn.layer_norm
func.func @main(%x: tensor<2x6xf32>, %a: tensor<6xf32>) -> tensor<2x6xf32> {
  %y = dnn.layer_norm %x, %a epsilon = 0.001 : (tensor<2x6xf32>, tensor<6xf32>) -> tensor<2x6xf32>
  func.return %y : tensor<2x6xf32>
}

// -----

// rms_norm: the mean of squares.
// CHECK-LABEL: func.func @main
// CHECK-NEXT: [[v0:%.*]] = dnn.mul %x, %x : {{.*}} -> tensor<2x6xf32>
// CHECK-NEXT: [[v1:%.*]] = dnn.reduce_mean [[v0]] axes = [1] keepdims : {{.*}} -> tensor<2x1xf32>
// CHECK-NEXT: [[v2:%.*]] = dnn.const value = dense<1.000000e-03> : tensor<f32>
// CHECK-NEXT: [[v3:%.*]] = dnn.add [[v1]], [[v2]] : {{.*}} -> tensor<2x1xf32>
// CHECK-NEXT: [[v4:%.*]] = dnn.sqrt [[v3]] : {{.*}} -> tensor<2x1xf32>
// CHECK-NEXT: [[v5:%.*]] = dnn.div %x, [[v4]] : {{.*}} -> tensor<2x6xf32>
// CHECK-NEXT: [[v6:%.*]] = dnn.mul [[v5]], %a : {{.*}} -> tensor<2x6xf32>
// CHECK-NEXT: func.return [[v6]]
func.func @main(%x: tensor<2x6xf32>, %a: tensor<6xf32>) -> tensor<2x6xf32> {
  %y = dnn.rms_norm %x, %a epsilon = 0.001 : (tensor<2x6xf32>, tensor<6xf32>) -> tensor<2x6xf32>
  func.return %y : tensor<2x6xf32>
}

// -----

// group_norm: by way of [N, groups, rest].
// CHECK-LABEL: func.func @main
// CHECK-NEXT: [[v0:%.*]] = dnn.reshape %x shape = [2, 2, 18] : {{.*}} -> tensor<2x2x18xf32>
// CHECK-NEXT: [[v1:%.*]] = dnn.reduce_mean [[v0]] axes = [2] keepdims : {{.*}} -> tensor<2x2x1xf32>
// CHECK-NEXT: [[v2:%.*]] = dnn.sub [[v0]], [[v1]] : {{.*}} -> tensor<2x2x18xf32>
// CHECK-NEXT: [[v3:%.*]] = dnn.mul [[v2]], [[v2]] : {{.*}} -> tensor<2x2x18xf32>
// CHECK-NEXT: [[v4:%.*]] = dnn.reduce_mean [[v3]] axes = [2] keepdims : {{.*}} -> tensor<2x2x1xf32>
// CHECK-NEXT: [[v5:%.*]] = dnn.const value = dense<1.000000e-03> : tensor<f32>
// CHECK-NEXT: [[v6:%.*]] = dnn.add [[v4]], [[v5]] : {{.*}} -> tensor<2x2x1xf32>
// CHECK-NEXT: [[v7:%.*]] = dnn.sqrt [[v6]] : {{.*}} -> tensor<2x2x1xf32>
// CHECK-NEXT: [[v8:%.*]] = dnn.div [[v2]], [[v7]] : {{.*}} -> tensor<2x2x18xf32>
// CHECK-NEXT: [[v9:%.*]] = dnn.reshape [[v8]] shape = [2, 4, 3, 3] : {{.*}} -> tensor<2x4x3x3xf32>
// CHECK-NEXT: [[v10:%.*]] = dnn.reshape %a shape = [4, 1, 1] : {{.*}} -> tensor<4x1x1xf32>
// CHECK-NEXT: [[v11:%.*]] = dnn.reshape %b shape = [4, 1, 1] : {{.*}} -> tensor<4x1x1xf32>
// CHECK-NEXT: [[v12:%.*]] = dnn.mul [[v9]], [[v10]] : {{.*}} -> tensor<2x4x3x3xf32>
// CHECK-NEXT: [[v13:%.*]] = dnn.add [[v12]], [[v11]] : {{.*}} -> tensor<2x4x3x3xf32>
// CHECK-NEXT: func.return [[v13]]
func.func @main(%x: tensor<2x4x3x3xf32>, %a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<2x4x3x3xf32> {
  %y = dnn.group_norm %x, %a, %b groups = 2 epsilon = 0.001 : (tensor<2x4x3x3xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x4x3x3xf32>
  func.return %y : tensor<2x4x3x3xf32>
}

// -----

// mean_variance_norm: the small number is added to the root.
// CHECK-LABEL: func.func @main
// CHECK-NEXT: [[v0:%.*]] = dnn.reduce_mean %x axes = [0, 2, 3] keepdims : {{.*}} -> tensor<1x4x1x1xf32>
// CHECK-NEXT: [[v1:%.*]] = dnn.sub %x, [[v0]] : {{.*}} -> tensor<2x4x3x3xf32>
// CHECK-NEXT: [[v2:%.*]] = dnn.mul [[v1]], [[v1]] : {{.*}} -> tensor<2x4x3x3xf32>
// CHECK-NEXT: [[v3:%.*]] = dnn.reduce_mean [[v2]] axes = [0, 2, 3] keepdims : {{.*}} -> tensor<1x4x1x1xf32>
// CHECK-NEXT: [[v4:%.*]] = dnn.sqrt [[v3]] : {{.*}} -> tensor<1x4x1x1xf32>
// CHECK-NEXT: [[v5:%.*]] = dnn.const value = dense<1.000000e-09> : tensor<f32>
// CHECK-NEXT: [[v6:%.*]] = dnn.add [[v4]], [[v5]] : {{.*}} -> tensor<1x4x1x1xf32>
// CHECK-NEXT: [[v7:%.*]] = dnn.div [[v1]], [[v6]] : {{.*}} -> tensor<2x4x3x3xf32>
// CHECK-NEXT: func.return [[v7]]
func.func @main(%x: tensor<2x4x3x3xf32>) -> tensor<2x4x3x3xf32> {
  %y = dnn.mean_variance_norm %x axes = [0, 2, 3] : (tensor<2x4x3x3xf32>) -> tensor<2x4x3x3xf32>
  func.return %y : tensor<2x4x3x3xf32>
}

// -----

// lrn: an average over channels, padding counted.
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

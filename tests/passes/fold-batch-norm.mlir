// RUN: dnnc-opt %s -p fold-batch-norm,dce --split-input-file | filecheck %s

// BatchNormIntoContraction: the weights are scaled, the bias takes the shift. With f = 2 / sqrt(4) = 1 in the first
// channel and 3 / sqrt(1) = 3 in the second: b' = (b - mean) * f + shift = (10 - 2) * 1 + 5 and (20 - 4) * 3 + 7.
// CHECK-LABEL: func.func @main(%x: tensor<1x1x3x3xf32>)
// CHECK-NEXT: [[w:%.*]] = dnn.const key = "weights.scaled" : () -> tensor<2x1x1x1xf32>
// CHECK-NEXT: [[b:%.*]] = dnn.const value = dense<[1.300000e+01, 5.500000e+01]> : tensor<2xf32>
// CHECK-NEXT: [[y:%.*]] = dnn.conv %x, [[w]], bias([[b]]) window = <[1, 1]>
// CHECK-NEXT: func.return [[y]]
func.func @main(%x: tensor<1x1x3x3xf32>) -> tensor<1x2x3x3xf32> {
  %w = dnn.const value = dense<[[[[1.0]]], [[[2.0]]]]> : tensor<2x1x1x1xf32> : () -> tensor<2x1x1x1xf32>
  %b = dnn.const value = dense<[10.0, 20.0]> : tensor<2xf32> : () -> tensor<2xf32>
  %scale = dnn.const value = dense<[2.0, 3.0]> : tensor<2xf32> : () -> tensor<2xf32>
  %shift = dnn.const value = dense<[5.0, 7.0]> : tensor<2xf32> : () -> tensor<2xf32>
  %mean = dnn.const value = dense<[2.0, 4.0]> : tensor<2xf32> : () -> tensor<2xf32>
  %var = dnn.const value = dense<[4.0, 1.0]> : tensor<2xf32> : () -> tensor<2xf32>
  %y = dnn.conv %x, %w, bias(%b) window = <[1, 1]> : (tensor<1x1x3x3xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>) -> tensor<1x2x3x3xf32>
  %z = dnn.batch_norm %y, %scale, %shift, %mean, %var epsilon = 0.0 : (tensor<1x2x3x3xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x3x3xf32>
  func.return %z : tensor<1x2x3x3xf32>
}

// -----
// ScaleIntoContraction: a constant factor of one value or one a channel; a product without bias needs none.
// CHECK-LABEL: func.func @main(%x: tensor<2x2xf32>)
// CHECK-NEXT: [[w:%.*]] = dnn.const key = "weights.scaled" : () -> tensor<2x2xf32>
// CHECK-NEXT: [[y:%.*]] = dnn.matmul %x, [[w]] : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
// CHECK-NEXT: func.return [[y]]
func.func @main(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %w = dnn.const value = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32> : () -> tensor<2x2xf32>
  %c = dnn.const value = dense<[2.0, 0.5]> : tensor<2xf32> : () -> tensor<2xf32>
  %y = dnn.matmul %x, %w : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %z = dnn.mul %c, %y : (tensor<2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  func.return %z : tensor<2x2xf32>
}

// -----
// A factor for each row is not one for each channel, and a bias that varies along rows cannot be scaled by channel.
// CHECK-LABEL: func.func @main(%x: tensor<2x2xf32>)
// CHECK: dnn.matmul %x, %w :
// CHECK-NEXT: dnn.mul
// CHECK-NEXT: dnn.matmul %x, %w, bias
// CHECK-NEXT: dnn.mul
func.func @main(%x: tensor<2x2xf32>) -> (tensor<2x2xf32>, tensor<2x2xf32>) {
  %w = dnn.const value = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32> : () -> tensor<2x2xf32>
  %c = dnn.const value = dense<[[2.0], [0.5]]> : tensor<2x1xf32> : () -> tensor<2x1xf32>
  %d = dnn.const value = dense<[2.0, 0.5]> : tensor<2xf32> : () -> tensor<2xf32>
  %y = dnn.matmul %x, %w : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %z = dnn.mul %y, %c : (tensor<2x2xf32>, tensor<2x1xf32>) -> tensor<2x2xf32>
  %u = dnn.matmul %x, %w, bias(%c) : (tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x1xf32>) -> tensor<2x2xf32>
  %v = dnn.mul %u, %d : (tensor<2x2xf32>, tensor<2xf32>) -> tensor<2x2xf32>
  func.return %z, %v : tensor<2x2xf32>, tensor<2x2xf32>
}

// -----
// BatchNormAsScaleAndShift: with nothing to fold into it is a product and a sum, f = 2 and shift - mean * f = 5 - 3 * 2.
// CHECK-LABEL: func.func @main(%x: tensor<2x1x3xf32>)
// CHECK-NEXT: [[f:%.*]] = dnn.const value = dense<2.000000e+00> : tensor<1x1xf32>
// CHECK-NEXT: [[b:%.*]] = dnn.const value = dense<-1.000000e+00> : tensor<1x1xf32>
// CHECK-NEXT: [[p:%.*]] = dnn.mul %x, [[f]]
// CHECK-NEXT: dnn.add [[p]], [[b]]
func.func @main(%x: tensor<2x1x3xf32>) -> tensor<2x1x3xf32> {
  %scale = dnn.const value = dense<4.0> : tensor<1xf32> : () -> tensor<1xf32>
  %shift = dnn.const value = dense<5.0> : tensor<1xf32> : () -> tensor<1xf32>
  %mean = dnn.const value = dense<3.0> : tensor<1xf32> : () -> tensor<1xf32>
  %var = dnn.const value = dense<4.0> : tensor<1xf32> : () -> tensor<1xf32>
  %z = dnn.batch_norm %x, %scale, %shift, %mean, %var epsilon = 0.0 : (tensor<2x1x3xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<2x1x3xf32>
  func.return %z : tensor<2x1x3xf32>
}

// -----
// The channels of a matrix product of rank 3 are its last dimension, those of a batch norm the second: no fold.
// CHECK-LABEL: func.func @main(%x: tensor<1x2x2xf32>)
// CHECK: dnn.matmul %x, %w :
// CHECK: dnn.mul
// CHECK-NEXT: dnn.add
func.func @main(%x: tensor<1x2x2xf32>) -> tensor<1x2x2xf32> {
  %w = dnn.const value = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32> : () -> tensor<2x2xf32>
  %c = dnn.const value = dense<[2.0, 0.5]> : tensor<2xf32> : () -> tensor<2xf32>
  %y = dnn.matmul %x, %w : (tensor<1x2x2xf32>, tensor<2x2xf32>) -> tensor<1x2x2xf32>
  %z = dnn.batch_norm %y, %c, %c, %c, %c : (tensor<1x2x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x2xf32>
  func.return %z : tensor<1x2x2xf32>
}

// -----
// A contraction that someone else reads keeps its weights.
// CHECK-LABEL: func.func @main(%x: tensor<2x2xf32>)
// CHECK: %y = dnn.matmul %x, %w :
// CHECK-NEXT: %z = dnn.mul %y, %c
func.func @main(%x: tensor<2x2xf32>) -> (tensor<2x2xf32>, tensor<2x2xf32>) {
  %w = dnn.const value = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32> : () -> tensor<2x2xf32>
  %c = dnn.const value = dense<[2.0, 0.5]> : tensor<2xf32> : () -> tensor<2xf32>
  %y = dnn.matmul %x, %w : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %z = dnn.mul %y, %c : (tensor<2x2xf32>, tensor<2xf32>) -> tensor<2x2xf32>
  func.return %y, %z : tensor<2x2xf32>, tensor<2x2xf32>
}

// -----
// BatchNormIntoScales: the integers of the weights stay; their scales, and the bias, take up the batch norm.
// CHECK: !q{{[0-9]}} = !dnn.q<i8, axis 0, [0.25, 1.0]>
// CHECK: [[w:%.*]] = dnn.const key = "w" : () -> tensor<2x1x1x1x!q{{[0-9]}}>
// CHECK-NEXT: [[d:%.*]] = dnn.dequantize [[w]]
// CHECK-NEXT: [[b:%.*]] = dnn.const value = dense<[-1.000000e+00, 1.000000e+00]> : tensor<2xf32>
// CHECK-NEXT: dnn.conv {{.*}}, [[d]], bias([[b]])
// CHECK-NEXT: func.return
func.func @main(%x: tensor<1x1x3x3xf32>) -> tensor<1x2x3x3xf32> {
  %0 = dnn.const key = "w" : () -> tensor<2x1x1x1x!dnn.q<i8, 0.5, 0>>
  %1 = dnn.dequantize %0 : (tensor<2x1x1x1x!dnn.q<i8, 0.5, 0>>) -> tensor<2x1x1x1xf32>
  %2 = dnn.conv %x, %1 window = <[1, 1]> : (tensor<1x1x3x3xf32>, tensor<2x1x1x1xf32>) -> tensor<1x2x3x3xf32>
  %s = dnn.const value = dense<[1.0, 4.0]> : tensor<2xf32> : () -> tensor<2xf32>
  %t = dnn.const value = dense<[0.0, 3.0]> : tensor<2xf32> : () -> tensor<2xf32>
  %m = dnn.const value = dense<[2.0, 1.0]> : tensor<2xf32> : () -> tensor<2xf32>
  %v = dnn.const value = dense<[3.0, 3.0]> : tensor<2xf32> : () -> tensor<2xf32>
  %3 = dnn.batch_norm %2, %s, %t, %m, %v epsilon = 1.0 : (tensor<1x2x3x3xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x3x3xf32>
  func.return %3 : tensor<1x2x3x3xf32>
}

// -----
// FactorIntoScales: the same for a factor of each channel.
// CHECK: !q{{[0-9]}} = !dnn.q<ui8, axis 1, [1.0, 0.75], [128, 127]>
// CHECK: [[w:%.*]] = dnn.const key = "w" : () -> tensor<3x2x!q{{[0-9]}}>
// CHECK: dnn.matmul {{.*}}, bias({{.*}}) :
// CHECK-NEXT: func.return
func.func @main(%x: tensor<1x3xf32>) -> tensor<1x2xf32> {
  %0 = dnn.const key = "w" : () -> tensor<3x2x!dnn.q<ui8, axis 1, [0.5, 0.25], [128, 127]>>
  %1 = dnn.dequantize %0 : (tensor<3x2x!dnn.q<ui8, axis 1, [0.5, 0.25], [128, 127]>>) -> tensor<3x2xf32>
  %b = dnn.const value = dense<[1.0, 2.0]> : tensor<2xf32> : () -> tensor<2xf32>
  %2 = dnn.matmul %x, %1, bias(%b) : (tensor<1x3xf32>, tensor<3x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  %f = dnn.const value = dense<[2.0, 3.0]> : tensor<2xf32> : () -> tensor<2xf32>
  %3 = dnn.mul %2, %f : (tensor<1x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  func.return %3 : tensor<1x2xf32>
}

// -----
// ThresholdOfAffine, ThresholdOfReshape, SignOfReshape: a factor and a shift move into the thresholds, a sign before the reshape:
// x * [2, -4] + 1 >= 3 is x >= 1 in the first channel, and -x >= 0.5 in the second.
// CHECK: [[s:%.*]] = dnn.const value = dense<[1.000000e+00, -1.000000e+00]> : tensor<2xf32>
// CHECK: [[m:%.*]] = dnn.mul %x, [[s]]
// CHECK: [[t:%.*]] = dnn.const value = dense<[[1.000000e+00], [5.000000e-01]]> : tensor<2x1xf32>
// CHECK: [[q:%.*]] = dnn.threshold [[m]], [[t]] to = !dnn.q<i8, 1.0, 0> : (tensor<3x2xf32>, tensor<2x1xf32>)
// CHECK: dnn.reshape [[q]] shape = [3, 2, 1]
func.func @main(%x: tensor<3x2xf32>) -> tensor<3x2x1x!dnn.q<i8, 1.0, 0>> {
  %f = dnn.const value = dense<[[2.0], [-4.0]]> : tensor<2x1xf32> : () -> tensor<2x1xf32>
  %b = dnn.const value = dense<1.0> : tensor<f32> : () -> tensor<f32>
  %t = dnn.const value = dense<[[3.0]]> : tensor<1x1xf32> : () -> tensor<1x1xf32>
  %0 = dnn.reshape %x shape = [3, 2, 1] : (tensor<3x2xf32>) -> tensor<3x2x1xf32>
  %1 = dnn.mul %0, %f : (tensor<3x2x1xf32>, tensor<2x1xf32>) -> tensor<3x2x1xf32>
  %2 = dnn.add %1, %b : (tensor<3x2x1xf32>, tensor<f32>) -> tensor<3x2x1xf32>
  %3 = dnn.threshold %2, %t to = !dnn.q<i8, 1.0, 0> : (tensor<3x2x1xf32>, tensor<1x1xf32>) -> tensor<3x2x1x!dnn.q<i8, 1.0, 0>>
  func.return %3 : tensor<3x2x1x!dnn.q<i8, 1.0, 0>>
}

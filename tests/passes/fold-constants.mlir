// RUN: dnnc-opt %s -p fold-constants --split-input-file | filecheck %s

// What constants decide is computed, by the reference semantics.
// CHECK-LABEL: func.func @main()
// CHECK: [[y:%.*]] = dnn.const value = dense<{{\[}}[11, 33], [22, 44]]> : tensor<2x2xi64>
// CHECK-NEXT: func.return [[y]]
func.func @main() -> tensor<2x2xi64> {
  %a = dnn.const value = dense<[[1, 2], [3, 4]]> : tensor<2x2xi64> : () -> tensor<2x2xi64>
  %b = dnn.transpose %a perm = [1, 0] : (tensor<2x2xi64>) -> tensor<2x2xi64>
  %c = dnn.const value = dense<11> : tensor<i64> : () -> tensor<i64>
  %d = dnn.mul %b, %c : (tensor<2x2xi64>, tensor<i64>) -> tensor<2x2xi64>
  func.return %d : tensor<2x2xi64>
}

// -----
// A shape is a constant whatever the tensor holds.
// CHECK-LABEL: func.func @main(%x: tensor<4x5x6xf32>)
// CHECK-NEXT: [[y:%.*]] = dnn.const value = dense<[5, 6]> : tensor<2xi64>
// CHECK-NEXT: func.return [[y]]
func.func @main(%x: tensor<4x5x6xf32>) -> tensor<2xi64> {
  %s = dnn.shape %x start = 1 : (tensor<4x5x6xf32>) -> tensor<2xi64>
  func.return %s : tensor<2xi64>
}

// -----
// More than 16 values go to the weight store, under a key that tells where they came from.
// CHECK-LABEL: func.func @main()
// CHECK: dnn.const key = "folded" : () -> tensor<1x20xf32>
// CHECK-NEXT: dnn.const key = "folded.folded" : () -> tensor<1x20xf32>
func.func @main() -> tensor<1x20xf32> {
  %a = dnn.const value = dense<2.0> : tensor<20xf32> : () -> tensor<20xf32>
  %b = dnn.reshape %a shape = [1, 20] : (tensor<20xf32>) -> tensor<1x20xf32>
  %c = dnn.neg %b : (tensor<1x20xf32>) -> tensor<1x20xf32>
  func.return %c : tensor<1x20xf32>
}

// -----
// A constant that would outgrow its operand by a MiB stays an operation, and so does what reads the input.
// CHECK-LABEL: func.func @main(%x: tensor<1xf32>)
// CHECK: dnn.expand {{.*}} shape = [1024, 1024]
// CHECK: dnn.neg %x
func.func @main(%x: tensor<1xf32>) -> (tensor<1024x1024xf32>, tensor<1xf32>) {
  %a = dnn.const value = dense<2.0> : tensor<1xf32> : () -> tensor<1xf32>
  %b = dnn.expand %a shape = [1024, 1024] : (tensor<1xf32>) -> tensor<1024x1024xf32>
  %c = dnn.neg %x : (tensor<1xf32>) -> tensor<1xf32>
  func.return %b, %c : tensor<1024x1024xf32>, tensor<1xf32>
}

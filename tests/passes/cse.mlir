// RUN: dnnc-opt %s -p cse | filecheck %s

// Equal operations are computed once; other parameters, operands or constants make another operation.
// CHECK-LABEL: func.func @main
// CHECK-NEXT: %a = dnn.relu %x
// CHECK-NEXT: %c = dnn.relu %y
// CHECK-NEXT: %d = dnn.leaky_relu %x alpha = 0.1
// CHECK-NEXT: %e = dnn.leaky_relu %x alpha = 0.2
// CHECK-NEXT: %k = dnn.const key = "w"
// CHECK-NEXT: %m = dnn.const key = "w.1"
// CHECK-NEXT: %n = dnn.const value = dense<2.000000e+00>
// CHECK-NEXT: func.return %a, %a, %c, %d, %e, %k, %k, %m, %n, %n
func.func @main(%x: tensor<2xf32>, %y: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>,
    tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) {
  %a = dnn.relu %x : (tensor<2xf32>) -> tensor<2xf32>
  %b = dnn.relu %x : (tensor<2xf32>) -> tensor<2xf32>
  %c = dnn.relu %y : (tensor<2xf32>) -> tensor<2xf32>
  %d = dnn.leaky_relu %x alpha = 0.1 : (tensor<2xf32>) -> tensor<2xf32>
  %e = dnn.leaky_relu %x alpha = 0.2 : (tensor<2xf32>) -> tensor<2xf32>
  %k = dnn.const key = "w" : () -> tensor<2xf32>
  %l = dnn.const key = "w" : () -> tensor<2xf32>
  %m = dnn.const key = "w.1" : () -> tensor<2xf32>
  %n = dnn.const value = dense<2.0> : tensor<2xf32> : () -> tensor<2xf32>
  %o = dnn.const value = dense<2.0> : tensor<2xf32> : () -> tensor<2xf32>
  func.return %a, %b, %c, %d, %e, %k, %l, %m, %n, %o : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>,
    tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
}

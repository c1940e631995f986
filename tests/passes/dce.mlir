// RUN: dnnc-opt %s -p dce | filecheck %s

// A chain without users goes whole, constants and groups with it; what the return reaches stays.
// CHECK-LABEL: func.func @main
// CHECK-NEXT: %y = dnn.relu %x
// CHECK-NEXT: func.return %y
func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
  %w = dnn.const key = "w" : () -> tensor<2xf32>
  %a = dnn.add %x, %w : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %b = dnn.group [%a] {
  ^bb0(%z: tensor<2xf32>):
    dnn.yield %z : tensor<2xf32>
  } : (tensor<2xf32>) -> tensor<2xf32>
  %y = dnn.relu %x : (tensor<2xf32>) -> tensor<2xf32>
  func.return %y : tensor<2xf32>
}

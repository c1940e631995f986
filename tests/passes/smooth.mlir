// RUN: dnnc-opt %s --verify-diagnostics -p smooth | filecheck %s

// What smoothing gives is in test_smooth.py; a network without weights needs samples all the same.
// CHECK: pass 'smooth': expected unlabelled samples to measure with, not none.
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %y = dnn.relu %x : (tensor<1x2xf32>) -> tensor<1x2xf32>
  func.return %y : tensor<1x2xf32>
}

// RUN: dnnc-opt %s --verify-diagnostics -p adaround | filecheck %s

// What AdaRound gives is in test_quantize_weights.py; a network without weights needs samples all the same.
// CHECK: pass 'adaround': expected unlabelled samples to measure with, not none.
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %y = dnn.relu %x : (tensor<1x2xf32>) -> tensor<1x2xf32>
  func.return %y : tensor<1x2xf32>
}

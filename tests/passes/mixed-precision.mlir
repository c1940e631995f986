// RUN: dnnc-opt %s --verify-diagnostics -p 'mixed-precision{budget-bits=4}' | filecheck %s
// RUN: dnnc-opt %s --verify-diagnostics -p mixed-precision | filecheck %s --check-prefix NONE

// The widths it finds are in test_mixed_precision.py.
// CHECK: pass 'mixed-precision': expected unlabelled samples to measure with, not none.
// NONE: pass 'mixed-precision': expected one of budget-kl and budget-bits, not neither. Give one.
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %y = dnn.relu %x : (tensor<1x2xf32>) -> tensor<1x2xf32>
  func.return %y : tensor<1x2xf32>
}

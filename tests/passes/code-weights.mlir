// RUN: dnnc-opt %s -p 'code-weights{form=pow2 method=nearest bits=3}' | filecheck %s --check-prefix=POW2
// RUN: dnnc-opt %s -p 'code-weights{form=codebook method=nearest bits=2}' | filecheck %s --check-prefix=BOOK
// RUN: dnnc-opt %s -p 'code-weights{form=block method=nearest block=4 bits=3}' | filecheck %s --check-prefix=BLOCK
// RUN: dnnc-opt %s -p 'code-weights{form=f8E4M3FN method=nearest}' | filecheck %s --check-prefix=FLOAT
// RUN: dnnc-opt %s --verify-diagnostics -p 'code-weights{form=pow2}' | filecheck %s --check-prefix=SAMPLES
// RUN: dnnc-opt %s --verify-diagnostics -p 'code-weights{form=pow2 bits=9 method=nearest}' | filecheck %s --check-prefix=WIDE

// Three powers of two a row: 4, 2, 1 and 2, 1, 1/2.
// POW2: !q0 = !dnn.pow2<i3, axis 0, [1.0, 0.5]>
// POW2: %0 = dnn.const key = "weights.pow2" : () -> tensor<2x10x!q0>
// POW2-NEXT: %1 = dnn.dequantize %0
// POW2-NEXT: dnn.matmul %x, %1 trans_b

// Four shared values; 0 stays 0.
// BOOK: !q0 = !dnn.codebook<ui2, [{{.*}}0.0{{.*}}], axis 0, [{{.*}}]>
// BOOK: %0 = dnn.const key = "weights.codebook" : () -> tensor<2x10x!q0>

// Three blocks a row, the last of two weights; every scale a whole multiple of one of the row.
// BLOCK: !q0 = !dnn.block<i3, [1, 4], [{{[^,]*}}, {{[^,]*}}, {{[^,]*}}, {{[^,]*}}, {{[^,]*}}, {{[^,]*}}]>
// BLOCK: %0 = dnn.const key = "weights.block" : () -> tensor<2x10x!q0>

// FLOAT: !q0 = !dnn.scaled<f8E4M3FN, axis 0, [0.015625, 0.0078125]>
// FLOAT: %0 = dnn.const key = "weights.f8E4M3FN" : () -> tensor<2x10x!q0>

// SAMPLES: pass 'code-weights': expected unlabelled samples to measure with, not none. {{.*}} [E0704]
// WIDE: expected weights of 2 to 8 bits as pow2, not 9. [E0705]
func.func @main(%x: tensor<1x10xf32>) -> tensor<1x2xf32> {
  %w = dnn.const value = dense<[[4.0, -3.1, 1.0, 0.0, 2.0, 0.9, 1.1, 0.0, 0.0, 0.0], [2.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]> : tensor<2x10xf32> : () -> tensor<2x10xf32>
  %y = dnn.matmul %x, %w trans_b : (tensor<1x10xf32>, tensor<2x10xf32>) -> tensor<1x2xf32>
  func.return %y : tensor<1x2xf32>
}

// RUN: dnnc-opt %s -p 'code-weights{form=pow2 method=nearest bits=4},expand-weights' | filecheck %s --check-prefix=BYTE
// RUN: dnnc-opt %s -p 'code-weights{form=pow2 method=nearest bits=5},expand-weights' | filecheck %s --check-prefix=TWO
// RUN: dnnc-opt %s -p 'code-weights{form=block method=nearest block=1},expand-weights' | filecheck %s --check-prefix=BLOCK
// RUN: dnnc-opt %s -p 'code-weights{form=bf16 method=nearest},expand-weights' | filecheck %s --check-prefix=REAL
// RUN: dnnc-opt %s -p 'code-weights{form=codebook method=nearest bits=2},quantize,quantize-lower' | filecheck %s --check-prefix=LOWER

// Powers of two up to 64 fit int8, those of five bits int16.
// BYTE: !q1 = !dnn.q<i8, axis 0, [0.0625]>
// BYTE: %0 = dnn.const key = "weights.pow2.i8" : () -> tensor<1x2x!q1>
// BYTE-NEXT: %1 = dnn.dequantize %0
// BYTE-NEXT: dnn.matmul %x, %1 trans_b
// TWO: !dnn.q<i16, axis 0, [0.00024414062]>

// Scales of blocks are whole multiples of one of the row.
// BLOCK: %0 = dnn.const key = "weights.block.i8" : () -> tensor<1x2x!q1>

// No integers stand for these; what is no constant stays as it is.
// REAL-NOT: bf16>>
// REAL: dnn.dequantize %c
// REAL: %0 = dnn.const value = dense<[{{\[}}4.000000e+00, 1.000000e+00]]> : tensor<1x2xf32>
// REAL-NEXT: dnn.matmul %x, %0 trans_b

// quantize does the same first.
// LOWER: dnn.const key = "weights.codebook.i8"
func.func @main(%x: tensor<1x2xf32> {dnn.range = #dnn.reals<[-1.0, 1.0]>}, %c: tensor<2x!dnn.pow2<i3, 1.0>>) -> (tensor<1x1xf32>, tensor<2xf32>) {
  %d = dnn.dequantize %c : (tensor<2x!dnn.pow2<i3, 1.0>>) -> tensor<2xf32>
  %w = dnn.const value = dense<[[4.0, 1.0]]> : tensor<1x2xf32> : () -> tensor<1x2xf32>
  %y = dnn.matmul %x, %w trans_b attributes {dnn.range = #dnn.reals<[-4.0, 4.0]>}
    : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x1xf32>
  func.return %y, %d : tensor<1x1xf32>, tensor<2xf32>
}

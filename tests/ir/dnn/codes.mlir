// RUN: dnnc-opt %s | filecheck %s
// RUN: dnnc-opt %s --print-op-generic | dnnc-opt | filecheck %s

// Each type of `dnnc.ir.codes` and `dnnc.ir.blocks`; two blocks a row here, the second of one element.
// CHECK-DAG: !q1 = !dnn.block<i4, [1, 2], [0.5, 0.25, 1.0, 1.0e-20]>
// CHECK-DAG: !q2 = !dnn.block<ui4, [2, 3], [0.5], [3]>
// CHECK-DAG: !q3 = !dnn.pow2<i4, 0.25>
// CHECK-DAG: !q4 = !dnn.pow2<i3, axis 1, [0.25, 0.5, 0.1]>
// CHECK-DAG: !q5 = !dnn.codebook<ui2, [-1.0, 0.0, 2.0], 0.1>
// CHECK-DAG: !q6 = !dnn.codebook<ui2, [-1.0, 0.0, 0.5, 2.0], axis 0, [1.0, 0.1]>
// CHECK-DAG: !q7 = !dnn.scaled<f8E4M3FN, 0.5>
// CHECK-DAG: !q8 = !dnn.scaled<bf16, axis 0, [0.5, 0.1]>
// CHECK-DAG: !q0 = !dnn.fixed<ui8, 0.0078125, -1.3>
// CHECK-LABEL: func.func @codes
func.func @codes(%a: tensor<2x3xf32>, %f: tensor<2x3x!dnn.fixed<ui8, 0.0078125, -1.3>>) -> tensor<2x3xf32> {
  // CHECK-NEXT: dnn.quantize %a to = !q1 : (tensor<2x3xf32>) -> tensor<2x3x!q1>
  %0 = dnn.quantize %a to = !dnn.block<i4, [1, 2], [0.5, 0.25, 1.0, 1.0e-20]> : (tensor<2x3xf32>) -> tensor<2x3x!dnn.block<i4, [1, 2], [0.5, 0.25, 1.0, 1.0e-20]>>
  // CHECK-NEXT: dnn.quantize %a to = !q2
  %1 = dnn.quantize %a to = !dnn.block<ui4, [2, 3], [0.5], [3]> : (tensor<2x3xf32>) -> tensor<2x3x!dnn.block<ui4, [2, 3], [0.5], [3]>>
  // CHECK-NEXT: dnn.quantize %a to = !q3
  %2 = dnn.quantize %a to = !dnn.pow2<i4, 0.25> : (tensor<2x3xf32>) -> tensor<2x3x!dnn.pow2<i4, 0.25>>
  // CHECK-NEXT: dnn.quantize %a to = !q4
  %3 = dnn.quantize %a to = !dnn.pow2<i3, axis 1, [0.25, 0.5, 0.1]> : (tensor<2x3xf32>) -> tensor<2x3x!dnn.pow2<i3, axis 1, [0.25, 0.5, 0.1]>>
  // CHECK-NEXT: dnn.quantize %a to = !q5
  %4 = dnn.quantize %a to = !dnn.codebook<ui2, [-1.0, 0.0, 2.0], 0.1> : (tensor<2x3xf32>) -> tensor<2x3x!dnn.codebook<ui2, [-1.0, 0.0, 2.0], 0.1>>
  // CHECK-NEXT: dnn.quantize %a to = !q6
  %5 = dnn.quantize %a to = !dnn.codebook<ui2, [-1.0, 0.0, 0.5, 2.0], axis 0, [1.0, 0.1]> : (tensor<2x3xf32>) -> tensor<2x3x!dnn.codebook<ui2, [-1.0, 0.0, 0.5, 2.0], axis 0, [1.0, 0.1]>>
  // CHECK-NEXT: dnn.quantize %a to = !q7
  %6 = dnn.quantize %a to = !dnn.scaled<f8E4M3FN, 0.5> : (tensor<2x3xf32>) -> tensor<2x3x!dnn.scaled<f8E4M3FN, 0.5>>
  // CHECK-NEXT: dnn.quantize %a to = !q8
  %7 = dnn.quantize %a to = !dnn.scaled<bf16, axis 0, [0.5, 0.1]> : (tensor<2x3xf32>) -> tensor<2x3x!dnn.scaled<bf16, axis 0, [0.5, 0.1]>>
  // CHECK-NEXT: dnn.dequantize %f : (tensor<2x3x!q0>) -> tensor<2x3xf32>
  %8 = dnn.dequantize %f : (tensor<2x3x!dnn.fixed<ui8, 0.0078125, -1.3>>) -> tensor<2x3xf32>
  // CHECK-NEXT: dnn.storage_cast %f to = ui8 : (tensor<2x3x!q0>) -> tensor<2x3xui8>
  %9 = dnn.storage_cast %f to = ui8 : (tensor<2x3x!dnn.fixed<ui8, 0.0078125, -1.3>>) -> tensor<2x3xui8>
  // CHECK-NEXT: dnn.cast %a to = f8E5M2FNUZ overflow : (tensor<2x3xf32>) -> tensor<2x3xf8E5M2FNUZ>
  %10 = dnn.cast %a to = f8E5M2FNUZ overflow : (tensor<2x3xf32>) -> tensor<2x3xf8E5M2FNUZ>
  func.return %8 : tensor<2x3xf32>
}

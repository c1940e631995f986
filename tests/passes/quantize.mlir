// RUN: dnnc-opt %s -p quantize --split-input-file --verify-diagnostics | filecheck %s
// RUN: dnnc-opt %s -p 'quantize{islands=true symmetric=true per-tensor=true float-softmax=false}' --split-input-file --verify-diagnostics | filecheck %s --check-prefix OTHER

// Weights get a scale for each output channel (127 / 127 and 254 / 127), the bias int32 at the scale of the sum, the
// product the range of the relu that alone reads it. A softmax after the last contraction is an island in float.
// CHECK-LABEL: func.func @main
// CHECK: [[x:%.*]] = dnn.quantize %x to = !dnn.q<i8, 0.5, 0> : (tensor<1x2xf32>) -> tensor<1x2x!dnn.q<i8, 0.5, 0>>
// CHECK-NEXT: [[xd:%.*]] = dnn.dequantize [[x]]
// CHECK: [[w:%.*]] = dnn.const key = "weights.i8" : () -> tensor<2x2x!q0>
// CHECK-NEXT: [[wd:%.*]] = dnn.dequantize [[w]]
// CHECK-NEXT: [[b:%.*]] = dnn.const key = "weights.bias.i32" : () -> tensor<2x!q1>
// CHECK-NEXT: [[bd:%.*]] = dnn.dequantize [[b]]
// CHECK-NEXT: [[s:%.*]] = dnn.matmul [[xd]], [[wd]], bias([[bd]]) : (tensor<1x2xf32>, tensor<2x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
// CHECK-NEXT: [[q:%.*]] = dnn.quantize [[s]] to = !dnn.q<i8, 2.0, -128>
// CHECK-NEXT: [[d:%.*]] = dnn.dequantize [[q]]
// CHECK-NEXT: [[r:%.*]] = dnn.relu [[d]]
// CHECK-NEXT: [[rq:%.*]] = dnn.quantize [[r]] to = !dnn.q<i8, 2.0, -128>
// CHECK-NEXT: [[rd:%.*]] = dnn.dequantize [[rq]]
// CHECK-NEXT: dnn.softmax [[rd]] axis = 1 attributes {dnn.island} : (tensor<1x2xf32>) -> tensor<1x2xf32>
// OTHER-LABEL: func.func @main
// OTHER: dnn.quantize %x to = !dnn.q<i8, 0.503937, 0>
// OTHER: dnn.const key = "weights.i8" : () -> tensor<2x2x!dnn.q<i8, 2.0, 0>>
// OTHER: dnn.const key = "weights.bias.i32" : () -> tensor<2x!dnn.q<i32, 1.007874, 0>>
// OTHER: [[t:%.*]] = dnn.softmax {{.*}} axis = 1 : (tensor<1x2xf32>)
// OTHER-NEXT: dnn.quantize [[t]] to = !dnn.q<i8, 0.00390625, -128>
func.func @main(%x: tensor<1x2xf32> {dnn.range = #dnn.reals<[-64.0, 63.5]>}) -> tensor<1x2xf32> {
  %w = dnn.const value = dense<[[127.0, 2.0], [-1.0, 254.0]]> : tensor<2x2xf32> : () -> tensor<2x2xf32>
  %b = dnn.const value = dense<[10.0, -20.0]> : tensor<2xf32> : () -> tensor<2xf32>
  %s = dnn.matmul %x, %w, bias(%b) attributes {dnn.range = #dnn.reals<[-300.0, 510.0]>} : (tensor<1x2xf32>, tensor<2x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  %r = dnn.relu %s attributes {dnn.range = #dnn.reals<[0.0, 510.0]>} : (tensor<1x2xf32>) -> tensor<1x2xf32>
  %t = dnn.softmax %r axis = 1 : (tensor<1x2xf32>) -> tensor<1x2xf32>
  func.return %t : tensor<1x2xf32>
}

// -----
// What was not calibrated, and what has no integer form before the last contraction, is refused all at once.
// CHECK: main: expected calibrated ranges, not a network without any. Give samples with --calibrate X.npz. [E0701]
// CHECK-NEXT: quantize.mlir:[[# @LINE + 5]]:3: 'dnn.hardmax' on (f32) has no integer form. Quantize what it reads and makes to 8 bits, compile to C in float (--emit c), or keep it in float for the interpreter: islands=true. [E0703]
// OTHER: main: expected calibrated ranges, not a network without any.
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = dnn.const value = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32> : () -> tensor<2x2xf32>
  %s = dnn.matmul %x, %w : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %t = dnn.hardmax %s axis = 1 : (tensor<1x2xf32>) -> tensor<1x2xf32>
  %u = dnn.matmul %t, %w : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  func.return %u : tensor<1x2xf32>
}

// -----
// Values that were left out when others were calibrated are named.
// CHECK: quantize.mlir:[[# @LINE + 6]]:3: expected a calibrated range, not none. Give samples with --calibrate X.npz. [E0701]
// CHECK-NEXT: quantize.mlir:[[# @LINE + 6]]:3: expected a calibrated range, not none. Give samples with --calibrate X.npz. [E0701]
// OTHER: quantize.mlir:[[# @LINE + 4]]:3: expected a calibrated range, not none.
// OTHER-NEXT: quantize.mlir:[[# @LINE + 4]]:3: expected a calibrated range, not none.
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = dnn.const value = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32> : () -> tensor<2x2xf32>
  %s = dnn.matmul %x, %w attributes {dnn.range = #dnn.reals<[0.0, 5.0]>} : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %u = dnn.matmul %s, %w : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  func.return %u : tensor<1x2xf32>
}

// -----
// With islands allowed the hardmax between two products stays in float, behind dequantize and before quantize.
// CHECK: 'dnn.hardmax' on (f32) has no integer form.
// OTHER-LABEL: func.func @main
// OTHER: dnn.matmul
// OTHER-NEXT: dnn.quantize
// OTHER-NEXT: [[d:%.*]] = dnn.dequantize
// OTHER-NEXT: [[t:%.*]] = dnn.hardmax [[d]] {{.*}} {dnn.island}
// OTHER-NEXT: dnn.quantize [[t]]
func.func @main(%x: tensor<1x2xf32> {dnn.range = #dnn.reals<[0.0, 1.0]>}) -> tensor<1x2xf32> {
  %w = dnn.const value = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32> : () -> tensor<2x2xf32>
  %s = dnn.matmul %x, %w attributes {dnn.range = #dnn.reals<[0.0, 6.0]>} : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %t = dnn.hardmax %s axis = 1 attributes {dnn.range = #dnn.reals<[0.0, 1.0]>} : (tensor<1x2xf32>) -> tensor<1x2xf32>
  %u = dnn.matmul %t, %w attributes {dnn.range = #dnn.reals<[0.0, 6.0]>} : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  func.return %u : tensor<1x2xf32>
}

// -----
// A bias that varies along rows is not one a channel, so the product has no int8 form and stays in float.
// CHECK-LABEL: func.func @main
// CHECK: dnn.matmul %x, %w, bias(%b) attributes {dnn.island}
func.func @main(%x: tensor<2x2xf32> {dnn.range = #dnn.reals<[0.0, 1.0]>}) -> tensor<2x2xf32> {
  %w = dnn.const value = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32> : () -> tensor<2x2xf32>
  %b = dnn.const value = dense<[[1.0], [2.0]]> : tensor<2x1xf32> : () -> tensor<2x1xf32>
  %s = dnn.matmul %x, %w, bias(%b) attributes {dnn.range = #dnn.reals<[0.0, 6.0]>} : (tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x1xf32>) -> tensor<2x2xf32>
  func.return %s : tensor<2x2xf32>
}

// -----
// What is put together, moved and pooled by order has one type, whose range is that of all that is computed into it.
// CHECK-LABEL: func.func @main
// CHECK: dnn.quantize %a to = !dnn.q<i8, 0.0627451, -1>
// CHECK: dnn.quantize %b to = !dnn.q<i8, 0.0627451, -1>
// CHECK: [[c:%.*]] = dnn.concat
// CHECK-NEXT: dnn.quantize [[c]] to = !dnn.q<i8, 0.0627451, -1>
// CHECK: [[p:%.*]] = dnn.pad
// CHECK-NEXT: dnn.quantize [[p]] to = !dnn.q<i8, 0.0627451, -1>
func.func @main(%a: tensor<1x2xf32> {dnn.range = #dnn.reals<[-1.0, 1.0]>}, %b: tensor<1x2xf32> {dnn.range = #dnn.reals<[-8.0, 8.0]>}) -> tensor<2x4xf32> {
  %c = dnn.concat [%a, %b] axis = 0 attributes {dnn.range = #dnn.reals<[-8.0, 8.0]>} : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<2x2xf32>
  %p = dnn.pad %c before = [0, 1] after = [0, 1] attributes {dnn.range = #dnn.reals<[-8.0, 8.0]>} : (tensor<2x2xf32>) -> tensor<2x4xf32>
  func.return %p : tensor<2x4xf32>
}

// -----
// What is put beside itself has the type it has alone.
// CHECK-LABEL: func.func @main
// CHECK: dnn.quantize %a to = !dnn.q<i8, 0.0627451, -1>
// CHECK: [[c:%.*]] = dnn.concat
// CHECK-NEXT: dnn.quantize [[c]] to = !dnn.q<i8, 0.0627451, -1>
func.func @main(%a: tensor<1x2xf32> {dnn.range = #dnn.reals<[-8.0, 8.0]>}) -> tensor<2x2xf32> {
  %c = dnn.concat [%a, %a] axis = 0 attributes {dnn.range = #dnn.reals<[-8.0, 8.0]>} : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<2x2xf32>
  func.return %c : tensor<2x2xf32>
}

// -----
// A run of elementwise operations on one value is one function: what is inside it has no type of its own.
// CHECK-LABEL: func.func @main
// CHECK: dnn.dequantize
// CHECK: dnn.sigmoid
// CHECK-NEXT: dnn.mul
// CHECK-NEXT: dnn.add
// CHECK-NEXT: dnn.quantize
func.func @main(%x: tensor<1x2xf32> {dnn.range = #dnn.reals<[-4.0, 4.0]>}) -> tensor<1x2xf32> {
  %c = dnn.const value = dense<2.0> : tensor<1xf32> : () -> tensor<1xf32>
  %s = dnn.sigmoid %x : (tensor<1x2xf32>) -> tensor<1x2xf32>
  %y = dnn.mul %x, %s : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  %z = dnn.add %y, %c attributes {dnn.range = #dnn.reals<[1.0, 6.0]>} : (tensor<1x2xf32>, tensor<1xf32>) -> tensor<1x2xf32>
  func.return %z : tensor<1x2xf32>
}

// -----
// A network that came quantized keeps its types.
// CHECK-LABEL: func.func @main
// CHECK-NEXT: dnn.quantize %x to = !dnn.q<ui8, 0.5, 3>
// CHECK-NEXT: dnn.dequantize
// CHECK-NEXT: dnn.relu
// CHECK-NEXT: func.return
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %q = dnn.quantize %x to = !dnn.q<ui8, 0.5, 3> : (tensor<1x2xf32>) -> tensor<1x2x!dnn.q<ui8, 0.5, 3>>
  %d = dnn.dequantize %q : (tensor<1x2x!dnn.q<ui8, 0.5, 3>>) -> tensor<1x2xf32>
  %r = dnn.relu %d : (tensor<1x2xf32>) -> tensor<1x2xf32>
  func.return %r : tensor<1x2xf32>
}

// -----
// A loop is quantized before the rest, and states the types of what it reads: values of a step int16 at a power of two, a
// sum before a tanh Q3.12 however far it reaches, the tanh itself Q0.15; operands of a product int8.
// CHECK-LABEL: func.func @main
// CHECK: [[h:%.*]] = dnn.const {{.*}} tensor<1x2x!dnn.q<i16, 3.0517578e-05, 0>>
// CHECK: [[z:%.*]] = dnn.quantize %x to = !dnn.q<i16, 0.00048828125, 0>
// CHECK: = dnn.scan {{.*}} steps = 3 {
// CHECK-NEXT: ^bb0([[s:%.*]]: tensor<1x2x!dnn.q<i16, 3.0517578e-05, 0>>, [[i:%.*]]: tensor<1x2x!dnn.q<i16, 0.00048828125, 0>>):
// CHECK:        dnn.quantize {{.*}} to = !dnn.q<i8, 0.007843138, -1>
// CHECK:        dnn.const {{.*}} tensor<2x2x!q0>
// CHECK:        [[a:%.*]] = dnn.add
// CHECK-NEXT:   [[q:%.*]] = dnn.quantize [[a]] to = !dnn.q<i16, 0.00024414062, 0>
// CHECK-NEXT:   [[d:%.*]] = dnn.dequantize [[q]]
// CHECK-NEXT:   dnn.tanh [[d]]
// CHECK:        dnn.yield [[y:%.*]], [[y]] : tensor<1x2x!dnn.q<i16, 3.0517578e-05, 0>>
func.func @main(%x: tensor<3x1x2xf32> {dnn.range = #dnn.reals<[-9.0, 12.0]>}) -> tensor<3x1x2xf32> {
  %h0 = dnn.const value = dense<0.0> : tensor<1x2xf32> : () -> tensor<1x2xf32>
  %r:2 = dnn.scan [%h0], [%x], [] steps = 3 {
  ^bb0(%h: tensor<1x2xf32>, %z: tensor<1x2xf32>):
    %w = dnn.const value = dense<[[127.0, 2.0], [-1.0, 254.0]]> : tensor<2x2xf32> : () -> tensor<2x2xf32>
    %p = dnn.matmul %h, %w attributes {dnn.range = #dnn.reals<[-3.0, 3.0]>} : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
    %a = dnn.add %z, %p attributes {dnn.range = #dnn.reals<[-12.0, 15.0]>} : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
    %y = dnn.tanh %a attributes {dnn.range = #dnn.reals<[-0.5, 0.5]>} : (tensor<1x2xf32>) -> tensor<1x2xf32>
    dnn.yield %y, %y : tensor<1x2xf32>, tensor<1x2xf32>
  } : (tensor<1x2xf32>, tensor<3x1x2xf32>) -> (tensor<1x2xf32>, tensor<3x1x2xf32>)
  func.return %r#1 : tensor<3x1x2xf32>
}

// -----
// A loop whose values have no range.
// CHECK: quantize.mlir:[[# @LINE + 3]]:3: expected a calibrated range, not none. Give samples with --calibrate X.npz. [E0701]
// OTHER: quantize.mlir:[[# @LINE + 2]]:3: expected a calibrated range, not none. Give samples with --calibrate X.npz. [E0701]
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %y = dnn.scan [%x], [], [] steps = 3 {
  ^bb0(%h: tensor<1x2xf32>):
    %a = dnn.add %h, %h : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
    dnn.yield %a : tensor<1x2xf32>
  } : (tensor<1x2xf32>) -> tensor<1x2xf32>
  func.return %y : tensor<1x2xf32>
}

// RUN: dnnc-opt %s -p quantize-lower --split-input-file --verify-diagnostics | filecheck %s
// RUN: dnnc-opt %s -p 'quantize-lower{islands=true rounding=half_away}' --split-input-file --verify-diagnostics | filecheck %s --check-prefix OTHER

!x = !dnn.q<i8, 0.5, 3>
!w = !dnn.q<i8, axis 0, [0.25, 0.125]>
!y = !dnn.q<i8, 1.0, -128>

// ContractionOfDequantized, BoundOfQuantized, QuantizeOfDequantize: the sum in int32, the float bias at its scale, one
// requantize; relu bounds quantized values, since rounding keeps their order.
// CHECK-LABEL: func.func @main
// OTHER-LABEL: func.func @main
// CHECK-NEXT: [[b:%.*]] = dnn.const key = "bias.i32" : () -> tensor<2x![[b0:.*]]>
// CHECK-NEXT: [[s:%.*]] = dnn.conv %x, %w, bias([[b]]) window = <[1, 1]>
// CHECK-NEXT: [[q:%.*]] = dnn.requantize [[s]] to = !dnn.q<i8, 1.0, -128> :
// CHECK-NEXT: [[r:%.*]] = dnn.relu [[q]] :
// CHECK-NEXT: return [[r]]
// OTHER: dnn.requantize {{.*}} to = !dnn.q<i8, 1.0, -128> rounding = half_away
func.func @main(%x: tensor<1x1x4x4x!x>, %w: tensor<2x1x1x1x!w>) -> tensor<1x2x4x4x!y> {
  %b = dnn.const value = dense<[1.0, 0.5]> : tensor<2xf32> : () -> tensor<2xf32>
  %xd = dnn.dequantize %x : (tensor<1x1x4x4x!x>) -> tensor<1x1x4x4xf32>
  %wd = dnn.dequantize %w : (tensor<2x1x1x1x!w>) -> tensor<2x1x1x1xf32>
  %c = dnn.conv %xd, %wd, bias(%b) window = <[1, 1]> : (tensor<1x1x4x4xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
  %r = dnn.relu %c : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %y = dnn.quantize %r to = !y : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4x!y>
  func.return %y : tensor<1x2x4x4x!y>
}

// -----
!x = !dnn.q<ui8, 0.5, 3>
!z = !dnn.q<ui8, 0.25, 7>
!y = !dnn.q<ui8, 1.0, 128>

// SumOfDequantized, and a product of two computed values; its float result stands at the boundary.
// CHECK-LABEL: func.func @main
// OTHER-LABEL: func.func @main
// CHECK-NEXT: [[a:%.*]] = dnn.qadd %x, %z to = !dnn.q<ui8, 1.0, 128> :
// CHECK-NEXT: [[s:%.*]] = dnn.qsub %x, [[a]] to = !dnn.q<ui8, 1.0, 128> :
// CHECK-NEXT: [[m:%.*]] = dnn.qmul [[a]], [[s]] to = !dnn.q<ui8, 1.0, 128> :
// CHECK-NEXT: [[p:%.*]] = dnn.matmul [[m]], %z : {{.*}} -> tensor<2x2x!dnn.q<i32, 0.25, 0>>
// CHECK-NEXT: [[d:%.*]] = dnn.dequantize [[p]]
// CHECK-NEXT: return [[d]]
// OTHER: dnn.qadd
// OTHER-NEXT: dnn.qsub
// OTHER-NEXT: dnn.qmul {{.*}} rounding = half_away
func.func @main(%x: tensor<2x2x!x>, %z: tensor<2x2x!z>) -> tensor<2x2xf32> {
  %xd = dnn.dequantize %x : (tensor<2x2x!x>) -> tensor<2x2xf32>
  %zd = dnn.dequantize %z : (tensor<2x2x!z>) -> tensor<2x2xf32>
  %a = dnn.add %xd, %zd : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %aq = dnn.quantize %a to = !y : (tensor<2x2xf32>) -> tensor<2x2x!y>
  %ad = dnn.dequantize %aq : (tensor<2x2x!y>) -> tensor<2x2xf32>
  %s = dnn.sub %xd, %ad : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %sq = dnn.quantize %s to = !y : (tensor<2x2xf32>) -> tensor<2x2x!y>
  %sd = dnn.dequantize %sq : (tensor<2x2x!y>) -> tensor<2x2xf32>
  %m = dnn.mul %ad, %sd : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %mq = dnn.quantize %m to = !y : (tensor<2x2xf32>) -> tensor<2x2x!y>
  %md = dnn.dequantize %mq : (tensor<2x2x!y>) -> tensor<2x2xf32>
  %p = dnn.matmul %md, %zd : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  func.return %p : tensor<2x2xf32>
}

// -----
!x = !dnn.q<i8, 0.5, 3>
!z = !dnn.q<i8, 0.25, 7>
!y = !dnn.q<i8, 1.0, 0>

// MoveOfDequantized keeps the type of what is moved, MoveOfQuantized brings operands of several types to that of the result.
// CHECK-LABEL: func.func @main
// OTHER-LABEL: func.func @main
// CHECK-NEXT: [[m:%.*]] = dnn.max_pool %x window = <[2, 2]> : (tensor<1x1x4x4x!dnn.q<i8, 0.5, 3>>) -> tensor<1x1x3x3x!dnn.q<i8, 0.5, 3>>
// CHECK-DAG: [[a:%.*]] = dnn.requantize [[m]] to = !dnn.q<i8, 1.0, 0>
// CHECK-DAG: [[b:%.*]] = dnn.requantize %z to = !dnn.q<i8, 1.0, 0>
// CHECK: [[c:%.*]] = dnn.concat {{.*}} axis = 1 : (tensor<1x1x3x3x!dnn.q<i8, 1.0, 0>>, tensor<1x1x3x3x!dnn.q<i8, 1.0, 0>>) -> tensor<1x2x3x3x!dnn.q<i8, 1.0, 0>>
// CHECK-NEXT: return [[c]]
// OTHER: dnn.concat
func.func @main(%x: tensor<1x1x4x4x!x>, %z: tensor<1x1x3x3x!z>) -> tensor<1x2x3x3x!y> {
  %xd = dnn.dequantize %x : (tensor<1x1x4x4x!x>) -> tensor<1x1x4x4xf32>
  %zd = dnn.dequantize %z : (tensor<1x1x3x3x!z>) -> tensor<1x1x3x3xf32>
  %m = dnn.max_pool %xd window = <[2, 2]> : (tensor<1x1x4x4xf32>) -> tensor<1x1x3x3xf32>
  %c = dnn.concat [%m, %zd] axis = 1 : (tensor<1x1x3x3xf32>, tensor<1x1x3x3xf32>) -> tensor<1x2x3x3xf32>
  %y = dnn.quantize %c to = !y : (tensor<1x2x3x3xf32>) -> tensor<1x2x3x3x!y>
  func.return %y : tensor<1x2x3x3x!y>
}

// -----
!x = !dnn.q<i8, 0.5, 3>
!y = !dnn.q<i8, 1.0, 0>

// FunctionIsTable: a run of elementwise operations on one value. MeanOfDequantized: over all spatial axes an average pool.
// ReluOfDequantized: a relu that is not quantized again keeps the type.
// CHECK-LABEL: func.func @main
// OTHER-LABEL: func.func @main
// CHECK-NEXT: [[t:%.*]] = dnn.const key = "table" : () -> tensor<256x!dnn.q<i8, 1.0, 0>>
// CHECK-NEXT: [[f:%.*]] = dnn.table %x, [[t]] :
// CHECK-NEXT: [[p:%.*]] = dnn.qavg_pool [[f]] window = <[4, 4]> to = !dnn.q<i8, 0.5, 3> :
// CHECK-NEXT: [[v:%.*]] = dnn.reshape [[p]] shape = [1, 2]
// CHECK-NEXT: [[m:%.*]] = dnn.qreduce_mean [[v]] axes = [1] to = !dnn.q<i8, 1.0, 0> :
// CHECK-NEXT: [[r:%.*]] = dnn.relu [[m]]
// CHECK-NEXT: [[d:%.*]] = dnn.dequantize [[r]]
// CHECK-NEXT: return [[d]]
// OTHER: dnn.qavg_pool {{.*}} rounding = half_away
func.func @main(%x: tensor<1x2x4x4x!x>) -> tensor<1xf32> {
  %xd = dnn.dequantize %x : (tensor<1x2x4x4x!x>) -> tensor<1x2x4x4xf32>
  %s = dnn.sigmoid %xd : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %f = dnn.mul %xd, %s : (tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %fq = dnn.quantize %f to = !y : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4x!y>
  %fd = dnn.dequantize %fq : (tensor<1x2x4x4x!y>) -> tensor<1x2x4x4xf32>
  %p = dnn.reduce_mean %fd axes = [2, 3] : (tensor<1x2x4x4xf32>) -> tensor<1x2xf32>
  %pq = dnn.quantize %p to = !x : (tensor<1x2xf32>) -> tensor<1x2x!x>
  %pd = dnn.dequantize %pq : (tensor<1x2x!x>) -> tensor<1x2xf32>
  %m = dnn.reduce_mean %pd axes = [1] : (tensor<1x2xf32>) -> tensor<1xf32>
  %mq = dnn.quantize %m to = !y : (tensor<1xf32>) -> tensor<1x!y>
  %md = dnn.dequantize %mq : (tensor<1x!y>) -> tensor<1xf32>
  %r = dnn.relu %md : (tensor<1xf32>) -> tensor<1xf32>
  func.return %r : tensor<1xf32>
}

// -----
!x = !dnn.q<i8, 0.5, 3>
!y = !dnn.q<i8, 1.0, 0>
!p = !dnn.q<i8, 0.00390625, -128>

// SoftmaxOfDequantized: at scale 2^-8 as it is, for another type by way of 16 bits. NormOfDequantized: integer gains.
// CHECK-LABEL: func.func @main
// OTHER-LABEL: func.func @main
// CHECK-NEXT: [[e:%.*]] = dnn.const key = "exp"
// CHECK-NEXT: [[s:%.*]] = dnn.qsoftmax %x, [[e]] axis = 1 to = !dnn.q<i8, 0.00390625, -128> :
// CHECK-NEXT: [[e:%.*]] = dnn.const key = "exp.1"
// CHECK-NEXT: [[w:%.*]] = dnn.qsoftmax [[s]], [[e]] axis = 1 to = !dnn.q<i16, 1.5258789e-05, -32768> :
// CHECK-NEXT: [[v:%.*]] = dnn.requantize [[w]] to = !dnn.q<i8, 0.5, 3> :
// CHECK-NEXT: [[g:%.*]] = dnn.const value = dense<[{{.*}}]> : tensor<4xi32>
// CHECK-NEXT: [[n:%.*]] = dnn.qnormalize [[v]], [[g]] axes = [1] epsilon = 2 shift = 59 to = !dnn.q<i8, 1.0, 0> :
// CHECK-NEXT: return [[n]]
// OTHER: dnn.qnormalize
func.func @main(%x: tensor<2x4x!x>) -> tensor<2x4x!y> {
  %g = dnn.const value = dense<[1.0, 0.5, 0.25, -1.0]> : tensor<4xf32> : () -> tensor<4xf32>
  %xd = dnn.dequantize %x : (tensor<2x4x!x>) -> tensor<2x4xf32>
  %s = dnn.softmax %xd axis = 1 : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %sq = dnn.quantize %s to = !p : (tensor<2x4xf32>) -> tensor<2x4x!p>
  %sd = dnn.dequantize %sq : (tensor<2x4x!p>) -> tensor<2x4xf32>
  %t = dnn.softmax %sd axis = 1 : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %tq = dnn.quantize %t to = !x : (tensor<2x4xf32>) -> tensor<2x4x!x>
  %td = dnn.dequantize %tq : (tensor<2x4x!x>) -> tensor<2x4xf32>
  %n = dnn.rms_norm %td, %g epsilon = 0.125 : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  %y = dnn.quantize %n to = !y : (tensor<2x4xf32>) -> tensor<2x4x!y>
  func.return %y : tensor<2x4x!y>
}

// -----
!x = !dnn.q<i8, 0.5, 3>

// What has no integer form before the last contraction is refused, all at once; after it, or asked for, it is an island.
// CHECK: quantize-lower.mlir:[[# @LINE + 9]]:3: 'dnn.hardmax' on (f32) has no integer form. Quantize what it reads and makes to 8 bits, compile to C in float (--emit c), or keep it in float for the interpreter: islands=true. [E0703]
// CHECK-NEXT: quantize-lower.mlir:[[# @LINE + 9]]:3: 'dnn.div' on (f32, f32) has no integer form. Quantize what it reads and makes to 8 bits, compile to C in float (--emit c), or keep it in float for the interpreter: islands=true. [E0703]
// OTHER-LABEL: func.func @main
// OTHER: dnn.hardmax {{.*}} attributes {dnn.island}
// OTHER: dnn.div {{.*}} attributes {dnn.island}
// OTHER: dnn.matmul
// OTHER: dnn.hardmax {{.*}} attributes {dnn.island}
func.func @main(%x: tensor<2x2x!x>) -> tensor<2x2xf32> {
  %xd = dnn.dequantize %x : (tensor<2x2x!x>) -> tensor<2x2xf32>
  %h = dnn.hardmax %xd axis = 1 : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %d = dnn.div %h, %xd : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %dq = dnn.quantize %d to = !x : (tensor<2x2xf32>) -> tensor<2x2x!x>
  %dd = dnn.dequantize %dq : (tensor<2x2x!x>) -> tensor<2x2xf32>
  %p = dnn.matmul %dd, %xd : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %y = dnn.hardmax %p axis = 1 : (tensor<2x2xf32>) -> tensor<2x2xf32>
  func.return %y : tensor<2x2xf32>
}

// -----
!x = !dnn.q<ui8, 0.5, 255>

// A sum that could leave int32 is an error with its bound: 40000 * 255 * 255.
// CHECK: quantize-lower.mlir:[[# @LINE + 5]]:3: 'dnn.matmul' expected sums below 2^31, not up to 2601000000. Split the layer's input channels. [E0808]
// OTHER: expected sums below 2^31
func.func @main(%x: tensor<1x40000x!x>, %z: tensor<40000x1x!x>) -> tensor<1x1xf32> {
  %xd = dnn.dequantize %x : (tensor<1x40000x!x>) -> tensor<1x40000xf32>
  %zd = dnn.dequantize %z : (tensor<40000x1x!x>) -> tensor<40000x1xf32>
  %p = dnn.matmul %xd, %zd : (tensor<1x40000xf32>, tensor<40000x1xf32>) -> tensor<1x1xf32>
  func.return %p : tensor<1x1xf32>
}

// -----
!s = !dnn.q<i32, 1.0, 0>
!u = !dnn.q<ui8, 1.0, 0>

// WholeWeightsAreQuantized, RequantShiftIsRequantize: one multiplier and no offset is a requantize; any other offset stays.
// CHECK-LABEL: func.func @main
// CHECK: [[p:%.*]] = dnn.matmul %x, {{.*}} -> tensor<1x2x!dnn.q<i32, 1.0, 0>>
// CHECK: dnn.requantize [[p]] to = !dnn.q<ui8, 1.0, 0> rounding = half_up multiplier = [3] shift = 4
// CHECK: dnn.requant_shift [[p]]
// OTHER: dnn.requantize {{.*}} rounding = half_up multiplier = [3] shift = 4
func.func @main(%x: tensor<1x2x!u>) -> (tensor<1x2x!u>, tensor<1x2x!u>) {
  %xd = dnn.dequantize %x : (tensor<1x2x!u>) -> tensor<1x2xf32>
  %w = dnn.const value = dense<[[1.0, -5.0], [0.0, 100.0]]> : tensor<2x2xf32> : () -> tensor<2x2xf32>
  %p = dnn.matmul %xd, %w : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %q = dnn.quantize %p to = !s : (tensor<1x2xf32>) -> tensor<1x2x!s>
  %m = dnn.const value = dense<3> : tensor<1xi32> : () -> tensor<1xi32>
  %o = dnn.const value = dense<0> : tensor<1xi64> : () -> tensor<1xi64>
  %t = dnn.const value = dense<2> : tensor<1xi64> : () -> tensor<1xi64>
  %y = dnn.requant_shift %q, %m, %o shift = 4 to = !u : (tensor<1x2x!s>, tensor<1xi32>, tensor<1xi64>) -> tensor<1x2x!u>
  %z = dnn.requant_shift %q, %m, %t shift = 4 to = !u : (tensor<1x2x!s>, tensor<1xi32>, tensor<1xi64>) -> tensor<1x2x!u>
  func.return %y, %z : tensor<1x2x!u>, tensor<1x2x!u>
}

// -----
!acc = !dnn.q<i32, axis 1, [0.5, 0.25]>

// ThresholdOfDequantized: thresholds of stored integers, 3 / 0.5 and 3 / 0.25, and 0.6 / 0.5 upwards.
// CHECK: [[t:%.*]] = dnn.const value = dense<[[2, 6], [3, 12]]> : tensor<2x2xi32>
// CHECK: dnn.threshold %x, [[t]] to = !dnn.q<i8, 1.0, 0>
// OTHER: dnn.threshold %x
func.func @main(%x: tensor<1x2x!acc>) -> tensor<1x2x!dnn.q<i8, 1.0, 0>> {
  %xd = dnn.dequantize %x : (tensor<1x2x!acc>) -> tensor<1x2xf32>
  %t = dnn.const value = dense<[[0.6, 3.0]]> : tensor<1x2xf32> : () -> tensor<1x2xf32>
  %y = dnn.threshold %xd, %t to = !dnn.q<i8, 1.0, 0> : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2x!dnn.q<i8, 1.0, 0>>
  func.return %y : tensor<1x2x!dnn.q<i8, 1.0, 0>>
}

// -----
!x = !dnn.q<i8, 0.5, 3>

// ConstantBesideQuantized: a constant of several values beside a quantized one is int16, at the scale of its largest.
// CHECK: [[c:%.*]] = dnn.const key = "const.i16" : () -> tensor<2x!dnn.q<i16, {{.*}}, 0>>
// CHECK: dnn.qadd %x, [[c]] to = !dnn.q<i8, 0.5, 3>
// OTHER: dnn.qadd %x
func.func @main(%x: tensor<1x2x!x>) -> tensor<1x2x!x> {
  %xd = dnn.dequantize %x : (tensor<1x2x!x>) -> tensor<1x2xf32>
  %c = dnn.const value = dense<[1.0, -3.5]> : tensor<2xf32> : () -> tensor<2xf32>
  %y = dnn.add %xd, %c : (tensor<1x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  %q = dnn.quantize %y to = !x : (tensor<1x2xf32>) -> tensor<1x2x!x>
  func.return %q : tensor<1x2x!x>
}

// -----
!x = !dnn.q<i8, 1.0e+06, 0>
!y = !dnn.q<i8, 1.0e-06, 0>

// A sum whose multiplier would leave its integers stays real: after the last contraction it is an island.
// CHECK: dnn.add {{.*}} attributes {dnn.island}
// OTHER: dnn.add {{.*}} attributes {dnn.island}
func.func @main(%x: tensor<2x!x>, %z: tensor<2x!y>) -> tensor<2x!y> {
  %xd = dnn.dequantize %x : (tensor<2x!x>) -> tensor<2xf32>
  %zd = dnn.dequantize %z : (tensor<2x!y>) -> tensor<2xf32>
  %s = dnn.add %xd, %zd : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %q = dnn.quantize %s to = !y : (tensor<2xf32>) -> tensor<2x!y>
  func.return %q : tensor<2x!y>
}

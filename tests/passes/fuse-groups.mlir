// RUN: dnnc-opt %s -p fuse-groups --split-input-file | filecheck %s
// RUN: dnnc-opt %s -p fuse-groups{max-ops=2} --split-input-file | filecheck %s --check-prefix SHORT

// A contraction takes the chain of single uses after it, one residual sum and one pool at most; then a view stays outside.
// CHECK-LABEL: func.func @main(%x: tensor<1x2x4x4xf32>
// CHECK-NEXT: [[g:%.*]] = dnn.group [%x, %w, %b, %r] {
// CHECK-NEXT: ^bb0
// CHECK-NEXT:   dnn.conv {{.*}} bias(
// CHECK-NEXT:   dnn.add
// CHECK-NEXT:   dnn.relu
// CHECK-NEXT:   dnn.max_pool
// CHECK-NEXT:   dnn.yield
// CHECK-NEXT: }
// CHECK-NEXT: dnn.reshape [[g]] shape = [8]
// SHORT-LABEL: func.func @main(%x: tensor<1x2x4x4xf32>
// SHORT: dnn.conv
// SHORT-NEXT: dnn.add
// SHORT-NEXT: dnn.yield
// SHORT: dnn.group
// SHORT: dnn.relu
// SHORT-NEXT: dnn.yield
// SHORT: dnn.group
// SHORT: dnn.max_pool
func.func @main(%x: tensor<1x2x4x4xf32>, %w: tensor<2x2x1x1xf32>, %b: tensor<2xf32>, %r: tensor<1x2x4x4xf32>) -> tensor<8xf32> {
  %c = dnn.conv %x, %w, bias(%b) window = <[1, 1]> : (tensor<1x2x4x4xf32>, tensor<2x2x1x1xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
  %s = dnn.add %r, %c : (tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %a = dnn.relu %s : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %p = dnn.max_pool %a window = <[2, 2], stride [2, 2]> : (tensor<1x2x4x4xf32>) -> tensor<1x2x2x2xf32>
  %f = dnn.reshape %p shape = [8] : (tensor<1x2x2x2xf32>) -> tensor<8xf32>
  func.return %f : tensor<8xf32>
}

// -----
// A value read twice ends its chain, and every other operation is a group of its own.
// CHECK-LABEL: func.func @main(%x: tensor<2x2xf32>
// CHECK-NEXT: [[g:%.*]] = dnn.group [%x] {
// CHECK: dnn.matmul
// CHECK-NEXT: dnn.yield
// CHECK: [[h:%.*]] = dnn.group {{\[}}[[g]]] {
// CHECK: dnn.relu
// CHECK: [[i:%.*]] = dnn.group {{\[}}[[g]], [[h]]] {
// CHECK: dnn.add
// CHECK: func.return [[i]]
func.func @main(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %m = dnn.matmul %x, %x : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %a = dnn.relu %m : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %s = dnn.add %m, %a : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  func.return %s : tensor<2x2xf32>
}

// -----
// Two contractions meet in a sum: the first takes it, and stands where the second is already made.
// CHECK-LABEL: func.func @main(%x: tensor<2x2xf32>
// CHECK-NEXT: [[g:%.*]] = dnn.group [%x, %v] {
// CHECK: dnn.matmul
// CHECK-NEXT: dnn.yield
// CHECK: dnn.group [%x, %w, [[g]]] {
// CHECK: dnn.matmul
// CHECK-NEXT: dnn.add
func.func @main(%x: tensor<2x2xf32>, %w: tensor<2x2xf32>, %v: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %m = dnn.matmul %x, %w : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %n = dnn.matmul %x, %v : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %s = dnn.add %m, %n : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  func.return %s : tensor<2x2xf32>
}

// -----
// An island, quantize and dequantize stay outside; requantize belongs to the contraction.
// CHECK-LABEL: func.func @main(%x: tensor<2x2xf32>
// CHECK: dnn.quantize
// CHECK-NEXT: dnn.group
// CHECK: dnn.matmul
// CHECK-NEXT: dnn.requantize
// CHECK-NEXT: dnn.yield
// CHECK: dnn.dequantize
// CHECK-NEXT: dnn.softmax {{.*}} attributes {dnn.island}
func.func @main(%x: tensor<2x2xf32>, %w: tensor<2x2x!dnn.q<i8, 0.5, 0>>) -> tensor<2x2xf32> {
  %q = dnn.quantize %x to = !dnn.q<i8, 0.5, 3> : (tensor<2x2xf32>) -> tensor<2x2x!dnn.q<i8, 0.5, 3>>
  %m = dnn.matmul %q, %w : (tensor<2x2x!dnn.q<i8, 0.5, 3>>, tensor<2x2x!dnn.q<i8, 0.5, 0>>) -> tensor<2x2x!dnn.q<i32, 0.25, 0>>
  %r = dnn.requantize %m to = !dnn.q<i8, 0.5, 3> : (tensor<2x2x!dnn.q<i32, 0.25, 0>>) -> tensor<2x2x!dnn.q<i8, 0.5, 3>>
  %d = dnn.dequantize %r : (tensor<2x2x!dnn.q<i8, 0.5, 3>>) -> tensor<2x2xf32>
  %y = dnn.softmax %d axis = 1 attributes {dnn.island} : (tensor<2x2xf32>) -> tensor<2x2xf32>
  func.return %y : tensor<2x2xf32>
}

// -----
// Between quantized values the stages of a unit follow their order: sums, scale, table, second operand, bounds, pool. A
// table after the sum is the next unit; an average pool sums at the source, so it begins one.
// CHECK-LABEL: func.func @main(%x: tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>
// CHECK: dnn.group
// CHECK: dnn.conv
// CHECK-NEXT: dnn.requantize
// CHECK-NEXT: dnn.table
// CHECK-NEXT: dnn.qadd
// CHECK-NEXT: dnn.relu
// CHECK-NEXT: dnn.max_pool
// CHECK-NEXT: dnn.yield
// CHECK: dnn.group
// CHECK: dnn.qavg_pool
// CHECK-NEXT: dnn.table
// CHECK-NEXT: dnn.yield
// CHECK: dnn.group
// CHECK: dnn.qmul
// CHECK-NEXT: dnn.yield
// CHECK: dnn.group
// CHECK: dnn.table
// CHECK-NEXT: dnn.yield
func.func @main(%x: tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>, %w: tensor<2x2x1x1x!dnn.q<i8, 0.5, 0>>, %t: tensor<256x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x1x1x!dnn.q<i8, 0.5, 3>> {
  %c = dnn.conv %x, %w window = <[1, 1]> : (tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>, tensor<2x2x1x1x!dnn.q<i8, 0.5, 0>>) -> tensor<1x2x4x4x!dnn.q<i32, 0.25, 0>>
  %q = dnn.requantize %c to = !dnn.q<i8, 0.5, 3> : (tensor<1x2x4x4x!dnn.q<i32, 0.25, 0>>) -> tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>
  %f = dnn.table %q, %t : (tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>, tensor<256x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>
  %s = dnn.qadd %x, %f to = !dnn.q<i8, 0.75, -3> : (tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>, tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x4x4x!dnn.q<i8, 0.75, -3>>
  %r = dnn.relu %s : (tensor<1x2x4x4x!dnn.q<i8, 0.75, -3>>) -> tensor<1x2x4x4x!dnn.q<i8, 0.75, -3>>
  %p = dnn.max_pool %r window = <[2, 2], stride [2, 2]> : (tensor<1x2x4x4x!dnn.q<i8, 0.75, -3>>) -> tensor<1x2x2x2x!dnn.q<i8, 0.75, -3>>
  %a = dnn.qavg_pool %p window = <[2, 2]> to = !dnn.q<i8, 0.5, 3> : (tensor<1x2x2x2x!dnn.q<i8, 0.75, -3>>) -> tensor<1x2x1x1x!dnn.q<i8, 0.5, 3>>
  %b = dnn.table %a, %t : (tensor<1x2x1x1x!dnn.q<i8, 0.5, 3>>, tensor<256x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x1x1x!dnn.q<i8, 0.5, 3>>
  %m = dnn.qmul %b, %b to = !dnn.q<i8, 0.5, 3> : (tensor<1x2x1x1x!dnn.q<i8, 0.5, 3>>, tensor<1x2x1x1x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x1x1x!dnn.q<i8, 0.5, 3>>
  %y = dnn.table %m, %t : (tensor<1x2x1x1x!dnn.q<i8, 0.5, 3>>, tensor<256x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x1x1x!dnn.q<i8, 0.5, 3>>
  func.return %y : tensor<1x2x1x1x!dnn.q<i8, 0.5, 3>>
}

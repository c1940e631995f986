// RUN: dnnc-opt %s -p order --split-input-file | filecheck %s

// The first branch is reduced before the second is made: two large tensors are alive at once instead of three.
// CHECK:      dnn.relu
// CHECK-NEXT: dnn.reduce_mean
// CHECK-NEXT: dnn.sigmoid
// CHECK-NEXT: dnn.reduce_mean
// CHECK-NEXT: dnn.add
func.func @main(%x: tensor<8x64xf32>) -> tensor<8x1xf32> {
  %a = dnn.relu %x : (tensor<8x64xf32>) -> tensor<8x64xf32>
  %b = dnn.sigmoid %x : (tensor<8x64xf32>) -> tensor<8x64xf32>
  %m = dnn.reduce_mean %a axes = [1] keepdims : (tensor<8x64xf32>) -> tensor<8x1xf32>
  %n = dnn.reduce_mean %b axes = [1] keepdims : (tensor<8x64xf32>) -> tensor<8x1xf32>
  %y = dnn.add %m, %n : (tensor<8x1xf32>, tensor<8x1xf32>) -> tensor<8x1xf32>
  func.return %y : tensor<8x1xf32>
}

// -----

// The same on a schedule, where it is the moves that are put in order: what is read of %p is kept before %q is made.
// CHECK: sched.buffer "a" in <input>
// CHECK: sched.buffer "c" in <input>
// CHECK: sched.buffer "b" in <input>
// CHECK: sched.buffer "d" in <input>
func.func @main() {
  %x = sched.buffer "x" in <inputs> : memref<64xi8>
  %p = sched.buffer "p" in <arena> : memref<64xi8>
  %q = sched.buffer "q" in <arena> : memref<64xi8>
  %r = sched.buffer "r" in <arena> : memref<16xi8>
  %s = sched.buffer "s" in <arena> : memref<16xi8>
  %y = sched.buffer "y" in <outputs> : memref<32xi8>
  %ta = sched.buffer "a" in <input> : memref<64xi8>
  sched.copy %x to %ta at() <[0 size 64 in 64]> : memref<64xi8> to memref<64xi8>
  sched.copy %ta to %p at() <[0 size 64 in 64]> : memref<64xi8> to memref<64xi8>
  %tb = sched.buffer "b" in <input> : memref<64xi8>
  sched.copy %x to %tb at() <[0 size 64 in 64]> : memref<64xi8> to memref<64xi8>
  sched.copy %tb to %q at() <[0 size 64 in 64]> : memref<64xi8> to memref<64xi8>
  %tc = sched.buffer "c" in <input> : memref<16xi8>
  sched.copy %p to %tc at() <[0 size 16 in 64]> : memref<64xi8> to memref<16xi8>
  sched.copy %tc to %r at() <[0 size 16 in 16]> : memref<16xi8> to memref<16xi8>
  %td = sched.buffer "d" in <input> : memref<16xi8>
  sched.copy %q to %td at() <[0 size 16 in 64]> : memref<64xi8> to memref<16xi8>
  sched.copy %td to %s at() <[0 size 16 in 16]> : memref<16xi8> to memref<16xi8>
  %te = sched.buffer "e" in <input> : memref<16xi8>
  sched.copy %r to %te at() <[0 size 16 in 16]> : memref<16xi8> to memref<16xi8>
  sched.copy %te to %y at() <[0 size 16 in 32]> : memref<16xi8> to memref<32xi8>
  %tf = sched.buffer "f" in <input> : memref<16xi8>
  sched.copy %s to %tf at() <[0 size 16 in 16]> : memref<16xi8> to memref<16xi8>
  sched.copy %tf to %y at() <[0 size 16 in 32]> : memref<16xi8> to memref<32xi8>
  func.return
}

// RUN: dnnc-opt %s -p spill | filecheck %s
// RUN: dnnc-opt %s -p spill --print-op-generic | dnnc-opt - | filecheck %s
// RUN: dnnc-opt %s -p spill,plan-memory | filecheck %s --check-prefix PLACED

// The arena has room for %p and one other value but %r, which is twice as large, in between; %p is read at the beginning and
// twice at the end.
// It is copied out after its first reader and back before the other two, which costs less than to read it twice beyond.

// CHECK: sched.buffer "p" in <arena>
// CHECK: sched.compute "b"
// CHECK: sched.copy %bo to %q
// CHECK-NEXT: [[SPILL:%.*]] = sched.buffer "p.spill" in <spill>
// CHECK: [[TILE:%.*]] = sched.buffer "p.spill" in <input>
// CHECK: to [[TILE]] at
// CHECK: sched.copy [[TILE]] to
// CHECK: sched.compute "f"
// CHECK: [[BACK:%.*]] = sched.buffer "p.reload" in <arena>
// CHECK: sched.buffer "p.reload" in <input>
// CHECK: sched.copy [[BACK]] to %gi
// CHECK: sched.compute "g"
// CHECK: sched.copy [[BACK]] to %hi

// PLACED: sched.buffer "p" in <arena> at <0>
// PLACED: sched.buffer "p.spill" in <spill> at <0>
// PLACED: sched.buffer "p.reload" in <arena> at <0>
builtin.module attributes {"arch.target" = #arch.accelerator<{"name" = "test", "description" = "for this test", "clock_mhz" = 500, "array" = {"rows" = 16, "columns" = 16, "depthwise_lanes" = 16, "dataflow" = "weight-stationary", "data_type" = "i8", "accumulator_type" = "i32"}, "memory" = {"scratchpad" = {"bytes" = 160, "holds" = ["input", "weight", "output"], "read_bytes_per_cycle" = 48, "write_bytes_per_cycle" = 32, "byte_pj" = 6.6}, "accumulator" = {"bytes" = 2048, "holds" = ["accumulator"], "read_bytes_per_cycle" = 128, "write_bytes_per_cycle" = 64, "byte_pj" = 3.5}, "parameter" = {"bytes" = 8192, "holds" = ["parameter"], "read_bytes_per_cycle" = 16, "write_bytes_per_cycle" = 8, "byte_pj" = 1.25}}, "dma" = {"channels" = 1, "setup_cycles" = 16, "burst_bytes" = 32, "bytes_per_cycle" = 8, "decoders" = ["dense"]}, "ppu" = {"lanes" = 16, "setup_cycles" = 8}, "queues" = {"entries" = 64, "token_depth" = 16, "dispatch_cycles" = 1}, "dram" = {"bytes" = 1073741824, "arena_bytes" = 64}, "energy" = {"source" = "none", "mac_pj" = 0.3, "dram_byte_pj" = 162.5}}>} {
  func.func @main() {
    %x = sched.buffer "x" in <inputs> : memref<1x1x4x8xi8>
    %p = sched.buffer "p" in <arena> : memref<1x1x4x8xi8>
    %q = sched.buffer "q" in <arena> : memref<1x1x4x8xi8>
    %r = sched.buffer "r" in <arena> : memref<1x1x8x8xi8>
    %s = sched.buffer "s" in <arena> : memref<1x1x4x8xi8>
    %t = sched.buffer "t" in <arena> : memref<1x1x4x8xi8>
    %w = sched.buffer "w" in <outputs> : memref<1x1x4x8xi8>
    %y = sched.buffer "y" in <outputs> : memref<1x1x4x8xi8>
    %z = sched.buffer "z" in <outputs> : memref<1x1x4x8xi8>
    %ai = sched.buffer "a.input" in <input> : memref<1x4x8xi8>
    %ao = sched.buffer "a.output" in <output> : memref<1x4x8xi8>
    sched.copy %x to %ai at() <[0 size 4 in 4, 0 size 8 in 8]> : memref<1x1x4x8xi8> to memref<1x4x8xi8>
    sched.compute "a" on %ai, %ao as ["input", "output"] at() <[0 size 1 in 1, 0 size 1 in 1, 0 size 1 in 1, 0 size 4 in 4, 0 size 1 in 1]> {
    ^bb0(%0: tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>):
      %1 = dnn.relu %0 : (tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>
      dnn.yield %1 : tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>
    } : memref<1x4x8xi8>, memref<1x4x8xi8>
    sched.copy %ao to %p at() <[0 size 4 in 4, 0 size 8 in 8]> : memref<1x4x8xi8> to memref<1x1x4x8xi8>
    %bi = sched.buffer "b.input" in <input> : memref<1x4x8xi8>
    %bo = sched.buffer "b.output" in <output> : memref<1x4x8xi8>
    sched.copy %p to %bi at() <[0 size 4 in 4, 0 size 8 in 8]> : memref<1x1x4x8xi8> to memref<1x4x8xi8>
    sched.compute "b" on %bi, %bo as ["input", "output"] at() <[0 size 1 in 1, 0 size 1 in 1, 0 size 1 in 1, 0 size 4 in 4, 0 size 1 in 1]> {
    ^bb0(%0: tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>):
      %1 = dnn.relu %0 : (tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>
      dnn.yield %1 : tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>
    } : memref<1x4x8xi8>, memref<1x4x8xi8>
    sched.copy %bo to %q at() <[0 size 4 in 4, 0 size 8 in 8]> : memref<1x4x8xi8> to memref<1x1x4x8xi8>
    %ci = sched.buffer "c.input" in <input> : memref<1x4x8xi8>
    %co = sched.buffer "c.output" in <output> : memref<1x4x8xi8>
    sched.copy %q to %ci at() <[0 size 4 in 4, 0 size 8 in 8]> : memref<1x1x4x8xi8> to memref<1x4x8xi8>
    sched.compute "c" on %ci, %co as ["input", "output"] at() <[0 size 1 in 1, 0 size 1 in 1, 0 size 1 in 1, 0 size 4 in 4, 0 size 1 in 1]> {
    ^bb0(%0: tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>):
      %1 = dnn.relu %0 : (tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>
      dnn.yield %1 : tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>
    } : memref<1x4x8xi8>, memref<1x4x8xi8>
    sched.copy %co to %r at() <[0 size 8 in 8, 0 size 8 in 8]> : memref<1x4x8xi8> to memref<1x1x8x8xi8>
    %di = sched.buffer "d.input" in <input> : memref<1x4x8xi8>
    %do = sched.buffer "d.output" in <output> : memref<1x4x8xi8>
    sched.copy %r to %di at() <[0 size 8 in 8, 0 size 8 in 8]> : memref<1x1x8x8xi8> to memref<1x4x8xi8>
    sched.compute "d" on %di, %do as ["input", "output"] at() <[0 size 1 in 1, 0 size 1 in 1, 0 size 1 in 1, 0 size 4 in 4, 0 size 1 in 1]> {
    ^bb0(%0: tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>):
      %1 = dnn.relu %0 : (tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>
      dnn.yield %1 : tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>
    } : memref<1x4x8xi8>, memref<1x4x8xi8>
    sched.copy %do to %s at() <[0 size 4 in 4, 0 size 8 in 8]> : memref<1x4x8xi8> to memref<1x1x4x8xi8>
    %ei = sched.buffer "e.input" in <input> : memref<1x4x8xi8>
    %eo = sched.buffer "e.output" in <output> : memref<1x4x8xi8>
    sched.copy %s to %ei at() <[0 size 4 in 4, 0 size 8 in 8]> : memref<1x1x4x8xi8> to memref<1x4x8xi8>
    sched.compute "e" on %ei, %eo as ["input", "output"] at() <[0 size 1 in 1, 0 size 1 in 1, 0 size 1 in 1, 0 size 4 in 4, 0 size 1 in 1]> {
    ^bb0(%0: tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>):
      %1 = dnn.relu %0 : (tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>
      dnn.yield %1 : tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>
    } : memref<1x4x8xi8>, memref<1x4x8xi8>
    sched.copy %eo to %t at() <[0 size 4 in 4, 0 size 8 in 8]> : memref<1x4x8xi8> to memref<1x1x4x8xi8>
    %fi = sched.buffer "f.input" in <input> : memref<1x4x8xi8>
    %fo = sched.buffer "f.output" in <output> : memref<1x4x8xi8>
    sched.copy %t to %fi at() <[0 size 4 in 4, 0 size 8 in 8]> : memref<1x1x4x8xi8> to memref<1x4x8xi8>
    sched.compute "f" on %fi, %fo as ["input", "output"] at() <[0 size 1 in 1, 0 size 1 in 1, 0 size 1 in 1, 0 size 4 in 4, 0 size 1 in 1]> {
    ^bb0(%0: tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>):
      %1 = dnn.relu %0 : (tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>
      dnn.yield %1 : tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>
    } : memref<1x4x8xi8>, memref<1x4x8xi8>
    sched.copy %fo to %w at() <[0 size 4 in 4, 0 size 8 in 8]> : memref<1x4x8xi8> to memref<1x1x4x8xi8>
    %gi = sched.buffer "g.input" in <input> : memref<1x4x8xi8>
    %go = sched.buffer "g.output" in <output> : memref<1x4x8xi8>
    sched.copy %p to %gi at() <[0 size 4 in 4, 0 size 8 in 8]> : memref<1x1x4x8xi8> to memref<1x4x8xi8>
    sched.compute "g" on %gi, %go as ["input", "output"] at() <[0 size 1 in 1, 0 size 1 in 1, 0 size 1 in 1, 0 size 4 in 4, 0 size 1 in 1]> {
    ^bb0(%0: tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>):
      %1 = dnn.relu %0 : (tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>
      dnn.yield %1 : tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>
    } : memref<1x4x8xi8>, memref<1x4x8xi8>
    sched.copy %go to %y at() <[0 size 4 in 4, 0 size 8 in 8]> : memref<1x4x8xi8> to memref<1x1x4x8xi8>
    %hi = sched.buffer "h.input" in <input> : memref<1x4x8xi8>
    %ho = sched.buffer "h.output" in <output> : memref<1x4x8xi8>
    sched.copy %p to %hi at() <[0 size 4 in 4, 0 size 8 in 8]> : memref<1x1x4x8xi8> to memref<1x4x8xi8>
    sched.compute "h" on %hi, %ho as ["input", "output"] at() <[0 size 1 in 1, 0 size 1 in 1, 0 size 1 in 1, 0 size 4 in 4, 0 size 1 in 1]> {
    ^bb0(%0: tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>):
      %1 = dnn.relu %0 : (tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>
      dnn.yield %1 : tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>
    } : memref<1x4x8xi8>, memref<1x4x8xi8>
    sched.copy %ho to %z at() <[0 size 4 in 4, 0 size 8 in 8]> : memref<1x4x8xi8> to memref<1x1x4x8xi8>
    func.return
  }
}

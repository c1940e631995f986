// RUN: dnnc-opt %s -p plan-memory --split-input-file | filecheck %s
// RUN: dnnc-opt %s -p plan-memory --split-input-file --print-op-generic | dnnc-opt - --split-input-file | filecheck %s

// Two layers: what they hold on chip shares bytes, since one ends before the other starts; the arena keeps %h for both.

// CHECK: sched.buffer "x" in <inputs> at <0>
// CHECK: sched.buffer "h" in <arena> at <0>
// CHECK: sched.buffer "y" in <outputs> at <0>
// CHECK: sched.buffer "a.input" in <input> at <0>
// CHECK: sched.buffer "a.output" in <output> at <32>
// CHECK: sched.buffer "b.input" in <input> at <0> copies <2>
// CHECK: sched.buffer "b.output" in <output> at <64>
builtin.module attributes {"arch.target" = #arch.accelerator<{"name" = "test", "description" = "for this test", "clock_mhz" = 500, "array" = {"rows" = 16, "columns" = 16, "depthwise_lanes" = 16, "dataflow" = "weight-stationary", "data_type" = "i8", "accumulator_type" = "i32"}, "memory" = {"scratchpad" = {"bytes" = 160, "holds" = ["input", "weight", "output"], "read_bytes_per_cycle" = 48, "write_bytes_per_cycle" = 32, "byte_pj" = 6.6}, "accumulator" = {"bytes" = 2048, "holds" = ["accumulator"], "read_bytes_per_cycle" = 128, "write_bytes_per_cycle" = 64, "byte_pj" = 3.5}, "parameter" = {"bytes" = 8192, "holds" = ["parameter"], "read_bytes_per_cycle" = 16, "write_bytes_per_cycle" = 8, "byte_pj" = 1.25}}, "dma" = {"channels" = 1, "setup_cycles" = 16, "burst_bytes" = 32, "bytes_per_cycle" = 8, "decoders" = ["dense"]}, "ppu" = {"lanes" = 16, "setup_cycles" = 8}, "queues" = {"entries" = 64, "token_depth" = 16, "dispatch_cycles" = 1}, "dram" = {"bytes" = 1073741824}, "energy" = {"source" = "none", "mac_pj" = 0.3, "dram_byte_pj" = 162.5}}>} {
  func.func @main() {
    %x = sched.buffer "x" in <inputs> : memref<1x1x4x8xi8>
    %h = sched.buffer "h" in <arena> : memref<1x1x4x8xi8>
    %y = sched.buffer "y" in <outputs> : memref<1x1x4x8xi8>
    %ai = sched.buffer "a.input" in <input> : memref<1x4x8xi8>
    %ao = sched.buffer "a.output" in <output> : memref<1x4x8xi8>
    sched.copy %x to %ai at() <[0 size 4 in 4, 0 size 8 in 8]> : memref<1x1x4x8xi8> to memref<1x4x8xi8>
    sched.compute "a" on %ai, %ao as ["input", "output"] at() <[0 size 1 in 1, 0 size 1 in 1, 0 size 1 in 1, 0 size 4 in 4, 0 size 1 in 1]> {
    ^bb0(%0: tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>):
      %1 = dnn.relu %0 : (tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>
      dnn.yield %1 : tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>
    } : memref<1x4x8xi8>, memref<1x4x8xi8>
    sched.copy %ao to %h at() <[0 size 4 in 4, 0 size 8 in 8]> : memref<1x4x8xi8> to memref<1x1x4x8xi8>
    %bi = sched.buffer "b.input" in <input> copies <2> : memref<1x4x8xi8>
    %bo = sched.buffer "b.output" in <output> : memref<1x4x8xi8>
    sched.copy %h to %bi at() <[0 size 4 in 4, 0 size 8 in 8]> : memref<1x1x4x8xi8> to memref<1x4x8xi8>
    sched.compute "b" on %bi, %bo as ["input", "output"] at() <[0 size 1 in 1, 0 size 1 in 1, 0 size 1 in 1, 0 size 4 in 4, 0 size 1 in 1]> {
    ^bb0(%2: tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>):
      %3 = dnn.relu %2 : (tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>
      dnn.yield %3 : tensor<1x1x4x8x!dnn.q<i8, 0.5, 3>>
    } : memref<1x4x8xi8>, memref<1x4x8xi8>
    sched.copy %bo to %y at() <[0 size 4 in 4, 0 size 8 in 8]> : memref<1x4x8xi8> to memref<1x1x4x8xi8>
    func.return
  }
}

// -----

// Rows of %g are stored where those of %f were that they are made of: %f dies there, and nothing is read late. What %f was made
// of is loaded at once, so that %f lies where it did.

// CHECK: sched.buffer "e" in <arena> at <0>
// CHECK: [[F:%.*]] = sched.buffer "f" in <arena> at <0>
// CHECK: sched.buffer "g" in <arena> at <0> : memref<1x1x4x8xi8> over [[F]] : memref<1x1x4x8xi8>
builtin.module attributes {"arch.target" = #arch.accelerator<{"name" = "test", "description" = "for this test", "clock_mhz" = 500, "array" = {"rows" = 16, "columns" = 16, "depthwise_lanes" = 16, "dataflow" = "weight-stationary", "data_type" = "i8", "accumulator_type" = "i32"}, "memory" = {"scratchpad" = {"bytes" = 160, "holds" = ["input", "weight", "output"], "read_bytes_per_cycle" = 48, "write_bytes_per_cycle" = 32, "byte_pj" = 6.6}, "accumulator" = {"bytes" = 2048, "holds" = ["accumulator"], "read_bytes_per_cycle" = 128, "write_bytes_per_cycle" = 64, "byte_pj" = 3.5}, "parameter" = {"bytes" = 8192, "holds" = ["parameter"], "read_bytes_per_cycle" = 16, "write_bytes_per_cycle" = 8, "byte_pj" = 1.25}}, "dma" = {"channels" = 1, "setup_cycles" = 16, "burst_bytes" = 32, "bytes_per_cycle" = 8, "decoders" = ["dense"]}, "ppu" = {"lanes" = 16, "setup_cycles" = 8}, "queues" = {"entries" = 64, "token_depth" = 16, "dispatch_cycles" = 1}, "dram" = {"bytes" = 1073741824}, "energy" = {"source" = "none", "mac_pj" = 0.3, "dram_byte_pj" = 162.5}}>} {
  func.func @main() {
    %e = sched.buffer "e" in <arena> : memref<1x1x4x8xi8>
    %f = sched.buffer "f" in <arena> : memref<1x1x4x8xi8>
    %g = sched.buffer "g" in <arena> : memref<1x1x4x8xi8>
    %y = sched.buffer "y" in <outputs> : memref<1x1x4x8xi8>
    %x = sched.buffer "x" in <inputs> : memref<1x1x4x8xi8>
    %at = sched.buffer "a" in <input> : memref<1x4x8xi8>
    sched.copy %x to %at at() <[0 size 1 in 1, 0 size 1 in 1, 0 size 4 in 4, 0 size 8 in 8]> : memref<1x1x4x8xi8> to memref<1x4x8xi8>
    sched.copy %at to %e at() <[0 size 1 in 1, 0 size 1 in 1, 0 size 4 in 4, 0 size 8 in 8]> : memref<1x4x8xi8> to memref<1x1x4x8xi8>
    %bt = sched.buffer "b" in <input> : memref<1x4x8xi8>
    sched.copy %e to %bt at() <[0 size 1 in 1, 0 size 1 in 1, 0 size 4 in 4, 0 size 8 in 8]> : memref<1x1x4x8xi8> to memref<1x4x8xi8>
    sched.copy %bt to %f at() <[0 size 1 in 1, 0 size 1 in 1, 0 size 4 in 4, 0 size 8 in 8]> : memref<1x4x8xi8> to memref<1x1x4x8xi8>
    %ct = sched.buffer "c" in <input> copies <2> : memref<1x2x8xi8>
    sched.loop %i = 0 to 4 step 2 {
      sched.copy %f to %ct at(%i) <[0 size 1 in 1, 0 size 1 in 1, 0 step 1 of 0 size 2 in 4, 0 size 8 in 8]> : memref<1x1x4x8xi8> to memref<1x2x8xi8>
      sched.copy %ct to %g at(%i) <[0 size 1 in 1, 0 size 1 in 1, 0 step 1 of 0 size 2 in 4, 0 size 8 in 8]> : memref<1x2x8xi8> to memref<1x1x4x8xi8>
    }
    %dt = sched.buffer "d" in <input> : memref<1x4x8xi8>
    sched.copy %g to %dt at() <[0 size 1 in 1, 0 size 1 in 1, 0 size 4 in 4, 0 size 8 in 8]> : memref<1x1x4x8xi8> to memref<1x4x8xi8>
    sched.copy %dt to %y at() <[0 size 1 in 1, 0 size 1 in 1, 0 size 4 in 4, 0 size 8 in 8]> : memref<1x4x8xi8> to memref<1x1x4x8xi8>
    func.return
  }
}

// RUN: dnnc-opt %s -p tile | filecheck %s
// RUN: dnnc-opt %s -p tile --print-op-generic | dnnc-opt - | filecheck %s

// A pool too large for the 112 bytes of scratchpad is cut by rows; quantize and dequantize stay on the host.

// CHECK-LABEL: func.func @prologue
// CHECK: dnn.quantize
// CHECK-LABEL: func.func @epilogue
// CHECK: dnn.dequantize
// CHECK-LABEL: func.func @main() {
// CHECK: [[X:%[0-9]+]] = sched.buffer "x" in <inputs> : memref<1x2x8x8x
// CHECK: [[Y:%[0-9]+]] = sched.buffer "{{[^"]*}}" in <outputs> : memref<1x2x4x4x
// CHECK: [[XT:%[0-9]+]] = sched.buffer "{{[^"]*}}.input" in <input> : memref<2x4x8xi8>
// CHECK: [[YT:%[0-9]+]] = sched.buffer "{{[^"]*}}.output" in <output> copies <2> : memref<2x2x4xi8>
// CHECK: sched.loop [[S:%[0-9a-z]+]] = 0 to 4 step 2 {
// CHECK-NEXT: sched.copy [[X]] to [[XT]] at([[S]]) <[0 size 1 in 1, 0 size 1 in 1, 0 size 2 in 2, 0 step 2 of 0 size 4 in 8, 0 size 8 in 8]>
// CHECK-NEXT: sched.compute "{{[^"]*}}" on [[XT]], [[YT]] as ["input", "output"] at([[S]]) <[0 size 1 in 1, 0 size 1 in 1, 0 size 2 in 2, 0 step 1 of 0 size 2 in 4, 0 size 1 in 1]>
// CHECK: dnn.max_pool
// CHECK: sched.copy [[YT]] to [[Y]] at([[S]]) <[0 size 1 in 1, 0 size 1 in 1, 0 size 2 in 2, 0 step 1 of 0 size 2 in 4, 0 size 4 in 4]>
builtin.module attributes {"arch.target" = #arch.accelerator<{"name" = "test", "description" = "for this test", "clock_mhz" = 500, "array" = {"rows" = 16, "columns" = 16, "depthwise_lanes" = 16, "dataflow" = "weight-stationary", "data_type" = "i8", "accumulator_type" = "i32"}, "memory" = {"scratchpad" = {"bytes" = 112, "holds" = ["input", "weight", "output"], "read_bytes_per_cycle" = 48, "write_bytes_per_cycle" = 32, "byte_pj" = 6.6}, "accumulator" = {"bytes" = 2048, "holds" = ["accumulator"], "read_bytes_per_cycle" = 128, "write_bytes_per_cycle" = 64, "byte_pj" = 3.5}, "parameter" = {"bytes" = 8192, "holds" = ["parameter"], "read_bytes_per_cycle" = 16, "write_bytes_per_cycle" = 8, "byte_pj" = 1.25}}, "dma" = {"channels" = 1, "setup_cycles" = 16, "burst_bytes" = 32, "bytes_per_cycle" = 8, "decoders" = ["dense"]}, "ppu" = {"lanes" = 16, "setup_cycles" = 8}, "queues" = {"entries" = 64, "token_depth" = 16, "dispatch_cycles" = 1}, "dram" = {"bytes" = 1073741824}, "energy" = {"source" = "none", "mac_pj" = 0.3, "dram_byte_pj" = 162.5}}>} {
  func.func @main(%x: tensor<1x2x8x8xf32>) -> tensor<1x2x4x4xf32> {
    %0 = dnn.quantize %x to = !dnn.q<i8, 0.5, 3> : (tensor<1x2x8x8xf32>) -> tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>
    %1 = dnn.group [%0] {
    ^bb0(%2: tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>):
      %3 = dnn.max_pool %2 window = <[2, 2], stride [2, 2]> : (tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>
      dnn.yield %3 : tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>
    } : (tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>
    %4 = dnn.dequantize %1 : (tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x4x4xf32>
    func.return %4 : tensor<1x2x4x4xf32>
  }
}

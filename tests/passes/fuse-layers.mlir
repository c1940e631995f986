// RUN: dnnc-opt %s -p fuse-layers | filecheck %s
// RUN: dnnc-opt %s -p fuse-layers{layers=1} | filecheck %s --check-prefix ALONE
// RUN: dnnc-opt %s -p fuse-layers,tile,plan-memory | filecheck %s --check-prefix STEPS

// What the first pool hands on stays on chip: the 128 bytes of it are not moved.
// CHECK-LABEL: func.func @main
// CHECK: dnn.group [%{{[0-9]+}}] {
// CHECK-NEXT: ^bb0
// CHECK-NEXT: dnn.group [%{{[0-9]+}}] {
// CHECK: dnn.max_pool
// CHECK: dnn.group [%{{[0-9]+}}] {
// CHECK: dnn.max_pool
// CHECK: } attributes {dnn.steps = #dnn.ints<[4, 4, 0]>}
// ALONE-LABEL: func.func @main
// ALONE-NOT: dnn.steps

// STEPS-LABEL: func.func @main() {
// STEPS: [[X:%[0-9]+]] = sched.buffer "x" in <inputs>
// STEPS: [[Y:%[0-9]+]] = sched.buffer "{{[^"]*}}" in <outputs>
// STEPS: [[XT:%[0-9]+]] = sched.buffer "{{[^"]*}}.input" in <input> at <128> : memref<8x2x8xi8>
// STEPS-NEXT: [[A:%[0-9]+]] = sched.buffer "{{[^"]*}}.output" in <input> at <0> : memref<8x2x8xi8>
// STEPS-NEXT: [[YT:%[0-9]+]] = sched.buffer "{{[^"]*}}.output" in <input> at <128> : memref<4x2x4xi8>
// STEPS-NEXT: sched.copy [[X]] to [[XT]] at() <[0 size 1 in 1, 0 size 2 in 2, 0 size 8 in 8, 0 size 8 in 8]> holding <[0 size 8 in 8, 0 size 8 in 8]>
// STEPS: sched.compute "{{[^"]*}}" on [[XT]], [[A]] as ["input", "output"]
// STEPS: sched.compute "{{[^"]*}}" on [[A]], [[YT]] as ["input", "output"]
// STEPS: sched.copy [[YT]] to [[Y]] at()
builtin.module attributes {"arch.target" = #arch.accelerator<{"name" = "test", "description" = "for this test", "clock_mhz" = 500, "array" = {"rows" = 16, "columns" = 16, "depthwise_lanes" = 16, "dataflow" = "weight-stationary", "data_type" = "i8", "accumulator_type" = "i32"}, "memory" = {"scratchpad" = {"bytes" = 400, "holds" = ["input", "weight", "output"], "read_bytes_per_cycle" = 48, "write_bytes_per_cycle" = 32, "byte_pj" = 6.6}, "accumulator" = {"bytes" = 2048, "holds" = ["accumulator"], "read_bytes_per_cycle" = 128, "write_bytes_per_cycle" = 64, "byte_pj" = 3.5}, "parameter" = {"bytes" = 8192, "holds" = ["parameter"], "read_bytes_per_cycle" = 16, "write_bytes_per_cycle" = 8, "byte_pj" = 1.25}}, "dma" = {"channels" = 1, "setup_cycles" = 16, "burst_bytes" = 32, "bytes_per_cycle" = 8, "decoders" = ["dense"]}, "ppu" = {"lanes" = 16, "setup_cycles" = 8}, "queues" = {"entries" = 64, "token_depth" = 16, "dispatch_cycles" = 1}, "dram" = {"bytes" = 1073741824}, "energy" = {"source" = "none", "mac_pj" = 0.3, "dram_byte_pj" = 162.5}}>} {
  func.func @main(%x: tensor<1x2x8x8xf32>) -> tensor<1x2x4x4xf32> {
    %0 = dnn.quantize %x to = !dnn.q<i8, 0.5, 3> : (tensor<1x2x8x8xf32>) -> tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>
    %1 = dnn.group [%0] {
    ^bb0(%2: tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>):
      %3 = dnn.max_pool %2 window = <[3, 3], pad [1, 1, 1, 1]> : (tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>
      dnn.yield %3 : tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>
    } : (tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>
    %4 = dnn.group [%1] {
    ^bb0(%5: tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>):
      %6 = dnn.max_pool %5 window = <[2, 2], stride [2, 2]> : (tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>
      dnn.yield %6 : tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>
    } : (tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>
    %7 = dnn.dequantize %4 : (tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x4x4xf32>
    func.return %7 : tensor<1x2x4x4xf32>
  }
}

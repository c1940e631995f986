// RUN: dnnc-opt %s -p keep-on-chip | filecheck %s
// RUN: dnnc-opt %s -p keep-on-chip{room=0} | filecheck %s --check-prefix NONE
// RUN: dnnc-opt %s -p keep-on-chip,tile,plan-memory | filecheck %s --check-prefix PLACED

// What the first pool makes, the second reads where it lies; what the host reads is stored.
// CHECK-LABEL: func.func @main
// CHECK: dnn.group
// CHECK: } attributes {dnn.on_chip}
// CHECK: dnn.group
// CHECK-NOT: dnn.on_chip
// NONE-NOT: dnn.on_chip

// PLACED-LABEL: func.func @main() {
// PLACED: [[K:%[0-9]+]] = sched.buffer "{{[^"]*}}" in <output> at <{{[0-9]+}}> : memref<1x2x8x8x
// PLACED-NEXT: [[V:%[0-9]+]] = sched.view [[K]]
// PLACED: sched.compute "{{[^"]*}}" on %{{[0-9]+}}, [[V]] as ["input", "output"]
// PLACED: sched.compute "{{[^"]*}}" on %{{[0-9]+}}, [[V]] as ["output", "input"]
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

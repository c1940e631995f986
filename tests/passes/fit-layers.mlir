// RUN: dnnc-opt %s -p fit-layers --split-input-file | filecheck %s

// Three rows of 34 columns, and one to write, are more than 96 bytes: the layer runs in parts of its rows.
// CHECK-LABEL: func.func @main(%x: tensor<1x2x4x32xf32>)
// CHECK: dnn.group
// CHECK: dnn.group
// CHECK: dnn.max_pool
// CHECK: dnn.steps = #dnn.ints<[4, 4, 0]>
builtin.module attributes {"arch.target" = #arch.accelerator<{"name" = "test", "description" = "for this test", "clock_mhz" = 500, "array" = {"rows" = 16, "columns" = 16, "depthwise_lanes" = 16, "dataflow" = "weight-stationary", "data_type" = "i8", "accumulator_type" = "i32"}, "memory" = {"scratchpad" = {"bytes" = 96, "holds" = ["input", "weight", "output"], "read_bytes_per_cycle" = 48, "write_bytes_per_cycle" = 32, "byte_pj" = 6.6}, "accumulator" = {"bytes" = 2048, "holds" = ["accumulator"], "read_bytes_per_cycle" = 128, "write_bytes_per_cycle" = 64, "byte_pj" = 3.5}, "parameter" = {"bytes" = 8192, "holds" = ["parameter"], "read_bytes_per_cycle" = 16, "write_bytes_per_cycle" = 8, "byte_pj" = 1.25}}, "dma" = {"channels" = 1, "setup_cycles" = 16, "burst_bytes" = 32, "bytes_per_cycle" = 8, "decoders" = ["dense"]}, "ppu" = {"lanes" = 16, "setup_cycles" = 8}, "queues" = {"entries" = 64, "token_depth" = 16, "dispatch_cycles" = 1}, "dram" = {"bytes" = 1073741824}, "energy" = {"source" = "none", "mac_pj" = 0.3, "dram_byte_pj" = 162.5}}>} {
  func.func @main(%x: tensor<1x2x4x32xf32>) -> tensor<1x2x4x32xf32> {
    %0 = dnn.quantize %x to = !dnn.q<i8, 0.5, 3> : (tensor<1x2x4x32xf32>) -> tensor<1x2x4x32x!dnn.q<i8, 0.5, 3>>
    %1 = dnn.group [%0] {
    ^bb0(%2: tensor<1x2x4x32x!dnn.q<i8, 0.5, 3>>):
      %3 = dnn.max_pool %2 window = <[3, 3], pad [1, 1, 1, 1]> : (tensor<1x2x4x32x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x4x32x!dnn.q<i8, 0.5, 3>>
      dnn.yield %3 : tensor<1x2x4x32x!dnn.q<i8, 0.5, 3>>
    } : (tensor<1x2x4x32x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x4x32x!dnn.q<i8, 0.5, 3>>
    %7 = dnn.dequantize %1 : (tensor<1x2x4x32x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x4x32xf32>
    func.return %7 : tensor<1x2x4x32xf32>
  }
}
// -----

// All of it at once is more than 200 bytes: other steps do.
// CHECK-LABEL: func.func @main(%x: tensor<1x2x8x8xf32>)
// CHECK: dnn.steps = #dnn.ints<[3, 8, 0]>
builtin.module attributes {"arch.target" = #arch.accelerator<{"name" = "test", "description" = "for this test", "clock_mhz" = 500, "array" = {"rows" = 16, "columns" = 16, "depthwise_lanes" = 16, "dataflow" = "weight-stationary", "data_type" = "i8", "accumulator_type" = "i32"}, "memory" = {"scratchpad" = {"bytes" = 200, "holds" = ["input", "weight", "output"], "read_bytes_per_cycle" = 48, "write_bytes_per_cycle" = 32, "byte_pj" = 6.6}, "accumulator" = {"bytes" = 2048, "holds" = ["accumulator"], "read_bytes_per_cycle" = 128, "write_bytes_per_cycle" = 64, "byte_pj" = 3.5}, "parameter" = {"bytes" = 8192, "holds" = ["parameter"], "read_bytes_per_cycle" = 16, "write_bytes_per_cycle" = 8, "byte_pj" = 1.25}}, "dma" = {"channels" = 1, "setup_cycles" = 16, "burst_bytes" = 32, "bytes_per_cycle" = 8, "decoders" = ["dense"]}, "ppu" = {"lanes" = 16, "setup_cycles" = 8}, "queues" = {"entries" = 64, "token_depth" = 16, "dispatch_cycles" = 1}, "dram" = {"bytes" = 1073741824}, "energy" = {"source" = "none", "mac_pj" = 0.3, "dram_byte_pj" = 162.5}}>} {
  func.func @main(%x: tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32> {
    %0 = dnn.quantize %x to = !dnn.q<i8, 0.5, 3> : (tensor<1x2x8x8xf32>) -> tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>
    %1 = dnn.group [%0] {
    ^bb0(%2: tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>):
      %3 = dnn.group [%2] {
      ^bb0(%4: tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>):
        %5 = dnn.max_pool %4 window = <[3, 3], pad [1, 1, 1, 1]> : (tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>
        dnn.yield %5 : tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>
      } : (tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>
      %6 = dnn.group [%3] {
      ^bb0(%7: tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>):
        %8 = dnn.max_pool %7 window = <[3, 3], pad [1, 1, 1, 1]> : (tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>
        dnn.yield %8 : tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>
      } : (tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>
      dnn.yield %6 : tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>
    } attributes {dnn.steps = #dnn.ints<[8, 8, 0]>} : (tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>
    %9 = dnn.dequantize %1 : (tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x8x8xf32>
    func.return %9 : tensor<1x2x8x8xf32>
  }
}
// -----

// Nothing does in 80 bytes: the layers run one by one.
// CHECK-LABEL: func.func @main(%x: tensor<1x2x8x8xf32>)
// CHECK-NOT: dnn.steps
builtin.module attributes {"arch.target" = #arch.accelerator<{"name" = "test", "description" = "for this test", "clock_mhz" = 500, "array" = {"rows" = 16, "columns" = 16, "depthwise_lanes" = 16, "dataflow" = "weight-stationary", "data_type" = "i8", "accumulator_type" = "i32"}, "memory" = {"scratchpad" = {"bytes" = 80, "holds" = ["input", "weight", "output"], "read_bytes_per_cycle" = 48, "write_bytes_per_cycle" = 32, "byte_pj" = 6.6}, "accumulator" = {"bytes" = 2048, "holds" = ["accumulator"], "read_bytes_per_cycle" = 128, "write_bytes_per_cycle" = 64, "byte_pj" = 3.5}, "parameter" = {"bytes" = 8192, "holds" = ["parameter"], "read_bytes_per_cycle" = 16, "write_bytes_per_cycle" = 8, "byte_pj" = 1.25}}, "dma" = {"channels" = 1, "setup_cycles" = 16, "burst_bytes" = 32, "bytes_per_cycle" = 8, "decoders" = ["dense"]}, "ppu" = {"lanes" = 16, "setup_cycles" = 8}, "queues" = {"entries" = 64, "token_depth" = 16, "dispatch_cycles" = 1}, "dram" = {"bytes" = 1073741824}, "energy" = {"source" = "none", "mac_pj" = 0.3, "dram_byte_pj" = 162.5}}>} {
  func.func @main(%x: tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32> {
    %0 = dnn.quantize %x to = !dnn.q<i8, 0.5, 3> : (tensor<1x2x8x8xf32>) -> tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>
    %1 = dnn.group [%0] {
    ^bb0(%2: tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>):
      %3 = dnn.group [%2] {
      ^bb0(%4: tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>):
        %5 = dnn.max_pool %4 window = <[3, 3], pad [1, 1, 1, 1]> : (tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>
        dnn.yield %5 : tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>
      } : (tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>
      %6 = dnn.group [%3] {
      ^bb0(%7: tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>):
        %8 = dnn.max_pool %7 window = <[3, 3], pad [1, 1, 1, 1]> : (tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>
        dnn.yield %8 : tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>
      } : (tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>
      dnn.yield %6 : tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>
    } attributes {dnn.steps = #dnn.ints<[8, 8, 0]>} : (tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>
    %9 = dnn.dequantize %1 : (tensor<1x2x8x8x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x8x8xf32>
    func.return %9 : tensor<1x2x8x8xf32>
  }
}

// RUN: dnnc-opt %s -p quantize,quantize-lower,fuse-groups,tile,encode-weights | filecheck %s
// RUN: dnnc-opt %s -p quantize,quantize-lower,fuse-groups,tile,encode-weights --print-op-generic | dnnc-opt - | filecheck %s

// 26 zeros, five of 127 and one of -127: with k = 5 a value takes 6 bits, and those that are not zero 7 more. The block has
// a byte for k, 20 of low bits and 10 in unary.
// CHECK-LABEL: func.func @main() {
// CHECK: [[W:%[0-9]+]] = sched.buffer "{{[^"]*}}.rice" in <weights> constant <"{{[^"]*}}.rice"> : memref<31xui8>
// CHECK: sched.copy [[W]] to
// CHECK-SAME: decoder <rice> <[4, 8] as [31]>
// CHECK: sched.compute
builtin.module attributes {arch.target = #arch.accelerator<{"name" = "test", "description" = "for this test", "clock_mhz" = 500, "array" = {"rows" = 8, "columns" = 16, "depthwise_lanes" = 8, "dataflow" = "adder-tree", "data_type" = "i8", "accumulator_type" = "i32"}, "memory" = {"sram" = {"bytes" = 393216, "holds" = ["input", "weight", "output"], "read_bytes_per_cycle" = 144, "write_bytes_per_cycle" = 16, "byte_pj" = 7.7}, "accumulator" = {"bytes" = 16384, "holds" = ["accumulator"], "read_bytes_per_cycle" = 64, "write_bytes_per_cycle" = 64, "byte_pj" = 1.7}, "parameter" = {"bytes" = 8192, "holds" = ["parameter"], "read_bytes_per_cycle" = 16, "write_bytes_per_cycle" = 8, "byte_pj" = 1.25}}, "dma" = {"channels" = 2, "setup_cycles" = 32, "burst_bytes" = 32, "bytes_per_cycle" = 8, "decoders" = ["dense", "rice"], "constant_bytes_per_cycle" = 1}, "ppu" = {"lanes" = 8, "setup_cycles" = 8}, "queues" = {"entries" = 32, "token_depth" = 8, "dispatch_cycles" = 1}, "dram" = {"bytes" = 1073741824}, "energy" = {"source" = "M. Horowitz, Computing's energy problem, ISSCC 2014, 45 nm 0.9 V", "mac_pj" = 0.3, "dram_byte_pj" = 162.5}}>} {
  func.func @main(%x: tensor<1x8xf32> {dnn.range = #dnn.reals<[-1.0, 1.0]>}) -> tensor<1x4xf32> {
    %w = dnn.const value = dense<[[0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]]> : tensor<4x8xf32> : () -> tensor<4x8xf32>
    %y = dnn.matmul %x, %w trans_b attributes {dnn.range = #dnn.reals<[-2.0, 2.0]>} : (tensor<1x8xf32>, tensor<4x8xf32>) -> tensor<1x4xf32>
    func.return %y : tensor<1x4xf32>
  }
}

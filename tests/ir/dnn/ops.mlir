// Every operation in its custom form, and once more by way of the generic form: what is printed is what was written.
// RUN: dnnc-opt %s | filecheck %s
// RUN: dnnc-opt %s --print-op-generic | dnnc-opt | filecheck %s

// CHECK: !q0 = !dnn.q<i8, axis 0, [0.5, 0.25, 0.125, 0.0625]>
!q0 = !dnn.q<i8, axis 0, [0.5, 0.25, 0.125, 0.0625]>
// CHECK: !q1 = !dnn.q<i32, axis 1, [0.05, 0.025, 0.0125, 0.00625]>
!q1 = !dnn.q<i32, axis 1, [0.05, 0.025, 0.0125, 0.00625]>
// CHECK: !q2 = !dnn.q<i32, axis 1, [0.001, 3.0e-09, 0.5, 1.25]>
!q2 = !dnn.q<i32, axis 1, [0.001, 3.0e-09, 0.5, 1.25]>

// CHECK-LABEL: func.func @elementwise
func.func @elementwise(
  %a: tensor<2x3xf32>,
  %b: tensor<2x3xf32>,
  %c: tensor<2x3xi1>,
  %d: tensor<2x3xi1>,
  %e: tensor<2x3xi32>,
  %f: tensor<2x3xi32>,
  %g: tensor<2x3x4x5xf32>,
  %h: tensor<3x1x5xf32>,
  %i: tensor<3xi64>
) {
  // CHECK-NEXT: %neg = dnn.neg %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %neg = dnn.neg %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %abs = dnn.abs %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %abs = dnn.abs %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %sign = dnn.sign %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %sign = dnn.sign %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %sqrt = dnn.sqrt %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %sqrt = dnn.sqrt %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %reciprocal = dnn.reciprocal %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %reciprocal = dnn.reciprocal %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %exp = dnn.exp %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %exp = dnn.exp %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %log = dnn.log %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %log = dnn.log %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %erf = dnn.erf %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %erf = dnn.erf %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %floor = dnn.floor %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %floor = dnn.floor %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %ceil = dnn.ceil %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %ceil = dnn.ceil %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %round = dnn.round %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %round = dnn.round %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %sin = dnn.sin %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %sin = dnn.sin %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %cos = dnn.cos %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %cos = dnn.cos %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %tan = dnn.tan %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %tan = dnn.tan %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %asin = dnn.asin %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %asin = dnn.asin %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %acos = dnn.acos %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %acos = dnn.acos %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %atan = dnn.atan %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %atan = dnn.atan %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %sinh = dnn.sinh %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %sinh = dnn.sinh %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %cosh = dnn.cosh %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %cosh = dnn.cosh %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %asinh = dnn.asinh %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %asinh = dnn.asinh %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %acosh = dnn.acosh %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %acosh = dnn.acosh %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %atanh = dnn.atanh %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %atanh = dnn.atanh %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %add = dnn.add %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %add = dnn.add %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %sub = dnn.sub %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %sub = dnn.sub %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %mul = dnn.mul %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %mul = dnn.mul %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %div = dnn.div %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %div = dnn.div %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %max = dnn.max %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %max = dnn.max %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %min = dnn.min %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %min = dnn.min %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %prelu = dnn.prelu %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %prelu = dnn.prelu %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %less = dnn.less %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
  %less = dnn.less %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
  // CHECK-NEXT: %less_equal = dnn.less_equal %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
  %less_equal = dnn.less_equal %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
  // CHECK-NEXT: %greater = dnn.greater %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
  %greater = dnn.greater %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
  // CHECK-NEXT: %greater_equal = dnn.greater_equal %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
  %greater_equal = dnn.greater_equal %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
  // CHECK-NEXT: %equal = dnn.equal %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
  %equal = dnn.equal %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
  // CHECK-NEXT: %and = dnn.and %c, %d : (tensor<2x3xi1>, tensor<2x3xi1>) -> tensor<2x3xi1>
  %and = dnn.and %c, %d : (tensor<2x3xi1>, tensor<2x3xi1>) -> tensor<2x3xi1>
  // CHECK-NEXT: %or = dnn.or %c, %d : (tensor<2x3xi1>, tensor<2x3xi1>) -> tensor<2x3xi1>
  %or = dnn.or %c, %d : (tensor<2x3xi1>, tensor<2x3xi1>) -> tensor<2x3xi1>
  // CHECK-NEXT: %xor = dnn.xor %c, %d : (tensor<2x3xi1>, tensor<2x3xi1>) -> tensor<2x3xi1>
  %xor = dnn.xor %c, %d : (tensor<2x3xi1>, tensor<2x3xi1>) -> tensor<2x3xi1>
  // CHECK-NEXT: %bit_and = dnn.bit_and %e, %f : (tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x3xi32>
  %bit_and = dnn.bit_and %e, %f : (tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x3xi32>
  // CHECK-NEXT: %bit_or = dnn.bit_or %e, %f : (tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x3xi32>
  %bit_or = dnn.bit_or %e, %f : (tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x3xi32>
  // CHECK-NEXT: %bit_xor = dnn.bit_xor %e, %f : (tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x3xi32>
  %bit_xor = dnn.bit_xor %e, %f : (tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x3xi32>
  // CHECK-NEXT: %shift_left = dnn.shift_left %e, %f : (tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x3xi32>
  %shift_left = dnn.shift_left %e, %f : (tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x3xi32>
  // CHECK-NEXT: %shift_right = dnn.shift_right %e, %f : (tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x3xi32>
  %shift_right = dnn.shift_right %e, %f : (tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x3xi32>
  // CHECK-NEXT: %pow = dnn.pow %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %pow = dnn.pow %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %mod = dnn.mod %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %mod = dnn.mod %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %not = dnn.not %c : (tensor<2x3xi1>) -> tensor<2x3xi1>
  %not = dnn.not %c : (tensor<2x3xi1>) -> tensor<2x3xi1>
  // CHECK-NEXT: %bit_not = dnn.bit_not %e : (tensor<2x3xi32>) -> tensor<2x3xi32>
  %bit_not = dnn.bit_not %e : (tensor<2x3xi32>) -> tensor<2x3xi32>
  // CHECK-NEXT: %is_nan = dnn.is_nan %a : (tensor<2x3xf32>) -> tensor<2x3xi1>
  %is_nan = dnn.is_nan %a : (tensor<2x3xf32>) -> tensor<2x3xi1>
  // CHECK-NEXT: %is_inf = dnn.is_inf %a : (tensor<2x3xf32>) -> tensor<2x3xi1>
  %is_inf = dnn.is_inf %a : (tensor<2x3xf32>) -> tensor<2x3xi1>
  // CHECK-NEXT: %where = dnn.where %c, %a, %b : (tensor<2x3xi1>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %where = dnn.where %c, %a, %b : (tensor<2x3xi1>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %clip = dnn.clip %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %clip = dnn.clip %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %add_b = dnn.add %g, %h : (tensor<2x3x4x5xf32>, tensor<3x1x5xf32>) -> tensor<2x3x4x5xf32>
  %add_b = dnn.add %g, %h : (tensor<2x3x4x5xf32>, tensor<3x1x5xf32>) -> tensor<2x3x4x5xf32>
  // CHECK-NEXT: %pow_b = dnn.pow %a, %i : (tensor<2x3xf32>, tensor<3xi64>) -> tensor<2x3xf32>
  %pow_b = dnn.pow %a, %i : (tensor<2x3xf32>, tensor<3xi64>) -> tensor<2x3xf32>
  // CHECK-NEXT: %mod_b = dnn.mod %a, %b fmod : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %mod_b = dnn.mod %a, %b fmod : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %is_inf_b = dnn.is_inf %a no_negative : (tensor<2x3xf32>) -> tensor<2x3xi1>
  %is_inf_b = dnn.is_inf %a no_negative : (tensor<2x3xf32>) -> tensor<2x3xi1>
  // CHECK-NEXT: %is_inf_c = dnn.is_inf %a no_positive : (tensor<2x3xf32>) -> tensor<2x3xi1>
  %is_inf_c = dnn.is_inf %a no_positive : (tensor<2x3xf32>) -> tensor<2x3xi1>
  // CHECK-NEXT: %clip_b = dnn.clip %a low = 0.0 high = 6.0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %clip_b = dnn.clip %a low = 0.0 high = 6.0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %clip_c = dnn.clip %a low = -1.5 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %clip_c = dnn.clip %a low = -1.5 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %cast = dnn.cast %a to = f64 : (tensor<2x3xf32>) -> tensor<2x3xf64>
  %cast = dnn.cast %a to = f64 : (tensor<2x3xf32>) -> tensor<2x3xf64>
  // CHECK-NEXT: %cast_b = dnn.cast %a to = f16 : (tensor<2x3xf32>) -> tensor<2x3xf16>
  %cast_b = dnn.cast %a to = f16 : (tensor<2x3xf32>) -> tensor<2x3xf16>
  // CHECK-NEXT: %cast_c = dnn.cast %a to = bf16 : (tensor<2x3xf32>) -> tensor<2x3xbf16>
  %cast_c = dnn.cast %a to = bf16 : (tensor<2x3xf32>) -> tensor<2x3xbf16>
  // CHECK-NEXT: %cast_d = dnn.cast %a to = f8E4M3FN : (tensor<2x3xf32>) -> tensor<2x3xf8E4M3FN>
  %cast_d = dnn.cast %a to = f8E4M3FN : (tensor<2x3xf32>) -> tensor<2x3xf8E4M3FN>
  // CHECK-NEXT: %cast_e = dnn.cast %a to = f8E5M2 : (tensor<2x3xf32>) -> tensor<2x3xf8E5M2>
  %cast_e = dnn.cast %a to = f8E5M2 : (tensor<2x3xf32>) -> tensor<2x3xf8E5M2>
  // CHECK-NEXT: %cast_over = dnn.cast %a to = f8E5M2 overflow : (tensor<2x3xf32>) -> tensor<2x3xf8E5M2>
  %cast_over = dnn.cast %a to = f8E5M2 overflow : (tensor<2x3xf32>) -> tensor<2x3xf8E5M2>
  // CHECK-NEXT: %cast_f = dnn.cast %a to = i1 : (tensor<2x3xf32>) -> tensor<2x3xi1>
  %cast_f = dnn.cast %a to = i1 : (tensor<2x3xf32>) -> tensor<2x3xi1>
  // CHECK-NEXT: %cast_g = dnn.cast %a to = i4 : (tensor<2x3xf32>) -> tensor<2x3xi4>
  %cast_g = dnn.cast %a to = i4 : (tensor<2x3xf32>) -> tensor<2x3xi4>
  // CHECK-NEXT: %cast_h = dnn.cast %a to = ui4 : (tensor<2x3xf32>) -> tensor<2x3xui4>
  %cast_h = dnn.cast %a to = ui4 : (tensor<2x3xf32>) -> tensor<2x3xui4>
  // CHECK-NEXT: %cast_i = dnn.cast %a to = i8 : (tensor<2x3xf32>) -> tensor<2x3xi8>
  %cast_i = dnn.cast %a to = i8 : (tensor<2x3xf32>) -> tensor<2x3xi8>
  // CHECK-NEXT: %cast_j = dnn.cast %a to = ui8 : (tensor<2x3xf32>) -> tensor<2x3xui8>
  %cast_j = dnn.cast %a to = ui8 : (tensor<2x3xf32>) -> tensor<2x3xui8>
  // CHECK-NEXT: %cast_k = dnn.cast %a to = i16 : (tensor<2x3xf32>) -> tensor<2x3xi16>
  %cast_k = dnn.cast %a to = i16 : (tensor<2x3xf32>) -> tensor<2x3xi16>
  // CHECK-NEXT: %cast_l = dnn.cast %a to = ui16 : (tensor<2x3xf32>) -> tensor<2x3xui16>
  %cast_l = dnn.cast %a to = ui16 : (tensor<2x3xf32>) -> tensor<2x3xui16>
  // CHECK-NEXT: %cast_m = dnn.cast %a to = i32 : (tensor<2x3xf32>) -> tensor<2x3xi32>
  %cast_m = dnn.cast %a to = i32 : (tensor<2x3xf32>) -> tensor<2x3xi32>
  // CHECK-NEXT: %cast_n = dnn.cast %a to = ui32 : (tensor<2x3xf32>) -> tensor<2x3xui32>
  %cast_n = dnn.cast %a to = ui32 : (tensor<2x3xf32>) -> tensor<2x3xui32>
  // CHECK-NEXT: %cast_o = dnn.cast %a to = i64 : (tensor<2x3xf32>) -> tensor<2x3xi64>
  %cast_o = dnn.cast %a to = i64 : (tensor<2x3xf32>) -> tensor<2x3xi64>
  // CHECK-NEXT: %cast_p = dnn.cast %a to = ui64 : (tensor<2x3xf32>) -> tensor<2x3xui64>
  %cast_p = dnn.cast %a to = ui64 : (tensor<2x3xf32>) -> tensor<2x3xui64>
  // CHECK-NEXT: func.return
  func.return
}

// CHECK-LABEL: func.func @activation
func.func @activation(
  %a: tensor<2x3xf32>,
  %b: tensor<2x3x!dnn.q<i8, 0.1, 3>>
) {
  // CHECK-NEXT: %relu = dnn.relu %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %relu = dnn.relu %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %leaky_relu = dnn.leaky_relu %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %leaky_relu = dnn.leaky_relu %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %elu = dnn.elu %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %elu = dnn.elu %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %selu = dnn.selu %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %selu = dnn.selu %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %celu = dnn.celu %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %celu = dnn.celu %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %sigmoid = dnn.sigmoid %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %sigmoid = dnn.sigmoid %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %hard_sigmoid = dnn.hard_sigmoid %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %hard_sigmoid = dnn.hard_sigmoid %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %hard_swish = dnn.hard_swish %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %hard_swish = dnn.hard_swish %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %tanh = dnn.tanh %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %tanh = dnn.tanh %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %softplus = dnn.softplus %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %softplus = dnn.softplus %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %softsign = dnn.softsign %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %softsign = dnn.softsign %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %thresholded_relu = dnn.thresholded_relu %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %thresholded_relu = dnn.thresholded_relu %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %mish = dnn.mish %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %mish = dnn.mish %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %swish = dnn.swish %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %swish = dnn.swish %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %shrink = dnn.shrink %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %shrink = dnn.shrink %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %gelu = dnn.gelu %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %gelu = dnn.gelu %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %leaky_relu_b = dnn.leaky_relu %a alpha = 0.2 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %leaky_relu_b = dnn.leaky_relu %a alpha = 0.2 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %elu_b = dnn.elu %a alpha = 2.0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %elu_b = dnn.elu %a alpha = 2.0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %selu_b = dnn.selu %a alpha = 1.0 gamma = 2.0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %selu_b = dnn.selu %a alpha = 1.0 gamma = 2.0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %celu_b = dnn.celu %a alpha = 0.5 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %celu_b = dnn.celu %a alpha = 0.5 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %hard_sigmoid_b = dnn.hard_sigmoid %a alpha = 0.25 beta = 0.75 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %hard_sigmoid_b = dnn.hard_sigmoid %a alpha = 0.25 beta = 0.75 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %thresholded_relu_b = dnn.thresholded_relu %a alpha = 1.0e-20 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %thresholded_relu_b = dnn.thresholded_relu %a alpha = 1.0e-20 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %swish_b = dnn.swish %a alpha = 1.702 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %swish_b = dnn.swish %a alpha = 1.702 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %shrink_b = dnn.shrink %a lambd = 1.5 bias = 1.5 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %shrink_b = dnn.shrink %a lambd = 1.5 bias = 1.5 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %gelu_b = dnn.gelu %a approximate = tanh : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %gelu_b = dnn.gelu %a approximate = tanh : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %relu_b = dnn.relu %b : (tensor<2x3x!dnn.q<i8, 0.1, 3>>) -> tensor<2x3x!dnn.q<i8, 0.1, 3>>
  %relu_b = dnn.relu %b : (tensor<2x3x!dnn.q<i8, 0.1, 3>>) -> tensor<2x3x!dnn.q<i8, 0.1, 3>>
  // CHECK-NEXT: func.return
  func.return
}

// CHECK-LABEL: func.func @contraction
func.func @contraction(
  %a: tensor<1x4x8x8xf32>,
  %b: tensor<6x4x3x3xf32>,
  %c: tensor<6x2x3x3xf32>,
  %d: tensor<6xf32>,
  %e: tensor<1x4x8xf32>,
  %f: tensor<4x1x3xf32>,
  %g: tensor<1x4x8x8x!dnn.q<i8, 0.1, 3>>,
  %h: tensor<4x4x1x1x!q0>,
  %i: tensor<4xi32>,
  %j: tensor<4x3x2x2xf32>,
  %k: tensor<4x3x3x3xf32>,
  %l: tensor<2x3xf32>,
  %m: tensor<3x5xf32>,
  %n: tensor<7x3x2xf32>,
  %o: tensor<5x3xf32>,
  %p: tensor<5xf32>
) {
  // CHECK-NEXT: %conv = dnn.conv %a, %b window = <[3, 3]> : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  %conv = dnn.conv %a, %b window = <[3, 3]> : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  // CHECK-NEXT: %conv_b = dnn.conv %a, %c, bias(%d) window = <[3, 3], stride [2, 2], pad [1, 1, 0, 0], dilation [2, 1]> groups = 2 : (tensor<1x4x8x8xf32>, tensor<6x2x3x3xf32>, tensor<6xf32>) -> tensor<1x6x3x4xf32>
  %conv_b = dnn.conv %a, %c, bias(%d) window = <[3, 3], stride [2, 2], pad [1, 1, 0, 0], dilation [2, 1]> groups = 2 : (tensor<1x4x8x8xf32>, tensor<6x2x3x3xf32>, tensor<6xf32>) -> tensor<1x6x3x4xf32>
  // CHECK-NEXT: %conv_blocks = dnn.conv %a, %b window = <[3, 3], pad [1, 1, 1, 1], block [4, 8]> : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x8x8xf32>
  %conv_blocks = dnn.conv %a, %b window = <[3, 3], pad [1, 1, 1, 1], block [4, 8]> : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x8x8xf32>
  // CHECK-NEXT: %conv_c = dnn.conv %e, %f window = <[3]> groups = 4 : (tensor<1x4x8xf32>, tensor<4x1x3xf32>) -> tensor<1x4x6xf32>
  %conv_c = dnn.conv %e, %f window = <[3]> groups = 4 : (tensor<1x4x8xf32>, tensor<4x1x3xf32>) -> tensor<1x4x6xf32>
  // CHECK-NEXT: %conv_d = dnn.conv %g, %h, bias(%i) window = <[1, 1]> : (tensor<1x4x8x8x!dnn.q<i8, 0.1, 3>>, tensor<4x4x1x1x!q0>, tensor<4xi32>) -> tensor<1x4x8x8x!q1>
  %conv_d = dnn.conv %g, %h, bias(%i) window = <[1, 1]> : (tensor<1x4x8x8x!dnn.q<i8, 0.1, 3>>, tensor<4x4x1x1x!q0>, tensor<4xi32>) -> tensor<1x4x8x8x!q1>
  // CHECK-NEXT: %conv_transpose = dnn.conv_transpose %a, %j window = <[2, 2], stride [2, 2]> : (tensor<1x4x8x8xf32>, tensor<4x3x2x2xf32>) -> tensor<1x3x16x16xf32>
  %conv_transpose = dnn.conv_transpose %a, %j window = <[2, 2], stride [2, 2]> : (tensor<1x4x8x8xf32>, tensor<4x3x2x2xf32>) -> tensor<1x3x16x16xf32>
  // CHECK-NEXT: %conv_transpose_b = dnn.conv_transpose %a, %k, bias(%d) window = <[3, 3], stride [2, 2], pad [1, 1, 1, 1]> groups = 2 output_pad = [1, 1] : (tensor<1x4x8x8xf32>, tensor<4x3x3x3xf32>, tensor<6xf32>) -> tensor<1x6x16x16xf32>
  %conv_transpose_b = dnn.conv_transpose %a, %k, bias(%d) window = <[3, 3], stride [2, 2], pad [1, 1, 1, 1]> groups = 2 output_pad = [1, 1] : (tensor<1x4x8x8xf32>, tensor<4x3x3x3xf32>, tensor<6xf32>) -> tensor<1x6x16x16xf32>
  // CHECK-NEXT: %matmul = dnn.matmul %l, %m : (tensor<2x3xf32>, tensor<3x5xf32>) -> tensor<2x5xf32>
  %matmul = dnn.matmul %l, %m : (tensor<2x3xf32>, tensor<3x5xf32>) -> tensor<2x5xf32>
  // CHECK-NEXT: %matmul_b = dnn.matmul %n, %o, bias(%p) trans_a trans_b : (tensor<7x3x2xf32>, tensor<5x3xf32>, tensor<5xf32>) -> tensor<7x2x5xf32>
  %matmul_b = dnn.matmul %n, %o, bias(%p) trans_a trans_b : (tensor<7x3x2xf32>, tensor<5x3xf32>, tensor<5xf32>) -> tensor<7x2x5xf32>
  // CHECK-NEXT: func.return
  func.return
}

// CHECK-LABEL: func.func @reduction
func.func @reduction(
  %a: tensor<2x3xf32>,
  %b: tensor<1x4x8x8xf32>
) {
  // CHECK-NEXT: %reduce_sum = dnn.reduce_sum %a axes = [1] : (tensor<2x3xf32>) -> tensor<2xf32>
  %reduce_sum = dnn.reduce_sum %a axes = [1] : (tensor<2x3xf32>) -> tensor<2xf32>
  // CHECK-NEXT: %reduce_sum_b = dnn.reduce_sum %a axes = [0, 1] keepdims : (tensor<2x3xf32>) -> tensor<1x1xf32>
  %reduce_sum_b = dnn.reduce_sum %a axes = [0, 1] keepdims : (tensor<2x3xf32>) -> tensor<1x1xf32>
  // CHECK-NEXT: %reduce_mean = dnn.reduce_mean %a axes = [1] : (tensor<2x3xf32>) -> tensor<2xf32>
  %reduce_mean = dnn.reduce_mean %a axes = [1] : (tensor<2x3xf32>) -> tensor<2xf32>
  // CHECK-NEXT: %reduce_mean_b = dnn.reduce_mean %a axes = [0, 1] keepdims : (tensor<2x3xf32>) -> tensor<1x1xf32>
  %reduce_mean_b = dnn.reduce_mean %a axes = [0, 1] keepdims : (tensor<2x3xf32>) -> tensor<1x1xf32>
  // CHECK-NEXT: %reduce_max = dnn.reduce_max %a axes = [1] : (tensor<2x3xf32>) -> tensor<2xf32>
  %reduce_max = dnn.reduce_max %a axes = [1] : (tensor<2x3xf32>) -> tensor<2xf32>
  // CHECK-NEXT: %reduce_max_b = dnn.reduce_max %a axes = [0, 1] keepdims : (tensor<2x3xf32>) -> tensor<1x1xf32>
  %reduce_max_b = dnn.reduce_max %a axes = [0, 1] keepdims : (tensor<2x3xf32>) -> tensor<1x1xf32>
  // CHECK-NEXT: %reduce_min = dnn.reduce_min %a axes = [1] : (tensor<2x3xf32>) -> tensor<2xf32>
  %reduce_min = dnn.reduce_min %a axes = [1] : (tensor<2x3xf32>) -> tensor<2xf32>
  // CHECK-NEXT: %reduce_min_b = dnn.reduce_min %a axes = [0, 1] keepdims : (tensor<2x3xf32>) -> tensor<1x1xf32>
  %reduce_min_b = dnn.reduce_min %a axes = [0, 1] keepdims : (tensor<2x3xf32>) -> tensor<1x1xf32>
  // CHECK-NEXT: %reduce_prod = dnn.reduce_prod %a axes = [1] : (tensor<2x3xf32>) -> tensor<2xf32>
  %reduce_prod = dnn.reduce_prod %a axes = [1] : (tensor<2x3xf32>) -> tensor<2xf32>
  // CHECK-NEXT: %reduce_prod_b = dnn.reduce_prod %a axes = [0, 1] keepdims : (tensor<2x3xf32>) -> tensor<1x1xf32>
  %reduce_prod_b = dnn.reduce_prod %a axes = [0, 1] keepdims : (tensor<2x3xf32>) -> tensor<1x1xf32>
  // CHECK-NEXT: %reduce_l1 = dnn.reduce_l1 %a axes = [1] : (tensor<2x3xf32>) -> tensor<2xf32>
  %reduce_l1 = dnn.reduce_l1 %a axes = [1] : (tensor<2x3xf32>) -> tensor<2xf32>
  // CHECK-NEXT: %reduce_l1_b = dnn.reduce_l1 %a axes = [0, 1] keepdims : (tensor<2x3xf32>) -> tensor<1x1xf32>
  %reduce_l1_b = dnn.reduce_l1 %a axes = [0, 1] keepdims : (tensor<2x3xf32>) -> tensor<1x1xf32>
  // CHECK-NEXT: %reduce_l2 = dnn.reduce_l2 %a axes = [1] : (tensor<2x3xf32>) -> tensor<2xf32>
  %reduce_l2 = dnn.reduce_l2 %a axes = [1] : (tensor<2x3xf32>) -> tensor<2xf32>
  // CHECK-NEXT: %reduce_l2_b = dnn.reduce_l2 %a axes = [0, 1] keepdims : (tensor<2x3xf32>) -> tensor<1x1xf32>
  %reduce_l2_b = dnn.reduce_l2 %a axes = [0, 1] keepdims : (tensor<2x3xf32>) -> tensor<1x1xf32>
  // CHECK-NEXT: %reduce_sum_square = dnn.reduce_sum_square %a axes = [1] : (tensor<2x3xf32>) -> tensor<2xf32>
  %reduce_sum_square = dnn.reduce_sum_square %a axes = [1] : (tensor<2x3xf32>) -> tensor<2xf32>
  // CHECK-NEXT: %reduce_sum_square_b = dnn.reduce_sum_square %a axes = [0, 1] keepdims : (tensor<2x3xf32>) -> tensor<1x1xf32>
  %reduce_sum_square_b = dnn.reduce_sum_square %a axes = [0, 1] keepdims : (tensor<2x3xf32>) -> tensor<1x1xf32>
  // CHECK-NEXT: %reduce_log_sum = dnn.reduce_log_sum %a axes = [1] : (tensor<2x3xf32>) -> tensor<2xf32>
  %reduce_log_sum = dnn.reduce_log_sum %a axes = [1] : (tensor<2x3xf32>) -> tensor<2xf32>
  // CHECK-NEXT: %reduce_log_sum_b = dnn.reduce_log_sum %a axes = [0, 1] keepdims : (tensor<2x3xf32>) -> tensor<1x1xf32>
  %reduce_log_sum_b = dnn.reduce_log_sum %a axes = [0, 1] keepdims : (tensor<2x3xf32>) -> tensor<1x1xf32>
  // CHECK-NEXT: %arg_max = dnn.arg_max %a axis = 0 : (tensor<2x3xf32>) -> tensor<3xi64>
  %arg_max = dnn.arg_max %a axis = 0 : (tensor<2x3xf32>) -> tensor<3xi64>
  // CHECK-NEXT: %arg_max_b = dnn.arg_max %a axis = -1 keepdims last : (tensor<2x3xf32>) -> tensor<2x1xi64>
  %arg_max_b = dnn.arg_max %a axis = -1 keepdims last : (tensor<2x3xf32>) -> tensor<2x1xi64>
  // CHECK-NEXT: %arg_min = dnn.arg_min %a axis = 0 : (tensor<2x3xf32>) -> tensor<3xi64>
  %arg_min = dnn.arg_min %a axis = 0 : (tensor<2x3xf32>) -> tensor<3xi64>
  // CHECK-NEXT: %arg_min_b = dnn.arg_min %a axis = -1 keepdims last : (tensor<2x3xf32>) -> tensor<2x1xi64>
  %arg_min_b = dnn.arg_min %a axis = -1 keepdims last : (tensor<2x3xf32>) -> tensor<2x1xi64>
  // CHECK-NEXT: %max_pool_blocks = dnn.max_pool %b window = <[3, 3], stride [2, 2], block [2, 2], ceil> : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  %max_pool_blocks = dnn.max_pool %b window = <[3, 3], stride [2, 2], block [2, 2], ceil> : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  // CHECK-NEXT: %max_pool = dnn.max_pool %b window = <[2, 2], stride [2, 2]> : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  %max_pool = dnn.max_pool %b window = <[2, 2], stride [2, 2]> : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  // CHECK-NEXT: %avg_pool = dnn.avg_pool %b window = <[2, 2], stride [2, 2]> : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  %avg_pool = dnn.avg_pool %b window = <[2, 2], stride [2, 2]> : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  // CHECK-NEXT: %lp_pool = dnn.lp_pool %b window = <[2, 2], stride [2, 2]> : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  %lp_pool = dnn.lp_pool %b window = <[2, 2], stride [2, 2]> : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  // CHECK-NEXT: %arg_max_pool = dnn.arg_max_pool %b window = <[2, 2], stride [2, 2]> : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xi64>
  %arg_max_pool = dnn.arg_max_pool %b window = <[2, 2], stride [2, 2]> : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xi64>
  // CHECK-NEXT: %max_pool_b = dnn.max_pool %b window = <[3, 3], stride [2, 2], pad [1, 1, 1, 1], ceil> : (tensor<1x4x8x8xf32>) -> tensor<1x4x5x5xf32>
  %max_pool_b = dnn.max_pool %b window = <[3, 3], stride [2, 2], pad [1, 1, 1, 1], ceil> : (tensor<1x4x8x8xf32>) -> tensor<1x4x5x5xf32>
  // CHECK-NEXT: %avg_pool_b = dnn.avg_pool %b count_pad window = <[3, 3], pad [1, 1, 1, 1]> : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %avg_pool_b = dnn.avg_pool %b count_pad window = <[3, 3], pad [1, 1, 1, 1]> : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  // CHECK-NEXT: %lp_pool_b = dnn.lp_pool %b p = 3 window = <[2, 2]> : (tensor<1x4x8x8xf32>) -> tensor<1x4x7x7xf32>
  %lp_pool_b = dnn.lp_pool %b p = 3 window = <[2, 2]> : (tensor<1x4x8x8xf32>) -> tensor<1x4x7x7xf32>
  // CHECK-NEXT: %arg_max_pool_b = dnn.arg_max_pool %b column_major window = <[2, 2]> : (tensor<1x4x8x8xf32>) -> tensor<1x4x7x7xi64>
  %arg_max_pool_b = dnn.arg_max_pool %b column_major window = <[2, 2]> : (tensor<1x4x8x8xf32>) -> tensor<1x4x7x7xi64>
  // CHECK-NEXT: %cum_sum = dnn.cum_sum %a axis = 0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %cum_sum = dnn.cum_sum %a axis = 0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %cum_sum_b = dnn.cum_sum %a axis = 1 exclusive reverse : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %cum_sum_b = dnn.cum_sum %a axis = 1 exclusive reverse : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: func.return
  func.return
}

// CHECK-LABEL: func.func @movement
func.func @movement(
  %a: tensor<2x3xf32>,
  %b: tensor<1xf32>,
  %c: tensor<5x7xf32>,
  %d: tensor<3x1xf32>,
  %e: tensor<1x4x8x8xf32>,
  %f: tensor<2x1xf32>,
  %g: tensor<4xi64>,
  %h: tensor<i32>,
  %q: tensor<2x!dnn.q<ui8, 0.1, 3>>
) {
  // CHECK-NEXT: %storage_cast = dnn.storage_cast %q to = ui8 : (tensor<2x!dnn.q<ui8, 0.1, 3>>) -> tensor<2xui8>
  %storage_cast = dnn.storage_cast %q to = ui8 : (tensor<2x!dnn.q<ui8, 0.1, 3>>) -> tensor<2xui8>
  // CHECK-NEXT: %storage_cast_b = dnn.storage_cast %storage_cast to = !dnn.q<ui8, 0.5, 0> : (tensor<2xui8>) -> tensor<2x!dnn.q<ui8, 0.5, 0>>
  %storage_cast_b = dnn.storage_cast %storage_cast to = !dnn.q<ui8, 0.5, 0> : (tensor<2xui8>) -> tensor<2x!dnn.q<ui8, 0.5, 0>>
  // CHECK-NEXT: %reshape = dnn.reshape %a shape = [6] : (tensor<2x3xf32>) -> tensor<6xf32>
  %reshape = dnn.reshape %a shape = [6] : (tensor<2x3xf32>) -> tensor<6xf32>
  // CHECK-NEXT: %reshape_b = dnn.reshape %b shape = [] : (tensor<1xf32>) -> tensor<f32>
  %reshape_b = dnn.reshape %b shape = [] : (tensor<1xf32>) -> tensor<f32>
  // CHECK-NEXT: %transpose = dnn.transpose %a perm = [1, 0] : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %transpose = dnn.transpose %a perm = [1, 0] : (tensor<2x3xf32>) -> tensor<3x2xf32>
  // CHECK-NEXT: %slice = dnn.slice %c start = [1, 0] size = [3, 7] : (tensor<5x7xf32>) -> tensor<3x7xf32>
  %slice = dnn.slice %c start = [1, 0] size = [3, 7] : (tensor<5x7xf32>) -> tensor<3x7xf32>
  // CHECK-NEXT: %slice_b = dnn.slice %c start = [4, 0] size = [5, 4] step = [-1, 2] : (tensor<5x7xf32>) -> tensor<5x4xf32>
  %slice_b = dnn.slice %c start = [4, 0] size = [5, 4] step = [-1, 2] : (tensor<5x7xf32>) -> tensor<5x4xf32>
  // CHECK-NEXT: %expand = dnn.expand %d shape = [2, 3, 4] : (tensor<3x1xf32>) -> tensor<2x3x4xf32>
  %expand = dnn.expand %d shape = [2, 3, 4] : (tensor<3x1xf32>) -> tensor<2x3x4xf32>
  // CHECK-NEXT: %tile = dnn.tile %a repeats = [2, 1] : (tensor<2x3xf32>) -> tensor<4x3xf32>
  %tile = dnn.tile %a repeats = [2, 1] : (tensor<2x3xf32>) -> tensor<4x3xf32>
  // CHECK-NEXT: %depth_to_space = dnn.depth_to_space %e block = 2 : (tensor<1x4x8x8xf32>) -> tensor<1x1x16x16xf32>
  %depth_to_space = dnn.depth_to_space %e block = 2 : (tensor<1x4x8x8xf32>) -> tensor<1x1x16x16xf32>
  // CHECK-NEXT: %depth_to_space_b = dnn.depth_to_space %e block = 2 mode = crd : (tensor<1x4x8x8xf32>) -> tensor<1x1x16x16xf32>
  %depth_to_space_b = dnn.depth_to_space %e block = 2 mode = crd : (tensor<1x4x8x8xf32>) -> tensor<1x1x16x16xf32>
  // CHECK-NEXT: %space_to_depth = dnn.space_to_depth %e block = 2 : (tensor<1x4x8x8xf32>) -> tensor<1x16x4x4xf32>
  %space_to_depth = dnn.space_to_depth %e block = 2 : (tensor<1x4x8x8xf32>) -> tensor<1x16x4x4xf32>
  // CHECK-NEXT: %space_to_depth_b = dnn.space_to_depth %e block = 2 mode = crd : (tensor<1x4x8x8xf32>) -> tensor<1x16x4x4xf32>
  %space_to_depth_b = dnn.space_to_depth %e block = 2 mode = crd : (tensor<1x4x8x8xf32>) -> tensor<1x16x4x4xf32>
  // CHECK-NEXT: %concat = dnn.concat [%a, %f] axis = 1 : (tensor<2x3xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
  %concat = dnn.concat [%a, %f] axis = 1 : (tensor<2x3xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
  // CHECK-NEXT: %pad = dnn.pad %a before = [0, 1] after = [2, 0] : (tensor<2x3xf32>) -> tensor<4x4xf32>
  %pad = dnn.pad %a before = [0, 1] after = [2, 0] : (tensor<2x3xf32>) -> tensor<4x4xf32>
  // CHECK-NEXT: %pad_b = dnn.pad %a before = [0, 0] after = [0, 1] value = -1.0e-05 : (tensor<2x3xf32>) -> tensor<2x4xf32>
  %pad_b = dnn.pad %a before = [0, 0] after = [0, 1] value = -1.0e-05 : (tensor<2x3xf32>) -> tensor<2x4xf32>
  // CHECK-NEXT: %gather = dnn.gather %a, %g : (tensor<2x3xf32>, tensor<4xi64>) -> tensor<4x3xf32>
  %gather = dnn.gather %a, %g : (tensor<2x3xf32>, tensor<4xi64>) -> tensor<4x3xf32>
  // CHECK-NEXT: %gather_b = dnn.gather %a, %h axis = 1 : (tensor<2x3xf32>, tensor<i32>) -> tensor<2xf32>
  %gather_b = dnn.gather %a, %h axis = 1 : (tensor<2x3xf32>, tensor<i32>) -> tensor<2xf32>
  // CHECK-NEXT: %shape = dnn.shape %a : (tensor<2x3xf32>) -> tensor<2xi64>
  %shape = dnn.shape %a : (tensor<2x3xf32>) -> tensor<2xi64>
  // CHECK-NEXT: %shape_b = dnn.shape %a start = 1 end = 2 : (tensor<2x3xf32>) -> tensor<1xi64>
  %shape_b = dnn.shape %a start = 1 end = 2 : (tensor<2x3xf32>) -> tensor<1xi64>
  // CHECK-NEXT: func.return
  func.return
}

// CHECK-LABEL: func.func @indexing
func.func @indexing(
  %a: tensor<2x3xf32>,
  %b: tensor<2x2xi64>,
  %c: tensor<5x2xi64>,
  %d: tensor<2x1xi32>,
  %e: tensor<2x2xf32>,
  %f: tensor<5x1xi64>,
  %g: tensor<5x3xf32>,
  %h: tensor<5xf32>
) {
  // CHECK-NEXT: %gather_elements = dnn.gather_elements %a, %b axis = 1 : (tensor<2x3xf32>, tensor<2x2xi64>) -> tensor<2x2xf32>
  %gather_elements = dnn.gather_elements %a, %b axis = 1 : (tensor<2x3xf32>, tensor<2x2xi64>) -> tensor<2x2xf32>
  // CHECK-NEXT: %gather_nd = dnn.gather_nd %a, %c : (tensor<2x3xf32>, tensor<5x2xi64>) -> tensor<5xf32>
  %gather_nd = dnn.gather_nd %a, %c : (tensor<2x3xf32>, tensor<5x2xi64>) -> tensor<5xf32>
  // CHECK-NEXT: %gather_nd_b = dnn.gather_nd %a, %d batch = 1 : (tensor<2x3xf32>, tensor<2x1xi32>) -> tensor<2xf32>
  %gather_nd_b = dnn.gather_nd %a, %d batch = 1 : (tensor<2x3xf32>, tensor<2x1xi32>) -> tensor<2xf32>
  // CHECK-NEXT: %scatter_elements = dnn.scatter_elements %a, %b, %e : (tensor<2x3xf32>, tensor<2x2xi64>, tensor<2x2xf32>) -> tensor<2x3xf32>
  %scatter_elements = dnn.scatter_elements %a, %b, %e : (tensor<2x3xf32>, tensor<2x2xi64>, tensor<2x2xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %scatter_elements_b = dnn.scatter_elements %a, %b, %e axis = 1 reduction = add : (tensor<2x3xf32>, tensor<2x2xi64>, tensor<2x2xf32>) -> tensor<2x3xf32>
  %scatter_elements_b = dnn.scatter_elements %a, %b, %e axis = 1 reduction = add : (tensor<2x3xf32>, tensor<2x2xi64>, tensor<2x2xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %scatter_nd = dnn.scatter_nd %a, %f, %g : (tensor<2x3xf32>, tensor<5x1xi64>, tensor<5x3xf32>) -> tensor<2x3xf32>
  %scatter_nd = dnn.scatter_nd %a, %f, %g : (tensor<2x3xf32>, tensor<5x1xi64>, tensor<5x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %scatter_nd_b = dnn.scatter_nd %a, %c, %h reduction = max : (tensor<2x3xf32>, tensor<5x2xi64>, tensor<5xf32>) -> tensor<2x3xf32>
  %scatter_nd_b = dnn.scatter_nd %a, %c, %h reduction = max : (tensor<2x3xf32>, tensor<5x2xi64>, tensor<5xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %top_k, %top_k_i = dnn.top_k %a k = 2 : (tensor<2x3xf32>) -> (tensor<2x2xf32>, tensor<2x2xi64>)
  %top_k, %top_k_i = dnn.top_k %a k = 2 : (tensor<2x3xf32>) -> (tensor<2x2xf32>, tensor<2x2xi64>)
  // CHECK-NEXT: %top_k_b, %top_k_bi = dnn.top_k %a k = 1 axis = 0 smallest : (tensor<2x3xf32>) -> (tensor<1x3xf32>, tensor<1x3xi64>)
  %top_k_b, %top_k_bi = dnn.top_k %a k = 1 axis = 0 smallest : (tensor<2x3xf32>) -> (tensor<1x3xf32>, tensor<1x3xi64>)
  // CHECK-NEXT: func.return
  func.return
}

// CHECK-LABEL: func.func @resampling
func.func @resampling(
  %a: tensor<2x3xf32>,
  %b: tensor<1x4x8x8xf32>
) {
  // CHECK-NEXT: %border_pad = dnn.border_pad %a before = [1, 0] after = [0, 2] mode = reflect : (tensor<2x3xf32>) -> tensor<3x5xf32>
  %border_pad = dnn.border_pad %a before = [1, 0] after = [0, 2] mode = reflect : (tensor<2x3xf32>) -> tensor<3x5xf32>
  // CHECK-NEXT: %resize = dnn.resize %b size = [1, 4, 16, 16] mode = nearest : (tensor<1x4x8x8xf32>) -> tensor<1x4x16x16xf32>
  %resize = dnn.resize %b size = [1, 4, 16, 16] mode = nearest : (tensor<1x4x8x8xf32>) -> tensor<1x4x16x16xf32>
  // CHECK-NEXT: %resize_b = dnn.resize %b size = [1, 4, 12, 9] mode = linear scale = [1.0, 1.0, 1.5, 1.2] coordinates = align_corners antialias : (tensor<1x4x8x8xf32>) -> tensor<1x4x12x9xf32>
  %resize_b = dnn.resize %b size = [1, 4, 12, 9] mode = linear scale = [1.0, 1.0, 1.5, 1.2] coordinates = align_corners antialias : (tensor<1x4x8x8xf32>) -> tensor<1x4x12x9xf32>
  // CHECK-NEXT: %resize_c = dnn.resize %b size = [1, 4, 4, 4] mode = cubic cubic = -0.5 exclude_outside : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  %resize_c = dnn.resize %b size = [1, 4, 4, 4] mode = cubic cubic = -0.5 exclude_outside : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  // CHECK-NEXT: %resize_d = dnn.resize %b size = [1, 4, 4, 4] mode = nearest coordinates = tf_crop_and_resize rounding = floor region = [0.0, 0.0, 0.25, 0.25, 1.0, 1.0, 0.75, 1.25] extrapolation = -1.0 : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  %resize_d = dnn.resize %b size = [1, 4, 4, 4] mode = nearest coordinates = tf_crop_and_resize rounding = floor region = [0.0, 0.0, 0.25, 0.25, 1.0, 1.0, 0.75, 1.25] extrapolation = -1.0 : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  // CHECK-NEXT: func.return
  func.return
}

// CHECK-LABEL: func.func @composite
func.func @composite(
  %a: tensor<2x3xf32>,
  %b: tensor<1x4x8x8xf32>,
  %c: tensor<4xf32>,
  %d: tensor<4xf32>,
  %e: tensor<4xf32>,
  %f: tensor<4xf32>,
  %g: tensor<3xf32>,
  %h: tensor<2x3xf32>,
  %i: tensor<2x3xf32>
) {
  // CHECK-NEXT: %softmax = dnn.softmax %a axis = -1 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %softmax = dnn.softmax %a axis = -1 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %log_softmax = dnn.log_softmax %a axis = -1 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %log_softmax = dnn.log_softmax %a axis = -1 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %hardmax = dnn.hardmax %a axis = -1 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %hardmax = dnn.hardmax %a axis = -1 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %batch_norm = dnn.batch_norm %b, %c, %d, %e, %f : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
  %batch_norm = dnn.batch_norm %b, %c, %d, %e, %f : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
  // CHECK-NEXT: %batch_norm_b = dnn.batch_norm %b, %c, %d, %e, %f epsilon = 0.001 : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
  %batch_norm_b = dnn.batch_norm %b, %c, %d, %e, %f epsilon = 0.001 : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
  // CHECK-NEXT: %instance_norm = dnn.instance_norm %b, %c, %d epsilon = 0.001 : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
  %instance_norm = dnn.instance_norm %b, %c, %d epsilon = 0.001 : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
  // CHECK-NEXT: %layer_norm = dnn.layer_norm %a, %g : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  %layer_norm = dnn.layer_norm %a, %g : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %layer_norm_b = dnn.layer_norm %a, %h, shift(%i) axis = 0 epsilon = 1.0e-12 : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %layer_norm_b = dnn.layer_norm %a, %h, shift(%i) axis = 0 epsilon = 1.0e-12 : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %rms_norm = dnn.rms_norm %a, %g : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  %rms_norm = dnn.rms_norm %a, %g : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %rms_norm_b = dnn.rms_norm %a, %h axis = 0 epsilon = 1.0e-06 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %rms_norm_b = dnn.rms_norm %a, %h axis = 0 epsilon = 1.0e-06 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %group_norm = dnn.group_norm %b, %c, %d groups = 2 : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
  %group_norm = dnn.group_norm %b, %c, %d groups = 2 : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
  // CHECK-NEXT: %group_norm_b = dnn.group_norm %b, %c, %d groups = 4 epsilon = 0.001 : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
  %group_norm_b = dnn.group_norm %b, %c, %d groups = 4 epsilon = 0.001 : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
  // CHECK-NEXT: %mean_variance_norm = dnn.mean_variance_norm %b axes = [0, 2, 3] : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %mean_variance_norm = dnn.mean_variance_norm %b axes = [0, 2, 3] : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  // CHECK-NEXT: %lp_norm = dnn.lp_norm %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %lp_norm = dnn.lp_norm %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %lp_norm_b = dnn.lp_norm %a axis = 0 p = 1 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %lp_norm_b = dnn.lp_norm %a axis = 0 p = 1 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT: %lrn = dnn.lrn %b size = 5 : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %lrn = dnn.lrn %b size = 5 : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  // CHECK-NEXT: %lrn_b = dnn.lrn %b size = 3 alpha = 0.01 beta = 0.5 bias = 2.0 : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %lrn_b = dnn.lrn %b size = 3 alpha = 0.01 beta = 0.5 bias = 2.0 : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  // CHECK-NEXT: %reduce_log_sum_exp = dnn.reduce_log_sum_exp %a axes = [1] : (tensor<2x3xf32>) -> tensor<2xf32>
  %reduce_log_sum_exp = dnn.reduce_log_sum_exp %a axes = [1] : (tensor<2x3xf32>) -> tensor<2xf32>
  // CHECK-NEXT: %reduce_log_sum_exp_b = dnn.reduce_log_sum_exp %a axes = [0, 1] keepdims : (tensor<2x3xf32>) -> tensor<1x1xf32>
  %reduce_log_sum_exp_b = dnn.reduce_log_sum_exp %a axes = [0, 1] keepdims : (tensor<2x3xf32>) -> tensor<1x1xf32>
  // CHECK-NEXT: func.return
  func.return
}

// CHECK-LABEL: func.func @quantize
func.func @quantize(
  %a: tensor<2x3xf32>,
  %b: tensor<4x2xf32>,
  %c: tensor<2x3x!dnn.q<ui8, 0.02, 128>>,
  %d: tensor<2x4x!q2>
) {
  // CHECK-NEXT: %quantize = dnn.quantize %a to = !dnn.q<i8, 0.1, 3> : (tensor<2x3xf32>) -> tensor<2x3x!dnn.q<i8, 0.1, 3>>
  %quantize = dnn.quantize %a to = !dnn.q<i8, 0.1, 3> : (tensor<2x3xf32>) -> tensor<2x3x!dnn.q<i8, 0.1, 3>>
  // CHECK-NEXT: %quantize_b = dnn.quantize %b to = !q0 : (tensor<4x2xf32>) -> tensor<4x2x!q0>
  %quantize_b = dnn.quantize %b to = !q0 : (tensor<4x2xf32>) -> tensor<4x2x!q0>
  // CHECK-NEXT: %quantize_c = dnn.quantize %a to = !dnn.q<i8, 0.1, 3> rounding = f32_half_even : (tensor<2x3xf32>) -> tensor<2x3x!dnn.q<i8, 0.1, 3>>
  %quantize_c = dnn.quantize %a to = !dnn.q<i8, 0.1, 3> rounding = f32_half_even : (tensor<2x3xf32>) -> tensor<2x3x!dnn.q<i8, 0.1, 3>>
  // CHECK-NEXT: %dequantize = dnn.dequantize %c : (tensor<2x3x!dnn.q<ui8, 0.02, 128>>) -> tensor<2x3xf32>
  %dequantize = dnn.dequantize %c : (tensor<2x3x!dnn.q<ui8, 0.02, 128>>) -> tensor<2x3xf32>
  // CHECK-NEXT: %requantize = dnn.requantize %d to = !dnn.q<ui8, 0.02, 128> : (tensor<2x4x!q2>) -> tensor<2x4x!dnn.q<ui8, 0.02, 128>>
  %requantize = dnn.requantize %d to = !dnn.q<ui8, 0.02, 128> : (tensor<2x4x!q2>) -> tensor<2x4x!dnn.q<ui8, 0.02, 128>>
  // CHECK-NEXT: %requantize_b = dnn.requantize %d to = !dnn.q<i8, 0.1, 3> rounding = half_away : (tensor<2x4x!q2>) -> tensor<2x4x!dnn.q<i8, 0.1, 3>>
  %requantize_b = dnn.requantize %d to = !dnn.q<i8, 0.1, 3> rounding = half_away : (tensor<2x4x!q2>) -> tensor<2x4x!dnn.q<i8, 0.1, 3>>
  // CHECK-NEXT: func.return
  func.return
}

// CHECK-LABEL: func.func @structure
func.func @structure(%a: tensor<1x4x8x8xf32>) -> tensor<1x6x6x6xf32> {
  // CHECK-NEXT: %weights = dnn.const key = "conv1/W:\"0\"" : () -> tensor<6x4x3x3xf32>
  %weights = dnn.const key = "conv1/W:\"0\"" : () -> tensor<6x4x3x3xf32>
  // CHECK-NEXT: %few = dnn.const value = dense<[1, -2, 3]> : tensor<3xi64> : () -> tensor<3xi64>
  %few = dnn.const value = dense<[1, -2, 3]> : tensor<3xi64> : () -> tensor<3xi64>
  // CHECK-NEXT: %one = dnn.const value = dense<true> : tensor<i1> : () -> tensor<i1>
  %one = dnn.const value = dense<true> : tensor<i1> : () -> tensor<i1>
  // CHECK-NEXT: %y = dnn.group [%a, %weights] {
  // CHECK-NEXT: ^bb0(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>):
  // CHECK-NEXT:   %z = dnn.conv %x, %w window = <[3, 3]> : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  // CHECK-NEXT:   %r = dnn.relu %z : (tensor<1x6x6x6xf32>) -> tensor<1x6x6x6xf32>
  // CHECK-NEXT:   dnn.yield %r : tensor<1x6x6x6xf32>
  // CHECK-NEXT: } : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  %y = dnn.group [%a, %weights] {
  ^bb0(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>):
    %z = dnn.conv %x, %w window = <[3, 3]> : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
    %r = dnn.relu %z : (tensor<1x6x6x6xf32>) -> tensor<1x6x6x6xf32>
    dnn.yield %r : tensor<1x6x6x6xf32>
  } : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  // CHECK-NEXT: dnn.group [] {
  // CHECK-NEXT:   dnn.yield
  // CHECK-NEXT: } : () -> ()
  dnn.group [] {
    dnn.yield
  } : () -> ()
  // CHECK-NEXT: %noted = dnn.relu %y attributes {dnn.range = #dnn.reals<[0.0, 2.5e-07]>, dnn.island} : (tensor<1x6x6x6xf32>) -> tensor<1x6x6x6xf32>
  %noted = dnn.relu %y attributes {dnn.range = #dnn.reals<[0.0, 2.5e-07]>, dnn.island} : (tensor<1x6x6x6xf32>) -> tensor<1x6x6x6xf32>
  // CHECK-NEXT: func.return %noted
  func.return %noted : tensor<1x6x6x6xf32>
}

!a = !dnn.q<i8, 0.1, 3>
!b = !dnn.q<i8, 0.25, -7>
!y = !dnn.q<i8, 0.5, 1>
!u = !dnn.q<ui8, 0.5, 128>
!w = !dnn.q<i16, 0.001, 0>

// CHECK-LABEL: func.func @integer_elementwise
func.func @integer_elementwise(%a: tensor<2x3x!a>, %b: tensor<3x!b>, %t: tensor<256x!u>, %w: tensor<2x3x!w>) {
  // CHECK-NEXT: dnn.qadd %a, %b to = !dnn.q<i8, 0.5, 1> : (tensor<2x3x!dnn.q<i8, 0.1, 3>>, tensor<3x!dnn.q<i8, 0.25, -7>>) -> tensor<2x3x!dnn.q<i8, 0.5, 1>>
  %0 = dnn.qadd %a, %b to = !y : (tensor<2x3x!a>, tensor<3x!b>) -> tensor<2x3x!y>
  // CHECK-NEXT: dnn.qsub %b, %a to = !dnn.q<ui8, 0.5, 128> : (tensor<3x!dnn.q<i8, 0.25, -7>>, tensor<2x3x!dnn.q<i8, 0.1, 3>>) -> tensor<2x3x!dnn.q<ui8, 0.5, 128>>
  %1 = dnn.qsub %b, %a to = !u : (tensor<3x!b>, tensor<2x3x!a>) -> tensor<2x3x!u>
  // CHECK-NEXT: dnn.qmul %a, %b rounding = half_up to = !dnn.q<i8, 0.5, 1> : (tensor<2x3x!dnn.q<i8, 0.1, 3>>, tensor<3x!dnn.q<i8, 0.25, -7>>) -> tensor<2x3x!dnn.q<i8, 0.5, 1>>
  %2 = dnn.qmul %a, %b to = !y rounding = half_up : (tensor<2x3x!a>, tensor<3x!b>) -> tensor<2x3x!y>
  // CHECK-NEXT: dnn.table %a, %t : (tensor<2x3x!dnn.q<i8, 0.1, 3>>, tensor<256x!dnn.q<ui8, 0.5, 128>>) -> tensor<2x3x!dnn.q<ui8, 0.5, 128>>
  %3 = dnn.table %a, %t : (tensor<2x3x!a>, tensor<256x!u>) -> tensor<2x3x!u>
  // CHECK-NEXT: dnn.requantize %a to = !dnn.q<ui8, 0.5, 128> : (tensor<2x3x!dnn.q<i8, 0.1, 3>>) -> tensor<2x3x!dnn.q<ui8, 0.5, 128>>
  %4 = dnn.requantize %a to = !u : (tensor<2x3x!a>) -> tensor<2x3x!u>
  // CHECK-NEXT: dnn.requantize %w to = !dnn.q<i8, 0.1, 3> rounding = trunc : (tensor<2x3x!dnn.q<i16, 0.001, 0>>) -> tensor<2x3x!dnn.q<i8, 0.1, 3>>
  %5 = dnn.requantize %w to = !a rounding = trunc : (tensor<2x3x!w>) -> tensor<2x3x!a>
  // CHECK-NEXT: dnn.max %a, %a : (tensor<2x3x!dnn.q<i8, 0.1, 3>>, tensor<2x3x!dnn.q<i8, 0.1, 3>>) -> tensor<2x3x!dnn.q<i8, 0.1, 3>>
  %6 = dnn.max %a, %a : (tensor<2x3x!a>, tensor<2x3x!a>) -> tensor<2x3x!a>
  func.return
}

// CHECK-LABEL: func.func @integer_reduction
func.func @integer_reduction(%x: tensor<1x2x5x5x!a>, %e: tensor<256xi32>, %m: tensor<5xi32>, %o: tensor<5xi64>) {
  // CHECK-NEXT: dnn.qavg_pool %x window = <[3, 3], pad [1, 1, 1, 1]> count_pad to = !dnn.q<i8, 0.5, 1> : (tensor<1x2x5x5x!dnn.q<i8, 0.1, 3>>) -> tensor<1x2x5x5x!dnn.q<i8, 0.5, 1>>
  %0 = dnn.qavg_pool %x to = !y window = <[3, 3], pad [1, 1, 1, 1]> count_pad : (tensor<1x2x5x5x!a>) -> tensor<1x2x5x5x!y>
  // CHECK-NEXT: dnn.qavg_pool %x window = <[2, 2], stride [2, 2]> rounding = half_away to = !dnn.q<i8, 0.1, 3> : (tensor<1x2x5x5x!dnn.q<i8, 0.1, 3>>) -> tensor<1x2x2x2x!dnn.q<i8, 0.1, 3>>
  %1 = dnn.qavg_pool %x to = !a rounding = half_away window = <[2, 2], stride [2, 2]> : (tensor<1x2x5x5x!a>) -> tensor<1x2x2x2x!a>
  // CHECK-NEXT: dnn.qreduce_mean %x axes = [2, 3] keepdims rounding = half_away to = !dnn.q<i8, 0.5, 1> : (tensor<1x2x5x5x!dnn.q<i8, 0.1, 3>>) -> tensor<1x2x1x1x!dnn.q<i8, 0.5, 1>>
  %2 = dnn.qreduce_mean %x axes = [2, 3] keepdims rounding = half_away to = !y : (tensor<1x2x5x5x!a>) -> tensor<1x2x1x1x!y>
  // CHECK-NEXT: dnn.qreduce_sum %x axes = [1] keepdims rounding = f32_half_even to = !dnn.q<i8, 0.5, 1> : (tensor<1x2x5x5x!dnn.q<i8, 0.1, 3>>) -> tensor<1x1x5x5x!dnn.q<i8, 0.5, 1>>
  %3 = dnn.qreduce_sum %x axes = [1] keepdims rounding = f32_half_even to = !y : (tensor<1x2x5x5x!a>) -> tensor<1x1x5x5x!y>
  // CHECK-NEXT: dnn.qsoftmax %x, %e axis = 3 to = !dnn.q<i8, 0.00390625, -128> : (tensor<1x2x5x5x!dnn.q<i8, 0.1, 3>>, tensor<256xi32>) -> tensor<1x2x5x5x!dnn.q<i8, 0.00390625, -128>>
  %4 = dnn.qsoftmax %x, %e to = !dnn.q<i8, 0.00390625, -128> axis = 3 : (tensor<1x2x5x5x!a>, tensor<256xi32>) -> tensor<1x2x5x5x!dnn.q<i8, 0.00390625, -128>>
  // CHECK-NEXT: dnn.qnormalize %x, %m, offset(%o) axes = [3] center epsilon = 12 shift = 40 to = !dnn.q<i8, 0.5, 1> : (tensor<1x2x5x5x!dnn.q<i8, 0.1, 3>>, tensor<5xi32>, tensor<5xi64>) -> tensor<1x2x5x5x!dnn.q<i8, 0.5, 1>>
  %5 = dnn.qnormalize %x, %m, offset(%o) to = !y axes = [3] center epsilon = 12 shift = 40 : (tensor<1x2x5x5x!a>, tensor<5xi32>, tensor<5xi64>) -> tensor<1x2x5x5x!y>
  // CHECK-NEXT: dnn.qnormalize %x, %m axes = [2, 3] shift = 38 to = !dnn.q<i8, 0.5, 1> : (tensor<1x2x5x5x!dnn.q<i8, 0.1, 3>>, tensor<5xi32>) -> tensor<1x2x5x5x!dnn.q<i8, 0.5, 1>>
  %6 = dnn.qnormalize %x, %m to = !y axes = [2, 3] shift = 38 : (tensor<1x2x5x5x!a>, tensor<5xi32>) -> tensor<1x2x5x5x!y>
  func.return
}

// Two computed operands with zero points, per-channel transposed convolution, padding with the zero point.
// CHECK-LABEL: func.func @integer_contraction
func.func @integer_contraction(%x: tensor<2x4x5x!a>, %z: tensor<2x5x3x!b>, %i: tensor<1x2x4x4x!u>, %w: tensor<2x3x2x2x!dnn.q<i8, axis 1, [0.5, 0.25, 0.125]>>) {
  // CHECK-NEXT: dnn.matmul %x, %z : (tensor<2x4x5x!dnn.q<i8, 0.1, 3>>, tensor<2x5x3x!dnn.q<i8, 0.25, -7>>) -> tensor<2x4x3x!dnn.q<i32, 0.025, 0>>
  %0 = dnn.matmul %x, %z : (tensor<2x4x5x!a>, tensor<2x5x3x!b>) -> tensor<2x4x3x!dnn.q<i32, 0.025, 0>>
  // CHECK-NEXT: dnn.conv_transpose %i, %w window = <[2, 2], stride [2, 2]> : (tensor<1x2x4x4x!dnn.q<ui8, 0.5, 128>>, tensor<2x3x2x2x{{!q[0-9]}}>) -> tensor<1x3x8x8x{{!q[0-9]}}>
  %1 = dnn.conv_transpose %i, %w window = <[2, 2], stride [2, 2]> : (tensor<1x2x4x4x!u>, tensor<2x3x2x2x!dnn.q<i8, axis 1, [0.5, 0.25, 0.125]>>) -> tensor<1x3x8x8x!dnn.q<i32, axis 1, [0.25, 0.125, 0.0625]>>
  // CHECK-NEXT: dnn.pad %i before = [0, 0, 1, 1] after = [0, 0, 1, 1] : (tensor<1x2x4x4x!dnn.q<ui8, 0.5, 128>>) -> tensor<1x2x6x6x!dnn.q<ui8, 0.5, 128>>
  %2 = dnn.pad %i before = [0, 0, 1, 1] after = [0, 0, 1, 1] : (tensor<1x2x4x4x!u>) -> tensor<1x2x6x6x!u>
  func.return
}

// CHECK-LABEL: func.func @rescale
func.func @rescale(%q: tensor<1x3x2x2x!dnn.q<i32, 1.0, 0>>, %m: tensor<3x1x1xi32>, %o: tensor<3x1x1xi64>, %x: tensor<1x3xf32>, %t: tensor<1x15xf32>, %i: tensor<3x4xi32>) {
  // CHECK-NEXT: dnn.requant_shift %q, %m, %o shift = 16 to = !dnn.q<ui8, 1.0, 0> : (tensor<1x3x2x2x!dnn.q<i32, 1.0, 0>>, tensor<3x1x1xi32>, tensor<3x1x1xi64>) -> tensor<1x3x2x2x!dnn.q<ui8, 1.0, 0>>
  %0 = dnn.requant_shift %q, %m, %o shift = 16 to = !dnn.q<ui8, 1.0, 0> : (tensor<1x3x2x2x!dnn.q<i32, 1.0, 0>>, tensor<3x1x1xi32>, tensor<3x1x1xi64>) -> tensor<1x3x2x2x!dnn.q<ui8, 1.0, 0>>
  // CHECK-NEXT: dnn.requant_shift %q, %m, %o shift = 0 to = !dnn.q<i8, 1.0, 0> rounding = trunc : (tensor<1x3x2x2x!dnn.q<i32, 1.0, 0>>, tensor<3x1x1xi32>, tensor<3x1x1xi64>) -> tensor<1x3x2x2x!dnn.q<i8, 1.0, 0>>
  %1 = dnn.requant_shift %q, %m, %o shift = 0 to = !dnn.q<i8, 1.0, 0> rounding = trunc : (tensor<1x3x2x2x!dnn.q<i32, 1.0, 0>>, tensor<3x1x1xi32>, tensor<3x1x1xi64>) -> tensor<1x3x2x2x!dnn.q<i8, 1.0, 0>>
  // CHECK-NEXT: dnn.requantize %q to = !dnn.q<i8, 1.0, 0> rounding = half_up multiplier = [514] shift = 16 : (tensor<1x3x2x2x!dnn.q<i32, 1.0, 0>>) -> tensor<1x3x2x2x!dnn.q<i8, 1.0, 0>>
  %requantize = dnn.requantize %q to = !dnn.q<i8, 1.0, 0> rounding = half_up multiplier = [514] shift = 16 : (tensor<1x3x2x2x!dnn.q<i32, 1.0, 0>>) -> tensor<1x3x2x2x!dnn.q<i8, 1.0, 0>>
  // CHECK-NEXT: dnn.threshold %x, %t to = !dnn.q<ui8, 0.5, 0> : (tensor<1x3xf32>, tensor<1x15xf32>) -> tensor<1x3x!dnn.q<ui8, 0.5, 0>>
  %2 = dnn.threshold %x, %t to = !dnn.q<ui8, 0.5, 0> : (tensor<1x3xf32>, tensor<1x15xf32>) -> tensor<1x3x!dnn.q<ui8, 0.5, 0>>
  // CHECK-NEXT: dnn.threshold %q, %i to = !dnn.q<i8, 1.0, 0> axis = -3 first = -1 step = 2 : (tensor<1x3x2x2x!dnn.q<i32, 1.0, 0>>, tensor<3x4xi32>) -> tensor<1x3x2x2x!dnn.q<i8, 1.0, 0>>
  %3 = dnn.threshold %q, %i to = !dnn.q<i8, 1.0, 0> axis = -3 first = -1 step = 2 : (tensor<1x3x2x2x!dnn.q<i32, 1.0, 0>>, tensor<3x4xi32>) -> tensor<1x3x2x2x!dnn.q<i8, 1.0, 0>>
  func.return
}

// CHECK-LABEL: func.func @bitwise
func.func @bitwise(%x: tensor<1x16x4x5x!dnn.q<i8, 1.0, 0>>, %b: tensor<1x2x4x5x!dnn.bits<binary, 1.0>>, %w: tensor<2x2x3x3x!dnn.bits<binary, 0.5>>, %v: tensor<2x1x1x1x!dnn.bits<binary, 1.0>>, %p: tensor<3x4x!dnn.bits<ternary, 0.5>>, %q: tensor<2x4x!dnn.bits<ternary, 1.0>>, %bias: tensor<2xi32>) {
  // CHECK-NEXT: dnn.pack %x to = !dnn.bits<binary, 1.0> : (tensor<1x16x4x5x!dnn.q<i8, 1.0, 0>>) -> tensor<1x2x4x5x!dnn.bits<binary, 1.0>>
  %0 = dnn.pack %x to = !dnn.bits<binary, 1.0> : (tensor<1x16x4x5x!dnn.q<i8, 1.0, 0>>) -> tensor<1x2x4x5x!dnn.bits<binary, 1.0>>
  // CHECK-NEXT: dnn.pack %x to = !dnn.bits<ternary, 0.5> axis = 2 : (tensor<1x16x4x5x!dnn.q<i8, 1.0, 0>>) -> tensor<1x16x1x5x!dnn.bits<ternary, 0.5>>
  %1 = dnn.pack %x to = !dnn.bits<ternary, 0.5> axis = 2 : (tensor<1x16x4x5x!dnn.q<i8, 1.0, 0>>) -> tensor<1x16x1x5x!dnn.bits<ternary, 0.5>>
  // CHECK-NEXT: dnn.bit_conv %b, %w, bias(%bias) window = <[3, 3], pad [1, 1, 1, 1]> : (tensor<1x2x4x5x!dnn.bits<binary, 1.0>>, tensor<2x2x3x3x!dnn.bits<binary, 0.5>>, tensor<2xi32>) -> tensor<1x2x4x5x!dnn.q<i32, 0.5, 0>>
  %2 = dnn.bit_conv %b, %w, bias(%bias) window = <[3, 3], pad [1, 1, 1, 1]> : (tensor<1x2x4x5x!dnn.bits<binary, 1.0>>, tensor<2x2x3x3x!dnn.bits<binary, 0.5>>, tensor<2xi32>) -> tensor<1x2x4x5x!dnn.q<i32, 0.5, 0>>
  // CHECK-NEXT: dnn.bit_conv %b, %v window = <[1, 1]> groups = 2 : (tensor<1x2x4x5x!dnn.bits<binary, 1.0>>, tensor<2x1x1x1x!dnn.bits<binary, 1.0>>) -> tensor<1x2x4x5x!dnn.q<i32, 1.0, 0>>
  %3 = dnn.bit_conv %b, %v window = <[1, 1]> groups = 2 : (tensor<1x2x4x5x!dnn.bits<binary, 1.0>>, tensor<2x1x1x1x!dnn.bits<binary, 1.0>>) -> tensor<1x2x4x5x!dnn.q<i32, 1.0, 0>>
  // CHECK-NEXT: dnn.bit_matmul %p, %q, bias(%bias) : (tensor<3x4x!dnn.bits<ternary, 0.5>>, tensor<2x4x!dnn.bits<ternary, 1.0>>, tensor<2xi32>) -> tensor<3x2x!dnn.q<i32, 0.5, 0>>
  %4 = dnn.bit_matmul %p, %q, bias(%bias) : (tensor<3x4x!dnn.bits<ternary, 0.5>>, tensor<2x4x!dnn.bits<ternary, 1.0>>, tensor<2xi32>) -> tensor<3x2x!dnn.q<i32, 0.5, 0>>
  func.return
}

// CHECK-LABEL: func.func @recurrence
func.func @recurrence(%a: tensor<2x3xf32>, %b: tensor<4x2x3xf32>, %c: tensor<3xf32>) {
  // CHECK-NEXT: %last, %all = dnn.scan [%a], [%b], [%c] steps = 4 reverse {
  // CHECK-NEXT: ^bb0(%h: tensor<2x3xf32>, %x: tensor<2x3xf32>, %f: tensor<3xf32>):
  // CHECK-NEXT:   %p = dnn.mul %h, %f : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT:   %n = dnn.add %p, %x : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT:   dnn.yield %n, %p : tensor<2x3xf32>, tensor<2x3xf32>
  // CHECK-NEXT: } : (tensor<2x3xf32>, tensor<4x2x3xf32>, tensor<3xf32>) -> (tensor<2x3xf32>, tensor<4x2x3xf32>)
  %last, %all = dnn.scan [%a], [%b], [%c] steps = 4 reverse {
  ^bb0(%h: tensor<2x3xf32>, %x: tensor<2x3xf32>, %f: tensor<3xf32>):
    %p = dnn.mul %h, %f : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
    %n = dnn.add %p, %x : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    dnn.yield %n, %p : tensor<2x3xf32>, tensor<2x3xf32>
  } : (tensor<2x3xf32>, tensor<4x2x3xf32>, tensor<3xf32>) -> (tensor<2x3xf32>, tensor<4x2x3xf32>)
  // CHECK-NEXT: dnn.scan [%a], [], [] steps = 2 {
  // CHECK-NEXT: ^bb0(%s: tensor<2x3xf32>):
  // CHECK-NEXT:   %r = dnn.relu %s : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK-NEXT:   dnn.yield %r : tensor<2x3xf32>
  // CHECK-NEXT: } : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %power = dnn.scan [%a], [], [] steps = 2 {
  ^bb0(%s: tensor<2x3xf32>):
    %r = dnn.relu %s : (tensor<2x3xf32>) -> tensor<2x3xf32>
    dnn.yield %r : tensor<2x3xf32>
  } : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// CHECK-LABEL: func.func @sixteen_bits
func.func @sixteen_bits(%a: tensor<2x3x!dnn.q<i16, 0.00024414062, 0>>, %t: tensor<513x!dnn.q<i8, 0.5, 1>>) {
  // CHECK-NEXT: dnn.interpolate %a, %t : (tensor<2x3x!dnn.q<i16, 0.00024414062, 0>>, tensor<513x!dnn.q<i8, 0.5, 1>>) -> tensor<2x3x!dnn.q<i8, 0.5, 1>>
  %0 = dnn.interpolate %a, %t : (tensor<2x3x!dnn.q<i16, 0.00024414062, 0>>, tensor<513x!dnn.q<i8, 0.5, 1>>) -> tensor<2x3x!dnn.q<i8, 0.5, 1>>
  func.return
}

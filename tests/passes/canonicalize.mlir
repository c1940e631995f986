// RUN: dnnc-opt %s -p canonicalize --split-input-file | filecheck %s

// SameTypeIsIdentity: a movement or cast that changes nothing is its operand.
// CHECK-LABEL: func.func @main(%x: tensor<2x3xf32>)
// CHECK-NEXT: func.return %x
func.func @main(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %a = dnn.reshape %x shape = [2, 3] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %b = dnn.transpose %a perm = [0, 1] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %c = dnn.slice %b start = [0, 0] size = [2, 3] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %d = dnn.expand %c shape = [2, 3] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %e = dnn.pad %d before = [0, 0] after = [0, 0] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %f = dnn.cast %e to = f32 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %g = dnn.clip %f : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return %g : tensor<2x3xf32>
}

// -----
// A reversal keeps the type, but is not the identity.
// CHECK-LABEL: func.func @main(%x: tensor<3xf32>)
// CHECK-NEXT: dnn.slice %x start = [2] size = [3] step = [-1]
func.func @main(%x: tensor<3xf32>) -> tensor<3xf32> {
  %a = dnn.slice %x start = [2] size = [3] step = [-1] : (tensor<3xf32>) -> tensor<3xf32>
  func.return %a : tensor<3xf32>
}

// -----
// ReshapeOfReshape: only the last shape counts.
// CHECK-LABEL: func.func @main(%x: tensor<2x6xf32>)
// CHECK: [[y:%.*]] = dnn.reshape %x shape = [3, 4] : (tensor<2x6xf32>) -> tensor<3x4xf32>
// CHECK-NEXT: func.return [[y]]
func.func @main(%x: tensor<2x6xf32>) -> tensor<3x4xf32> {
  %a = dnn.reshape %x shape = [12] : (tensor<2x6xf32>) -> tensor<12xf32>
  %b = dnn.reshape %a shape = [3, 4] : (tensor<12xf32>) -> tensor<3x4xf32>
  func.return %b : tensor<3x4xf32>
}

// -----
// TransposeOfTranspose: permutations compose.
// CHECK-LABEL: func.func @main(%x: tensor<2x3x4xf32>)
// CHECK: [[y:%.*]] = dnn.transpose %x perm = [2, 1, 0] : (tensor<2x3x4xf32>) -> tensor<4x3x2xf32>
// CHECK-NEXT: func.return [[y]]
func.func @main(%x: tensor<2x3x4xf32>) -> tensor<4x3x2xf32> {
  %a = dnn.transpose %x perm = [1, 2, 0] : (tensor<2x3x4xf32>) -> tensor<3x4x2xf32>
  %b = dnn.transpose %a perm = [1, 0, 2] : (tensor<3x4x2xf32>) -> tensor<4x3x2xf32>
  func.return %b : tensor<4x3x2xf32>
}

// -----
// TransposeOfUnitsIsReshape: moving dimensions of size 1 keeps the order of elements.
// CHECK-LABEL: func.func @main(%x: tensor<1x3x1x4xf32>)
// CHECK-NEXT: dnn.reshape %x shape = [3, 1, 4, 1] : (tensor<1x3x1x4xf32>) -> tensor<3x1x4x1xf32>
func.func @main(%x: tensor<1x3x1x4xf32>) -> tensor<3x1x4x1xf32> {
  %a = dnn.transpose %x perm = [1, 0, 3, 2] : (tensor<1x3x1x4xf32>) -> tensor<3x1x4x1xf32>
  func.return %a : tensor<3x1x4x1xf32>
}

// -----
// ConcatOfOneIsIdentity.
// CHECK-LABEL: func.func @main(%x: tensor<2xf32>)
// CHECK-NEXT: func.return %x
func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
  %a = dnn.concat [%x] axis = 0 : (tensor<2xf32>) -> tensor<2xf32>
  func.return %a : tensor<2xf32>
}

// -----
// NeutralElement: x * 1, 1 * x, x / 1, x - 0 and, on floats, x + -0.0.
// CHECK-LABEL: func.func @main(%x: tensor<2xf32>)
// CHECK-NOT: dnn.mul
// CHECK-NOT: dnn.div
// CHECK-NOT: dnn.sub
// CHECK-NOT: dnn.add
// CHECK: func.return %x
func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
  %one = dnn.const value = dense<1.0> : tensor<2xf32> : () -> tensor<2xf32>
  %zero = dnn.const value = dense<0.0> : tensor<f32> : () -> tensor<f32>
  %minus = dnn.const value = dense<-0.0> : tensor<f32> : () -> tensor<f32>
  %a = dnn.mul %x, %one : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %b = dnn.mul %one, %a : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %c = dnn.div %b, %one : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %d = dnn.sub %c, %zero : (tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
  %e = dnn.add %minus, %d : (tensor<f32>, tensor<2xf32>) -> tensor<2xf32>
  func.return %e : tensor<2xf32>
}

// -----
// What is not exact stays: -0.0 + 0.0 is 0.0, and -0.0 - -0.0 is 0.0; nor is 1 / x neutral, nor 0 - x.
// CHECK-LABEL: func.func @main(%x: tensor<2xf32>)
// CHECK: dnn.add
// CHECK: dnn.sub
// CHECK: dnn.div
// CHECK: dnn.sub
func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
  %one = dnn.const value = dense<1.0> : tensor<f32> : () -> tensor<f32>
  %zero = dnn.const value = dense<0.0> : tensor<f32> : () -> tensor<f32>
  %minus = dnn.const value = dense<-0.0> : tensor<f32> : () -> tensor<f32>
  %a = dnn.add %x, %zero : (tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
  %b = dnn.sub %a, %minus : (tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
  %c = dnn.div %one, %b : (tensor<f32>, tensor<2xf32>) -> tensor<2xf32>
  %d = dnn.sub %zero, %c : (tensor<f32>, tensor<2xf32>) -> tensor<2xf32>
  func.return %d : tensor<2xf32>
}

// -----
// Integers: x + 0 = x; but a constant that broadcasts x to a larger shape is not neutral.
// CHECK-LABEL: func.func @main(%x: tensor<2xi32>)
// CHECK: [[y:%.*]] = dnn.add %x, {{.*}} -> tensor<3x2xi32>
// CHECK-NEXT: func.return [[y]]
func.func @main(%x: tensor<2xi32>) -> tensor<3x2xi32> {
  %zero = dnn.const value = dense<0> : tensor<2xi32> : () -> tensor<2xi32>
  %zeros = dnn.const value = dense<0> : tensor<3x2xi32> : () -> tensor<3x2xi32>
  %a = dnn.add %zero, %x : (tensor<2xi32>, tensor<2xi32>) -> tensor<2xi32>
  %b = dnn.add %a, %zeros : (tensor<2xi32>, tensor<3x2xi32>) -> tensor<3x2xi32>
  func.return %b : tensor<3x2xi32>
}

// -----
// ClipAtZeroIsRelu, MaxWithZeroIsRelu and ReluOfRelu: one relu is left.
// CHECK-LABEL: func.func @main(%x: tensor<2xf32>)
// CHECK: [[y:%.*]] = dnn.relu %x
// CHECK-NEXT: func.return [[y]]
func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
  %zero = dnn.const value = dense<0.0> : tensor<f32> : () -> tensor<f32>
  %a = dnn.clip %x low = 0.0 : (tensor<2xf32>) -> tensor<2xf32>
  %b = dnn.max %zero, %a : (tensor<f32>, tensor<2xf32>) -> tensor<2xf32>
  %c = dnn.relu %b : (tensor<2xf32>) -> tensor<2xf32>
  func.return %c : tensor<2xf32>
}

// -----
// ReluBelowZeroPoint: a type whose smallest value is zero holds no negative number.
// CHECK-LABEL: func.func @main
// CHECK-NEXT: [[y:%.*]] = dnn.relu %y
// CHECK-NEXT: func.return %x, [[y]]
func.func @main(%x: tensor<2x!dnn.q<i8, 0.1, -128>>, %y: tensor<2x!dnn.q<i8, 0.1, -127>>)
    -> (tensor<2x!dnn.q<i8, 0.1, -128>>, tensor<2x!dnn.q<i8, 0.1, -127>>) {
  %a = dnn.relu %x : (tensor<2x!dnn.q<i8, 0.1, -128>>) -> tensor<2x!dnn.q<i8, 0.1, -128>>
  %b = dnn.relu %y : (tensor<2x!dnn.q<i8, 0.1, -127>>) -> tensor<2x!dnn.q<i8, 0.1, -127>>
  func.return %a, %b : tensor<2x!dnn.q<i8, 0.1, -128>>, tensor<2x!dnn.q<i8, 0.1, -127>>
}

// -----
// PadIntoConv: zero pads of the spatial dimensions go into the window.
// CHECK-LABEL: func.func @main(%x: tensor<1x2x6x6xf32>
// CHECK: dnn.conv %x, %w window = <[3, 3], pad [2, 0, 0, 1]>
func.func @main(%x: tensor<1x2x6x6xf32>, %w: tensor<4x2x3x3xf32>) -> tensor<1x4x6x5xf32> {
  %p = dnn.pad %x before = [0, 0, 1, 0] after = [0, 0, 0, 1] : (tensor<1x2x6x6xf32>) -> tensor<1x2x7x7xf32>
  %y = dnn.conv %p, %w window = <[3, 3], pad [1, 0, 0, 0]> : (tensor<1x2x7x7xf32>, tensor<4x2x3x3xf32>) -> tensor<1x4x6x5xf32>
  func.return %y : tensor<1x4x6x5xf32>
}

// -----
// Pads of another value, and pads of channels, stay.
// CHECK-LABEL: func.func @main(%x: tensor<1x2x6x6xf32>
// CHECK: dnn.conv {{.*}} window = <[3, 3]> :
// CHECK: dnn.conv {{.*}} window = <[3, 3]> :
func.func @main(%x: tensor<1x2x6x6xf32>, %w: tensor<4x2x3x3xf32>, %v: tensor<4x3x3x3xf32>)
    -> (tensor<1x4x5x4xf32>, tensor<1x4x4x4xf32>) {
  %p = dnn.pad %x before = [0, 0, 1, 0] after = [0, 0, 0, 0] value = 1.0 : (tensor<1x2x6x6xf32>) -> tensor<1x2x7x6xf32>
  %y = dnn.conv %p, %w window = <[3, 3]> : (tensor<1x2x7x6xf32>, tensor<4x2x3x3xf32>) -> tensor<1x4x5x4xf32>
  %q = dnn.pad %x before = [0, 1, 0, 0] after = [0, 0, 0, 0] : (tensor<1x2x6x6xf32>) -> tensor<1x3x6x6xf32>
  %z = dnn.conv %q, %v window = <[3, 3]> : (tensor<1x3x6x6xf32>, tensor<4x3x3x3xf32>) -> tensor<1x4x4x4xf32>
  func.return %y, %z : tensor<1x4x5x4xf32>, tensor<1x4x4x4xf32>
}

// -----
// In ceil mode a window must not start in the right padding, so there the pad stays when the sizes differ.
// CHECK-LABEL: func.func @main(%x: tensor<1x2x5x5xf32>
// CHECK-NEXT: dnn.pad
// CHECK-NEXT: dnn.conv
func.func @main(%x: tensor<1x2x5x5xf32>, %w: tensor<4x2x2x2xf32>) -> tensor<1x4x4x4xf32> {
  %p = dnn.pad %x before = [0, 0, 0, 0] after = [0, 0, 2, 2] : (tensor<1x2x5x5xf32>) -> tensor<1x2x7x7xf32>
  %y = dnn.conv %p, %w window = <[2, 2], stride [2, 2], ceil> : (tensor<1x2x7x7xf32>, tensor<4x2x2x2xf32>) -> tensor<1x4x4x4xf32>
  func.return %y : tensor<1x4x4x4xf32>
}

// -----
// AddIntoBias: a constant of one value a channel becomes the bias, in whatever shape it came.
// CHECK-LABEL: func.func @main(%x: tensor<1x2x6x6xf32>
// CHECK: [[b:%.*]] = dnn.const value = dense<[1.000000e+00, 2.000000e+00, 3.000000e+00]> : tensor<3xf32>
// CHECK-NEXT: [[y:%.*]] = dnn.conv %x, %w, bias([[b]]) window = <[3, 3]>
// CHECK-NEXT: func.return [[y]]
func.func @main(%x: tensor<1x2x6x6xf32>, %w: tensor<3x2x3x3xf32>) -> tensor<1x3x4x4xf32> {
  %c = dnn.const value = dense<[[[1.0]], [[2.0]], [[3.0]]]> : tensor<3x1x1xf32> : () -> tensor<3x1x1xf32>
  %y = dnn.conv %x, %w window = <[3, 3]> : (tensor<1x2x6x6xf32>, tensor<3x2x3x3xf32>) -> tensor<1x3x4x4xf32>
  %z = dnn.add %c, %y : (tensor<3x1x1xf32>, tensor<1x3x4x4xf32>) -> tensor<1x3x4x4xf32>
  func.return %z : tensor<1x3x4x4xf32>
}

// -----
// A matrix product takes a row; what varies along rows, a product used twice, and a product of vectors do not match.
// CHECK-LABEL: func.func @main(%a: tensor<2x3xf32>
// CHECK: dnn.matmul %a, %b, bias(%row) :
// CHECK: dnn.matmul %a, %b :
// CHECK: dnn.add
// CHECK: dnn.matmul %b, %b :
// CHECK: dnn.add
// CHECK: dnn.matmul %v, %v :
// CHECK: dnn.add
func.func @main(%a: tensor<2x3xf32>, %b: tensor<3x3xf32>, %v: tensor<3xf32>)
    -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<3x3xf32>, tensor<3x3xf32>, tensor<f32>) {
  %row = dnn.const value = dense<[1.0, 2.0, 3.0]> : tensor<3xf32> : () -> tensor<3xf32>
  %column = dnn.const value = dense<[[1.0], [2.0]]> : tensor<2x1xf32> : () -> tensor<2x1xf32>
  %one = dnn.const value = dense<2.0> : tensor<f32> : () -> tensor<f32>
  %p = dnn.matmul %a, %b : (tensor<2x3xf32>, tensor<3x3xf32>) -> tensor<2x3xf32>
  %q = dnn.add %p, %row : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  %r = dnn.matmul %a, %b : (tensor<2x3xf32>, tensor<3x3xf32>) -> tensor<2x3xf32>
  %s = dnn.add %r, %column : (tensor<2x3xf32>, tensor<2x1xf32>) -> tensor<2x3xf32>
  %t = dnn.matmul %b, %b : (tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<3x3xf32>
  %u = dnn.add %t, %row : (tensor<3x3xf32>, tensor<3xf32>) -> tensor<3x3xf32>
  %d = dnn.matmul %v, %v : (tensor<3xf32>, tensor<3xf32>) -> tensor<f32>
  %e = dnn.add %d, %one : (tensor<f32>, tensor<f32>) -> tensor<f32>
  func.return %q, %s, %t, %u, %e : tensor<2x3xf32>, tensor<2x3xf32>, tensor<3x3xf32>, tensor<3x3xf32>, tensor<f32>
}

// -----
// CastOfInput, CastOfMove, CastOfCast, OutputOfCast: integers between quantize and dequantize that are only moved are quantized values,
// and so are inputs and outputs that are nothing else.
// CHECK-LABEL: func.func @main(%x: tensor<2x3x!dnn.q<i8, 0.5, 1>>) -> tensor<2x2x!dnn.q<i8, 0.5, 1>> {
// CHECK: dnn.dequantize %x
// CHECK: [[q:%.*]] = dnn.quantize
// CHECK: [[t:%.*]] = dnn.transpose [[q]] perm = [1, 0] : (tensor<2x3x!dnn.q<i8, 0.5, 1>>)
// CHECK: [[g:%.*]] = dnn.gather [[t]], %i {{.*}} -> tensor<2x2x!dnn.q<i8, 0.5, 1>>
// CHECK: func.return [[g]]
func.func @main(%x: tensor<2x3xi8>) -> tensor<2x2xi8> {
  %i = dnn.const value = dense<[2, 0]> : tensor<2xi64> : () -> tensor<2xi64>
  %0 = dnn.storage_cast %x to = !dnn.q<i8, 0.5, 1> : (tensor<2x3xi8>) -> tensor<2x3x!dnn.q<i8, 0.5, 1>>
  %1 = dnn.dequantize %0 : (tensor<2x3x!dnn.q<i8, 0.5, 1>>) -> tensor<2x3xf32>
  %2 = dnn.relu %1 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %3 = dnn.quantize %2 to = !dnn.q<i8, 0.5, 1> : (tensor<2x3xf32>) -> tensor<2x3x!dnn.q<i8, 0.5, 1>>
  %4 = dnn.storage_cast %3 to = i8 : (tensor<2x3x!dnn.q<i8, 0.5, 1>>) -> tensor<2x3xi8>
  %5 = dnn.transpose %4 perm = [1, 0] : (tensor<2x3xi8>) -> tensor<3x2xi8>
  %6 = dnn.storage_cast %5 to = !dnn.q<i8, 0.5, 1> : (tensor<3x2xi8>) -> tensor<3x2x!dnn.q<i8, 0.5, 1>>
  %7 = dnn.gather %6, %i axis = 0 : (tensor<3x2x!dnn.q<i8, 0.5, 1>>, tensor<2xi64>) -> tensor<2x2x!dnn.q<i8, 0.5, 1>>
  %8 = dnn.storage_cast %7 to = i8 : (tensor<2x2x!dnn.q<i8, 0.5, 1>>) -> tensor<2x2xi8>
  func.return %8 : tensor<2x2xi8>
}

// -----
// An input read in two ways stays integers; padding with zeros is not padding with the zero point.
// CHECK-LABEL: func.func @main(%x: tensor<2xi8>)
// CHECK-NEXT: dnn.storage_cast %x to = !dnn.q<i8, 0.5, 1>
// CHECK-NEXT: dnn.pad %x
// CHECK-NEXT: dnn.storage_cast
func.func @main(%x: tensor<2xi8>) -> (tensor<2x!dnn.q<i8, 0.5, 1>>, tensor<4x!dnn.q<i8, 0.5, 1>>) {
  %0 = dnn.storage_cast %x to = !dnn.q<i8, 0.5, 1> : (tensor<2xi8>) -> tensor<2x!dnn.q<i8, 0.5, 1>>
  %1 = dnn.pad %x before = [1] after = [1] : (tensor<2xi8>) -> tensor<4xi8>
  %2 = dnn.storage_cast %1 to = !dnn.q<i8, 0.5, 1> : (tensor<4xi8>) -> tensor<4x!dnn.q<i8, 0.5, 1>>
  func.return %0, %2 : tensor<2x!dnn.q<i8, 0.5, 1>>, tensor<4x!dnn.q<i8, 0.5, 1>>
}

// -----
// CastOfConstant, MoveOfDequantizedConstant, AddOfDequantizedIsBias: constants stay integers, under a key of the store.
// CHECK-LABEL: func.func @main(%x: tensor<1x3xf32>)
// CHECK: [[w:%.*]] = dnn.const key = "w.transposed" : () -> tensor<3x2x!q{{.}}>
// CHECK: [[d:%.*]] = dnn.dequantize [[w]]
// CHECK: [[b:%.*]] = dnn.const key = "b.reshaped" : () -> tensor<2x!dnn.q<i32, 0.125, 0>>
// CHECK: [[e:%.*]] = dnn.dequantize [[b]]
// CHECK: dnn.matmul %x, [[d]], bias([[e]]) :
func.func @main(%x: tensor<1x3xf32>) -> tensor<1x2xf32> {
  %0 = dnn.const key = "w" : () -> tensor<2x3xi8>
  %1 = dnn.storage_cast %0 to = !dnn.q<i8, axis 0, [0.5, 0.25]> : (tensor<2x3xi8>) -> tensor<2x3x!dnn.q<i8, axis 0, [0.5, 0.25]>>
  %2 = dnn.dequantize %1 : (tensor<2x3x!dnn.q<i8, axis 0, [0.5, 0.25]>>) -> tensor<2x3xf32>
  %3 = dnn.transpose %2 perm = [1, 0] : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %4 = dnn.const key = "b" : () -> tensor<1x2x!dnn.q<i32, 0.125, 0>>
  %5 = dnn.dequantize %4 : (tensor<1x2x!dnn.q<i32, 0.125, 0>>) -> tensor<1x2xf32>
  %6 = dnn.matmul %x, %3 : (tensor<1x3xf32>, tensor<3x2xf32>) -> tensor<1x2xf32>
  %7 = dnn.add %6, %5 : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  func.return %7 : tensor<1x2xf32>
}

// -----
// RequantizeToItsOwnType, PadIntoConv between quantized values. TableOfFunction and FunctionOfTable read tables, which are not here:
// test_numerics runs them.
// CHECK-LABEL: func.func @main(%x: tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>
// CHECK: [[r:%.*]] = dnn.clip %x low = -3.0 high = 5.0
// CHECK-NEXT: [[f:%.*]] = dnn.table [[r]]
// CHECK-NEXT: [[s:%.*]] = dnn.requantize [[f]] to = !dnn.q<i8, 0.25, 3>
// CHECK: [[c:%.*]] = dnn.conv [[s]], %w window = <[3, 3], pad [1, 1, 1, 1]> :
// CHECK-NEXT: return [[c]]
func.func @main(%x: tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>, %w: tensor<2x2x3x3x!dnn.q<i8, 0.5, 0>>) -> tensor<1x2x4x4x!dnn.q<i32, 0.125, 0>> {
  %t = dnn.const key = "t" : () -> tensor<256x!dnn.q<i8, 0.5, 3>>
  %q = dnn.requantize %x to = !dnn.q<i8, 0.5, 3> : (tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>
  %r = dnn.clip %q low = -3.0 high = 5.0 : (tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>
  %f = dnn.table %r, %t : (tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>, tensor<256x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>
  %s = dnn.requantize %f to = !dnn.q<i8, 0.25, 3> : (tensor<1x2x4x4x!dnn.q<i8, 0.5, 3>>) -> tensor<1x2x4x4x!dnn.q<i8, 0.25, 3>>
  %p = dnn.pad %s before = [0, 0, 1, 1] after = [0, 0, 1, 1] : (tensor<1x2x4x4x!dnn.q<i8, 0.25, 3>>) -> tensor<1x2x6x6x!dnn.q<i8, 0.25, 3>>
  %c = dnn.conv %p, %w window = <[3, 3]> : (tensor<1x2x6x6x!dnn.q<i8, 0.25, 3>>, tensor<2x2x3x3x!dnn.q<i8, 0.5, 0>>) -> tensor<1x2x4x4x!dnn.q<i32, 0.125, 0>>
  func.return %c : tensor<1x2x4x4x!dnn.q<i32, 0.125, 0>>
}

// -----
// WholeWeightsAreQuantized: whole numbers of at most 8 bits beside a dequantized operand are integers; others stay.
// CHECK: dnn.const key = "weights.i8" : () -> tensor<2x2x!dnn.q<i8, 1.0, 0>>
// CHECK: [[w:%.*]] = dnn.dequantize
// CHECK: dnn.matmul %0, [[w]] :
// CHECK: dnn.matmul %0, %v :
func.func @main(%x: tensor<1x2x!dnn.q<i8, 0.5, 0>>) -> (tensor<1x2xf32>, tensor<1x2xf32>) {
  %0 = dnn.dequantize %x : (tensor<1x2x!dnn.q<i8, 0.5, 0>>) -> tensor<1x2xf32>
  %w = dnn.const value = dense<[[1.0, -128.0], [0.0, 127.0]]> : tensor<2x2xf32> : () -> tensor<2x2xf32>
  %v = dnn.const value = dense<[[1.0, -128.0], [0.0, 128.0]]> : tensor<2x2xf32> : () -> tensor<2x2xf32>
  %1 = dnn.matmul %0, %w : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %2 = dnn.matmul %0, %v : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  func.return %1, %2 : tensor<1x2xf32>, tensor<1x2xf32>
}

// -----
// ConstantEntersScan: a constant read by every step stands in the body. What is no constant stays an operand.
// CHECK-LABEL: func.func @main(%x: tensor<2xf32>, %f: tensor<2xf32>)
// CHECK: [[y:%.*]] = dnn.scan [%x], [], [%f] steps = 3 {
// CHECK-NEXT: ^bb0([[h:%.*]]: tensor<2xf32>, [[g:%.*]]: tensor<2xf32>):
// CHECK-NEXT:   [[c:%.*]] = dnn.const value = dense<[1.000000e+00, 2.000000e+00]>
// CHECK-NEXT:   [[m:%.*]] = dnn.mul [[h]], [[c]]
// CHECK-NEXT:   [[a:%.*]] = dnn.add [[m]], [[g]]
// CHECK-NEXT:   dnn.yield [[a]]
func.func @main(%x: tensor<2xf32>, %f: tensor<2xf32>) -> tensor<2xf32> {
  %c = dnn.const value = dense<[1.0, 2.0]> : tensor<2xf32> : () -> tensor<2xf32>
  %y = dnn.scan [%x], [], [%c, %f] steps = 3 {
  ^bb0(%h: tensor<2xf32>, %k: tensor<2xf32>, %g: tensor<2xf32>):
    %m = dnn.mul %h, %k : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    %a = dnn.add %m, %g : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    dnn.yield %a : tensor<2xf32>
  } : (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  func.return %y : tensor<2xf32>
}

// -----
// UnreadIsNotStacked: of the stacked values only those that are read are kept; the last state stays.
// CHECK-LABEL: func.func @main(%x: tensor<2xf32>)
// CHECK-NEXT: [[r:%.*]], [[s:%.*]] = dnn.scan [%x], [], [] steps = 3 {
// CHECK:        dnn.yield [[a:%.*]], [[a]] : tensor<2xf32>, tensor<2xf32>
// CHECK-NEXT: } : (tensor<2xf32>) -> (tensor<2xf32>, tensor<3x2xf32>)
// CHECK-NEXT: func.return [[s]]
func.func @main(%x: tensor<2xf32>) -> tensor<3x2xf32> {
  %r, %s, %t = dnn.scan [%x], [], [] steps = 3 {
  ^bb0(%h: tensor<2xf32>):
    %m = dnn.add %h, %h : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    %a = dnn.relu %m : (tensor<2xf32>) -> tensor<2xf32>
    dnn.yield %a, %m, %a : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
  } : (tensor<2xf32>) -> (tensor<2xf32>, tensor<3x2xf32>, tensor<3x2xf32>)
  func.return %t : tensor<3x2xf32>
}

// -----
// NearestIsExpand: each value of an axis is repeated, 2 and 3 times; other factors stay.
// CHECK-LABEL: func.func @main(%x: tensor<1x2x3x3xf32>)
// CHECK-NEXT: [[a:%.*]] = dnn.reshape %x shape = [1, 2, 3, 1, 3, 1]
// CHECK-NEXT: [[b:%.*]] = dnn.expand [[a]] shape = [1, 2, 3, 2, 3, 3]
// CHECK-NEXT: [[c:%.*]] = dnn.reshape [[b]] shape = [1, 2, 6, 9]
// CHECK-NEXT: [[d:%.*]] = dnn.resize %x size = [1, 2, 3, 5]
// CHECK-NEXT: [[e:%.*]] = dnn.resize %x size = [1, 2, 6, 9] mode = linear
// CHECK-NEXT: return [[c]], [[d]], [[e]]
func.func @main(%x: tensor<1x2x3x3xf32>) -> (tensor<1x2x6x9xf32>, tensor<1x2x3x5xf32>, tensor<1x2x6x9xf32>) {
  %y = dnn.resize %x size = [1, 2, 6, 9] mode = nearest coordinates = asymmetric rounding = floor : (tensor<1x2x3x3xf32>) -> tensor<1x2x6x9xf32>
  %z = dnn.resize %x size = [1, 2, 3, 5] mode = nearest : (tensor<1x2x3x3xf32>) -> tensor<1x2x3x5xf32>
  %l = dnn.resize %x size = [1, 2, 6, 9] mode = linear : (tensor<1x2x3x3xf32>) -> tensor<1x2x6x9xf32>
  func.return %y, %z, %l : tensor<1x2x6x9xf32>, tensor<1x2x3x5xf32>, tensor<1x2x6x9xf32>
}

// -----
// NearestIsSlice: smaller by whole factors; what is taken from outside is not moved.
// CHECK-LABEL: func.func @main(%x: tensor<1x2x6x9xf32>)
// CHECK-NEXT: [[a:%.*]] = dnn.slice %x start = [0, 0, 0, 1] size = [1, 2, 3, 3] step = [1, 1, 2, 3]
// CHECK-NEXT: [[b:%.*]] = dnn.resize %x size = [1, 2, 6, 9]
// CHECK-NEXT: return [[a]], [[b]]
func.func @main(%x: tensor<1x2x6x9xf32>) -> (tensor<1x2x3x3xf32>, tensor<1x2x6x9xf32>) {
  %y = dnn.resize %x size = [1, 2, 3, 3] mode = nearest : (tensor<1x2x6x9xf32>) -> tensor<1x2x3x3xf32>
  %z = dnn.resize %x size = [1, 2, 6, 9] mode = nearest coordinates = tf_crop_and_resize region = [0.0, 0.0, -0.5, 0.0, 1.0, 1.0, 1.0, 1.0] : (tensor<1x2x6x9xf32>) -> tensor<1x2x6x9xf32>
  func.return %y, %z : tensor<1x2x3x3xf32>, tensor<1x2x6x9xf32>
}

// -----
// GatherIsSlice: constant indices at one distance, also from the end; others stay.
// CHECK-LABEL: func.func @main(%x: tensor<4x5xf32>)
// CHECK: [[a:%.*]] = dnn.slice %x start = [0, 1] size = [4, 2] step = [1, 2]
// CHECK-NEXT: [[b:%.*]] = dnn.slice %x start = [3, 0] size = [1, 5]
// CHECK-NEXT: [[c:%.*]] = dnn.reshape [[b]] shape = [5]
// CHECK-NEXT: [[d:%.*]] = dnn.gather %x, %k
// CHECK-NEXT: return [[a]], [[c]], [[d]]
func.func @main(%x: tensor<4x5xf32>) -> (tensor<4x2xf32>, tensor<5xf32>, tensor<2x5xf32>) {
  %i = dnn.const value = dense<[1, -2]> : tensor<2xi64> : () -> tensor<2xi64>
  %j = dnn.const value = dense<-1> : tensor<i64> : () -> tensor<i64>
  %k = dnn.const value = dense<[2, 0]> : tensor<2xi64> : () -> tensor<2xi64>
  %a = dnn.gather %x, %i axis = 1 : (tensor<4x5xf32>, tensor<2xi64>) -> tensor<4x2xf32>
  %b = dnn.gather %x, %j : (tensor<4x5xf32>, tensor<i64>) -> tensor<5xf32>
  %c = dnn.gather %x, %k : (tensor<4x5xf32>, tensor<2xi64>) -> tensor<2x5xf32>
  func.return %a, %b, %c : tensor<4x2xf32>, tensor<5xf32>, tensor<2x5xf32>
}

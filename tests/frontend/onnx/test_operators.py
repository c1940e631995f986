"""Operators that need code of their own, against onnxruntime."""

import pytest

IMAGE = "float[1,2,7,8] x => float[n,c,h,w] y"
ROWS = "float[3,4] x => float[a,b] y"

CASES = {
    "conv": ("float[1,4,7,8] x, float[6,2,3,3] w, float[6] b => float[n,c,h,w] y",
             "y = Conv<group=2, pads=[0,1,2,1], strides=[2,1], dilations=[1,2]>(x, w, b)"),
    "conv 1-D": ("float[2,3,9] x, float[4,3,3] w => float[n,c,l] y", "y = Conv<strides=[2]>(x, w)"),
    "conv 3-D": ("float[1,2,4,5,6] x, float[3,2,2,3,2] w => float[n,c,d,h,w] y", "y = Conv<pads=[1,0,1,0,1,0]>(x, w)"),
    "conv same upper": ("float[1,2,7,8] x, float[3,2,4,3] w => float[n,c,h,w] y",
                        'y = Conv<auto_pad="SAME_UPPER", strides=[2,3]>(x, w)'),
    "conv same lower": ("float[1,2,7,8] x, float[3,2,4,3] w => float[n,c,h,w] y",
                        'y = Conv<auto_pad="SAME_LOWER", strides=[2,3]>(x, w)'),
    "conv valid": ("float[1,2,7,8] x, float[3,2,4,3] w => float[n,c,h,w] y", 'y = Conv<auto_pad="VALID">(x, w)'),
    "depthwise": ("float[1,3,7,8] x, float[3,1,3,3] w => float[n,c,h,w] y", "y = Conv<group=3>(x, w)"),
    "transposed conv": ("float[1,4,5,6] x, float[4,3,3,2] w, float[6] b => float[n,c,h,w] y",
                        "y = ConvTranspose<group=2, strides=[2,3], pads=[1,0,0,1], output_padding=[1,0]>(x, w, b)"),
    "transposed conv, shape": ("float[1,2,5,6] x, float[2,3,3,3] w => float[n,c,h,w] y",
                               "y = ConvTranspose<strides=[2,2], output_shape=[10,12]>(x, w)"),
    "transposed conv, same": ("float[1,2,5,6] x, float[2,3,3,3] w => float[n,c,h,w] y",
                              'y = ConvTranspose<strides=[2,2], auto_pad="SAME_LOWER">(x, w)'),
    "max pool": (IMAGE, "y = MaxPool<kernel_shape=[3,2], strides=[2,2], pads=[1,0,1,1], ceil_mode=1>(x)"),
    "max pool, places": ("float[2,2,7,8] x => float[n,c,h,w] y, int64[n,c,h,w] i",
                         "y, i = MaxPool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(x)"),
    "average pool": (IMAGE, "y = AveragePool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(x)"),
    "average pool, pads": (IMAGE,
                           "y = AveragePool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1], count_include_pad=1>(x)"),
    "average pool, same": (IMAGE, 'y = AveragePool<kernel_shape=[3,3], strides=[2,2], auto_pad="SAME_UPPER">(x)'),
    "lp pool": (IMAGE, "y = LpPool<kernel_shape=[3,3], p=3>(x)"),
    "global pools": (IMAGE, "a = GlobalAveragePool(x) b = GlobalMaxPool(x) y = Add(a, b)"),
    "global lp pool": (IMAGE, "y = GlobalLpPool<p=2>(x)"),
    "gemm": ("float[4,3] a, float[5,4] b, float[5] c => float[m,n] y",
             "y = Gemm<alpha=0.5, beta=2.0, transA=1, transB=1>(a, b, c)"),
    "gemm, plain": ("float[3,4] a, float[4,5] b => float[m,n] y", "y = Gemm(a, b)"),
    "matmul": ("float[2,1,3,4] a, float[5,4,2] b => float[a,b,c,d] y", "y = MatMul(a, b)"),
    "matmul, vectors": ("float[4] a, float[4] b => float y", "y = MatMul(a, b)"),
    "sum": ("float[3,4] x, float[4] z, float[3,1] w => float[a,b] y", "y = Sum(x, z, w)"),
    "mean": ("float[3,4] x, float[4] z, float[3,1] w => float[a,b] y", "y = Mean(x, z, w)"),
    "max and min": ("float[3,4] x, float[4] z => float[a,b] y", "a = Max(x, z) b = Min(x, z) y = Sub(a, b)"),
    "max of integers": ("uint64[3,4] x, uint64[4] z => uint64[a,b] y", "y = Max(x, z)"),
    "power": ("float[3,4] x, int32[4] z => float[a,b] y", "y = Pow(x, z)"),
    "clip": (ROWS, "l = Constant<value_float=-0.5>() y = Clip(x, l)"),
    "clip, both run-time": ("float[3,4] x, float l, float h => float[a,b] y", "y = Clip(x, l, h)"),
    "clip integers": ("int8[3,4] x => int8[a,b] y",
                      "l = Constant<value=int8{-2}>() h = Constant<value=int8{3}>() y = Clip(x, l, h)"),
    "cast": ("float[3,4] x => int32[a,b] y", "y = Cast<to=6>(x)"),
    "cast like": ("float[3,4] x, bool[1] z => bool[a,b] y", "y = CastLike(x, z)"),
    "is inf": ("float[3] x => bool[a] y",
               "z = Constant<value_float=0.0>() d = Div(x, z) y = IsInf<detect_negative=0>(d)"),
    "mod": ("int32[3,4] x => int32[a,b] y", "z = Constant<value=int32{3}>() y = Mod(x, z)"),
    "fmod": (ROWS, "z = Constant<value_float=0.7>() y = Mod<fmod=1>(x, z)"),
    "bit shift": ("uint8[3,4] x, uint8[4] z => uint8[a,b] y", 'y = BitShift<direction="RIGHT">(x, z)'),
    "reduce": ("float[2,3,4] x => float[a,b] y",
               "a = Constant<value_ints=[-1]>() y = ReduceMean<keepdims=0>(x, a)"),
    "reduce all": ("float[2,3,4] x => float[a,b,c] y", "y = ReduceSum(x)"),
    "reduce nothing": ("float[2,3,4] x => float[a,b,c] y", "y = ReduceSum<noop_with_empty_axes=1>(x)"),
    "reduce, log sum exp": ("float[2,3,4] x => float[a,b,c] y",
                            "a = Constant<value_ints=[0,2]>() y = ReduceLogSumExp(x, a)"),
    "arg max": ("float[2,3,4] x => int64[a,b] y", "y = ArgMax<axis=1, keepdims=0>(x)"),
    "arg min, last": ("int32[3,4] x => int64[a,b] y", "y = ArgMin<axis=-1, select_last_index=1>(x)"),
    "cumulative sum": (ROWS, "a = Constant<value_int=1>() y = CumSum<exclusive=1, reverse=1>(x, a)"),
    "batch norm": ("float[2,3,4,5] x, float[3] s, float[3] b, float[3] m => float[n,c,h,w] y",
                   "v = Constant<value_floats=[0.5,1.0,2.0]>() y = BatchNormalization<epsilon=0.01>(x, s, b, m, v)"),
    "instance norm": ("float[2,3,4,5] x, float[3] s, float[3] b => float[n,c,h,w] y",
                      "y = InstanceNormalization(x, s, b)"),
    "layer norm": ("float[2,3,4] x, float[4] s, float[4] b => float[n,c,h] y",
                   "y = LayerNormalization<axis=-1>(x, s, b)"),
    "layer norm, statistics": ("float[2,3,4] x, float[4] s => float[n,c,h] y, float[n,c,h] m, float[n,c,h] d",
                               "y, m, d = LayerNormalization<axis=-1>(x, s)"),
    "group norm": ("float[2,6,4,5] x, float[6] s, float[6] b => float[n,c,h,w] y",
                   "y = GroupNormalization<num_groups=3>(x, s, b)"),
    "local response": ("float[2,6,4,5] x => float[n,c,h,w] y", "y = LRN<size=3, alpha=0.1, beta=0.5, bias=2.0>(x)"),
    "softmax": ("float[2,3,4] x => float[n,c,h] y", "y = Softmax<axis=1>(x)"),
    "reshape": ("float[2,3,4] x => float[a,b,c] y", "s = Constant<value_ints=[0,-1,2]>() y = Reshape(x, s)"),
    "reshape to nothing": ("float[0,3] x => float[a,b] y",
                           "s = Constant<value_ints=[5,0]>() y = Reshape<allowzero=1>(x, s)"),
    "flatten": ("float[2,3,4] x => float[a,b] y", "y = Flatten<axis=-1>(x)"),
    "squeeze": ("float[2,1,4,1] x => float[a,b] y", "y = Squeeze(x)"),
    "unsqueeze": ("float[3,4] x => float[a,b,c,d] y", "a = Constant<value_ints=[-1,1]>() y = Unsqueeze(x, a)"),
    "transpose": ("float[2,3,4] x => float[a,b,c] y", "y = Transpose(x)"),
    "concat": ("float[2,3] x, float[2,4] z => float[a,b] y", "y = Concat<axis=-1>(x, z)"),
    "expand": ("float[3,1] x => float[a,b,c] y", "s = Constant<value_ints=[2,1,4]>() y = Expand(x, s)"),
    "tile": (ROWS, "r = Constant<value_ints=[2,3]>() y = Tile(x, r)"),
    "slice": ("float[5,6] x => float[a,b] y",
              "s = Constant<value_ints=[-1,1]>() e = Constant<value_ints=[-100,100]>() "
              "a = Constant<value_ints=[1,0]>() t = Constant<value_ints=[-2,2]>() y = Slice(x, s, e, a, t)"),
    "split": ("float[7,2] x => float[a,b] y, float[c,d] z", "y, z = Split<num_outputs=2>(x)"),
    "split, sizes": ("float[2,7] x => float[a,b] y, float[c,d] z",
                     "s = Constant<value_ints=[5,2]>() y, z = Split<axis=1>(x, s)"),
    "pad": (ROWS, "p = Constant<value_ints=[1,-1,0,2]>() v = Constant<value_float=3.0>() y = Pad(x, p, v)"),
    "pad an axis": (ROWS, "p = Constant<value_ints=[1,2]>() a = Constant<value_ints=[-1]>() y = Pad(x, p, , a)"),
    "pad, reflect": (ROWS, 'p = Constant<value_ints=[2,3,1,2]>() y = Pad<mode="reflect">(x, p)'),
    "pad, edge": (ROWS, 'p = Constant<value_ints=[2,0,1,2]>() y = Pad<mode="edge">(x, p)'),
    "pad, wrap": (ROWS, 'p = Constant<value_ints=[2,0,1,2]>() y = Pad<mode="wrap">(x, p)'),
    "gather": ("float[3,4] x => float[a,b,c] y",
               "i = Constant<value=int64[2,2]{0,-1,2,1}>() y = Gather<axis=1>(x, i)"),
    "gather elements": ("float[3,4] x => float[a,b] y",
                        "i = Constant<value=int64[2,4]{0,-1,2,1,1,1,0,0}>() y = GatherElements<axis=0>(x, i)"),
    "gather nd": ("float[2,3,4] x => float[a,b] y",
                  "i = Constant<value=int64[2,1]{1,-3}>() y = GatherND<batch_dims=1>(x, i)"),
    "scatter elements": ("float[3,4] x, float[1,4] u => float[a,b] y",
                         'i = Constant<value=int64[1,4]{0,2,0,1}>() '
                         'y = ScatterElements<reduction="add">(x, i, u)'),
    "scatter nd": ("float[3,4] x, float[2,4] u => float[a,b] y",
                   "i = Constant<value=int64[2,1]{2,0}>() y = ScatterND(x, i, u)"),
    "one hot": ("int64[2,3] x => float[a,b,c] y",
                "d = Constant<value_int=4>() v = Constant<value_floats=[-1.0,2.0]>() y = OneHot<axis=1>(x, d, v)"),
    "triangle": ("float[2,3,4] x => float[a,b,c] y", "k = Constant<value_int=-1>() y = Trilu<upper=0>(x, k)"),
    "top k": ("float[3,5] x => float[a,b] y, int64[c,d] i", "k = Constant<value_ints=[3]>() y, i = TopK(x, k)"),
    "bottom k": ("float[5,3] x => float[a,b] y, int64[c,d] i",
                 "k = Constant<value_ints=[2]>() y, i = TopK<axis=0, largest=0>(x, k)"),
    "reverse sequence": ("float[4,3,2] x => float[a,b,c] y",
                         "l = Constant<value_ints=[1,4,2]>() y = ReverseSequence(x, l)"),
    "compress": ("float[3,4] x => float[a,b] y",
                 "c = Constant<value=bool[3]{1,0,1}>() y = Compress<axis=0>(x, c)"),
    "einsum, batched": ("float[2,3,4] x, float[2,4,5] z => float[a,b,c] y", 'y = Einsum<equation="bij,bjk->bik">(x, z)'),
    "einsum, heads": ("float[2,3,4,5] x, float[2,6,4,5] z => float[a,b,c,d] y",
                      'y = Einsum<equation="bqhd,bkhd->bhqk">(x, z)'),
    "einsum, sum": ("float[2,3,4] x => float[a] y", 'y = Einsum<equation="ijk->j">(x)'),
    "einsum, implicit": ("float[3,4] x, float[4,5] z => float[a,b] y", 'y = Einsum<equation="ij,jk">(x, z)'),
    "einsum, dots": ("float[2,3,4] x, float[4,5] z => float[a,b,c] y", 'y = Einsum<equation="...j,jk->...k">(x, z)'),
    "einsum, diagonal": ("float[2,4,4] x => float[a,b] y", 'y = Einsum<equation="...ii->...i">(x)'),
    "dropout": ("float[3,4] x => float[a,b] y, bool[c,d] m", "y, m = Dropout(x)"),
    "range": ("float[2] x => float[a] y",
              "s = Constant<value_float=1.0>() l = Constant<value_float=2.0>() d = Constant<value_float=0.5>() "
              "r = Range(s, l, d) y = Add(x, r)"),
    "eye like": ("float[3,4] x => float[a,b] y", "e = EyeLike<k=1>(x) y = Mul(e, x)"),
    "size": ("float[3,4] x => int64 y", "y = Size(x)"),
    "shape": ("float[3,4,5] x => int64[a] y", "y = Shape<start=-2, end=5>(x)"),
    "where": ("bool[3,1] c, float[3,4] x, float z => float[a,b] y", "y = Where(c, x, z)"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_onnxruntime(models, case):
    signature, body = CASES[case]
    models.check(models.of(20 if "group norm" not in case else 21, signature, body), rtol=2e-5)


RESIZES = [
    ("nearest", mode, rounding)
    for mode in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric")
    for rounding in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
] + [
    (kind, mode, "round_prefer_floor")
    for kind in ("linear", "cubic")
    for mode in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
]


@pytest.mark.parametrize("size", ["[1,2,9,5]", "[1,2,4,10]"])
@pytest.mark.parametrize("kind,mode,rounding", RESIZES)
def test_resize_to_a_size(models, kind, mode, rounding, size):
    body = (
        f's = Constant<value_ints={size}>() y = Resize<mode="{kind}", coordinate_transformation_mode="{mode}", '
        f'nearest_mode="{rounding}">(x, , , s)'
    )
    models.check(models.of(19, "float[1,2,5,7] x => float[n,c,h,w] y", body))


@pytest.mark.parametrize(
    "attributes",
    [
        'mode="nearest"',
        'mode="linear"',
        'mode="cubic", cubic_coeff_a=-0.5',
        'mode="cubic", exclude_outside=1',
        'mode="linear", antialias=1',
    ],
)
@pytest.mark.parametrize("scales", ["[1.0,1.0,2.0,3.0]", "[1.0,1.0,0.6,1.5]"])
def test_resize_by_scales(models, attributes, scales):
    body = f"s = Constant<value_floats={scales}>() y = Resize<{attributes}>(x, , s)"
    models.check(models.of(19, "float[1,2,5,7] x => float[n,c,h,w] y", body))


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
def test_resize_keeps_the_aspect_ratio(models, policy):
    body = (
        "s = Constant<value_ints=[9,8]>() "
        f'y = Resize<axes=[2,3], keep_aspect_ratio_policy="{policy}", mode="linear">(x, , , s)'
    )
    models.check(models.of(19, "float[1,2,5,7] x => float[n,c,h,w] y", body))


def test_resize_of_a_region(models):
    body = (
        "r = Constant<value_floats=[0.0,0.0,0.2,-0.1,1.0,1.0,0.8,1.2]>() s = Constant<value_ints=[1,2,4,6]>() "
        'y = Resize<mode="linear", coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=9.0>'
        "(x, r, , s)"
    )
    models.check(models.of(19, "float[1,2,5,7] x => float[n,c,h,w] y", body))


def test_operators_onnx_defines_by_others(models):
    body = "y = Attention(q, k, v)"
    signature = "float[1,2,3,4] q, float[1,2,5,4] k, float[1,2,5,4] v => float[a,b,c,d] y"
    q, k, v = arrays = models.inputs(models.of(23, signature, body))
    (y,) = models.run(models.of(23, signature, body), arrays)
    import numpy as np

    scores = np.einsum("bhqd,bhkd->bhqk", q, k) / np.sqrt(4)
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    np.testing.assert_allclose(y, np.einsum("bhqk,bhkd->bhqd", weights, v), rtol=1e-4, atol=1e-5)

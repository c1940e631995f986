import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnc.ir import coding
from dnnc.ir.arch import DECODERS
from dnnc.ir.coding import CODES, PLAIN
from dnnc.ir.diagnostics import DnncError

blocks = st.one_of(
    st.binary(max_size=300),
    st.lists(st.integers(-6, 6), max_size=300).map(lambda v: np.array(v, np.int8).tobytes()),
)


def codewords(values: bytes, k: int) -> str:
    """A block by the definition of Rice codes, value by value."""
    signed = [v - 256 if v > 127 else v for v in values]
    u = [2 * v if v >= 0 else -2 * v - 1 for v in signed]
    low = "".join(format(x % (1 << k), f"0{k}b")[::-1] if k else "" for x in u)
    return low + " " + "".join("0" * (x >> k) + "1" for x in u)


@pytest.mark.parametrize("name", CODES)
@given(blocks)
def test_what_is_decoded_is_what_was_encoded(name, data):
    values = np.frombuffer(data, np.uint8)
    code = CODES[name]
    coded = code.encode(values)
    np.testing.assert_array_equal(code.decode(coded, len(values)), values)
    assert len(coded) <= len(values) + 1
    assert name in DECODERS


@given(blocks)
def test_a_rice_block_is_what_the_definition_says(data):
    values = np.frombuffer(data, np.uint8)
    coded = coding.encode_rice(values)
    k = int(coded[0])
    if k == PLAIN:
        assert coded[1:].tobytes() == data
        return
    low, unary = codewords(data, k).split(" ")
    bits = "".join(s + "0" * (-len(s) % 8) for s in (low, unary))
    assert "".join(format(b, "08b")[::-1] for b in coded[1:]) == bits
    assert coding.rice_bits(values)[k] == len(low) + len(unary) == min(coding.rice_bits(values))


def test_zigzag_orders_by_magnitude():
    signed = np.array([0, -1, 1, -2, 127, -128], np.int8).view(np.uint8)
    assert coding.zigzag(signed).tolist() == [0, 1, 2, 3, 254, 255]
    np.testing.assert_array_equal(coding.unzigzag(coding.zigzag(signed)), signed)


@pytest.mark.parametrize(
    "coded", [b"", b"\x09abc", b"\x02", b"\x08ab", b"\x00\x00\x00", b"\x07" + b"\x00" * 7 + b"\x00\x01"]
)
def test_a_block_that_is_none_is_refused(coded):
    with pytest.raises(DnncError, match="a Rice block of 8 values was expected"):
        coding.decode_rice(np.frombuffer(coded, np.uint8), 8)


def test_sparse_weights_are_stored_in_little_more_than_a_bit_each():
    values = np.random.default_rng(0).choice([0, 1, 255], 4096, p=[0.9, 0.05, 0.05]).astype(np.uint8)
    assert len(coding.encode_rice(values)) < 4096 * 1.2 / 8

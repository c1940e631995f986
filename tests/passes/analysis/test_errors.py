"""Errors against cases worked out by hand."""

import numpy as np
import pytest
from xdsl.dialects.builtin import i8

from dnnc.ir.types import QuantType
from dnnc.passes.analysis import errors as found


def test_errors_of_a_layer():
    errors = found.Errors(QuantType.per_tensor(i8, 0.5, 0))
    errors.add(np.array([1.0, -2.0, 63.5], np.float32), np.array([2, -5, 127], np.int8))
    facts = errors.to_dict()
    assert facts["max_error"] == 0.5 and facts["mean_error"] == pytest.approx(0.5 / 3)
    assert facts["snr_db"] == pytest.approx(10 * np.log10((1 + 4 + 63.5**2) / 0.25))
    assert facts["saturated"] == 1 and sum(facts["histogram"]) == 3


def test_the_zero_of_a_relu_is_no_saturation():
    q = np.array([-128, 127, 0], np.int8)
    assert found.saturated(q, QuantType.per_tensor(i8, 1.0, -128)) == 1
    assert found.saturated(q, QuantType.per_tensor(i8, 1.0, 0)) == 2


def test_equal_values_have_no_noise():
    assert found.snr(1.0, 0.0) is None
    assert found.snr(100.0, 1.0) == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("x", "y", "largest"), [([1, np.inf], [1, np.inf], 0.0), ([1, 2], [1, np.nan], None), ([1, 2], [1, np.inf], None)]
)
def test_what_is_not_finite_is_no_error_of_nothing(x, y, largest):
    errors = found.Errors(None)
    errors.add(np.array(x, np.float64), np.array(y, np.float64))
    assert errors.to_dict()["max_error"] == largest

"""Measured means and deviations, against numpy on the whole array in float64."""

import numpy as np
import pytest

from sentei.certificate.canonical import canonical_json, sha256_hex
from sentei.data import Examples, Preprocessing
from sentei.errors import DataError

RANDOM = np.random.Generator(np.random.PCG64(1))


def examples(inputs):
    return Examples(inputs, np.zeros(len(inputs), np.int64), np.arange(len(inputs)))


def test_bytes_are_scaled_to_one_and_measured_per_channel():
    inputs = RANDOM.integers(0, 256, (2500, 3, 4, 5), np.uint8)
    inputs[:, 1] //= 3
    found = Preprocessing.of(examples(inputs))
    scaled = inputs.astype(np.float64) * 0.00392157
    assert found.scale == 0.00392157
    np.testing.assert_allclose(found.mean, scaled.mean(axis=(0, 2, 3)), atol=6e-7)
    np.testing.assert_allclose(found.std, scaled.std(axis=(0, 2, 3)), atol=6e-7)


@pytest.mark.parametrize("shape", [(2500, 3), (2500, 3, 2, 2)])
def test_floats_keep_their_scale_and_are_measured_on_axis_one(shape):
    inputs = RANDOM.normal(3, [[1e-4], [1.0], [1e3]][: shape[1]], (shape[0], 3, np.prod(shape[2:], dtype=int)))
    inputs = inputs.reshape(shape).astype(np.float32)
    found = Preprocessing.of(examples(inputs))
    axes = tuple(axis for axis in range(len(shape)) if axis != 1)
    exact = inputs.astype(np.float64)
    assert found.scale == 1
    np.testing.assert_allclose(found.std, exact.std(axis=axes), rtol=6e-6)
    np.testing.assert_allclose((found.mean - exact.mean(axis=axes)) / exact.std(axis=axes), 0, atol=1e-5)


def test_what_was_measured_gives_mean_zero_and_deviation_one():
    inputs = RANDOM.integers(0, 256, (500, 2, 6, 6), np.uint8)
    applied = Preprocessing.of(examples(inputs)).apply(inputs)
    assert applied.dtype == np.float32
    np.testing.assert_allclose(applied.mean(axis=(0, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(applied.std(axis=(0, 2, 3)), 1, atol=1e-4)


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3, 1e6])
def test_a_channel_that_never_changes_has_deviation_one(value):
    """0.1 is no binary fraction, so its measured spread is float64's rounding, not zero."""
    found = Preprocessing.of(examples(np.full((1000, 1), value, np.float32)))
    assert found.std == (1.0,)
    np.testing.assert_allclose(found.mean, np.float32(value), atol=1e-5)
    assert Preprocessing.of(examples(np.full((9, 1, 2, 2), 51, np.uint8))).to_dict()["std"] == ["1"]


def test_the_order_of_the_rows_changes_neither_numbers_nor_digest():
    inputs = RANDOM.normal(0, 1, (5000, 4)).astype(np.float32)
    assert Preprocessing.of(examples(inputs)).digest == Preprocessing.of(examples(inputs[::-1])).digest


def test_facts_are_decimal_strings_and_come_back():
    found = Preprocessing(0.00392157, (0.286041, 0.0), (0.353024, 1e-9))
    facts = {"scale": "0.00392157", "mean": ["0.286041", "0"], "std": ["0.353024", "0.000000001"]}
    assert found.to_dict() == facts
    assert Preprocessing.from_dict(facts) == found
    assert found.digest == sha256_hex(canonical_json(facts))


def test_a_mean_of_nearly_zero_has_no_sign():
    inputs = np.array([[-1e-9], [1.0], [-1.0]], np.float32)
    assert Preprocessing.of(examples(inputs)).to_dict()["mean"] == ["0"]


@pytest.mark.parametrize(
    "facts",
    [
        {"scale": "1", "mean": ["0"]},
        {"scale": "1", "mean": ["0"], "std": ["1"], "extra": "1"},
        {"scale": "1", "mean": ["0"], "std": ["0"]},
        {"scale": "1", "mean": ["0"], "std": ["1", "1"]},
        {"scale": "1", "mean": [], "std": []},
        {"scale": "1", "mean": ["NaN"], "std": ["1"]},
        {"scale": "1", "mean": ["much"], "std": ["1"]},
        {"scale": 1.0, "mean": ["0"], "std": ["1"]},
        {"scale": "0", "mean": ["0"], "std": ["1"]},
    ],
)
def test_facts_that_are_no_preprocessing_are_refused(facts):
    with pytest.raises(DataError, match="preprocessing: expected"):
        Preprocessing.from_dict(facts)


def test_inputs_with_other_channels_are_refused():
    with pytest.raises(DataError, match=r"expected inputs \(n, 1, ...\), received shape \(2, 3, 4, 4\)"):
        Preprocessing(1.0, (0.0,), (1.0,)).apply(np.zeros((2, 3, 4, 4), np.uint8))

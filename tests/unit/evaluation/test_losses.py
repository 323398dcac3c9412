"""A loss is 1 unless the label's logit is above all others."""

import numpy as np
import pytest

from sentei.errors import ModelError
from sentei.evaluation import zero_one_losses


def test_losses_are_those_of_argmax_where_nothing_is_tied():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(500, 7)).astype(np.float32), rng.integers(0, 7, 500)
    losses = zero_one_losses(logits, labels)

    assert losses.dtype == np.uint8
    assert np.array_equal(losses, logits.argmax(axis=1) != labels)


@pytest.mark.parametrize(
    ("row", "label", "loss"),
    [
        ([1.0, 1.0, 0.0], 0, 1),
        ([1.0, 1.0, 0.0], 1, 1),
        ([1.0, 1.0, 2.0], 2, 0),
        ([0.0, -0.0, -1.0], 0, 1),
        ([np.inf, 1.0, 0.0], 0, 0),
        ([np.inf, np.inf, 0.0], 1, 1),
        ([-np.inf, -np.inf, -np.inf], 0, 1),
        ([-np.inf, 0.0, -np.inf], 1, 0),
    ],
)
def test_ties_and_infinities(row, label, loss):
    assert zero_one_losses(np.array([row]), np.array([label])).tolist() == [loss]


def test_nan_is_refused_with_its_row():
    logits = np.zeros((5, 3))
    logits[3, 2] = np.nan
    with pytest.raises(ModelError, match="row 3"):
        zero_one_losses(logits, np.zeros(5, int))


@pytest.mark.parametrize(
    ("shape", "labels"), [((3,), [0, 0, 0]), ((3, 2), [0, 0]), ((3, 2), [0, 1, 2]), ((3, 2), [0, -1, 0])]
)
def test_what_does_not_fit_is_refused(shape, labels):
    with pytest.raises(ValueError, match="received"):
        zero_one_losses(np.zeros(shape), np.array(labels))


def test_no_rows_no_losses():
    assert zero_one_losses(np.zeros((0, 3)), np.zeros(0, int)).shape == (0,)


def test_a_nan_is_wrong_where_that_is_the_safe_side():
    logits = np.array([[0.0, np.nan], [np.nan, np.nan], [2.0, 1.0]])
    assert zero_one_losses(logits, np.array([0, 1, 0]), nan_is_wrong=True).tolist() == [1, 1, 0]
